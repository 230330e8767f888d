import pytest
import torch

from kp.datasets.clips import to_images
from kp.geometry import joint_errors
from kp.inference.confidence import jitter


@pytest.fixture(scope="module")
def teacher(finished):
    return finished[1].predictor()


def test_the_mirrored_mean_is_the_same_person_seen_in_a_mirror(teacher, clips):
    images = to_images(clips.frames[0])
    there, back = teacher.mirrored_mean(images), teacher.mirrored_mean(images.flip(3))
    torch.testing.assert_close(there, back[:, teacher.skeleton.flip] * torch.tensor([-1.0, 1.0]))
    assert not torch.allclose(there, teacher(images).keypoints)


def test_the_errors_of_both_readings_add_up_to_the_disagreement_at_least(teacher, clips):
    images = to_images(clips.frames[0])
    apart = teacher.mirror_disagreement(images)
    torch.testing.assert_close(apart, teacher.mirror_disagreement(images.flip(3)))
    readings = (teacher(images).keypoints, teacher.mirrored(images))
    truth = torch.rand(8, 17, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert (apart > 0).all() and (sum(joint_errors(p, truth).mean(1) for p in readings) >= apart).all()


def test_even_motion_has_no_jitter_and_a_jump_has():
    even = torch.linspace(-0.5, 0.5, 6)[:, None, None].expand(6, 17, 2).clone()
    assert jitter(even).max() < 1e-4
    even[3, :, 0] += 0.2  # 10 % of the image size: half of it seen by each neighbour
    torch.testing.assert_close(jitter(even), torch.tensor([0.0, 5.0, 10.0, 5.0]))
