import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kp.datasets.priors import Poses
from kp.errors import KpError
from kp.evaluation.intervals import interval
from kp.evaluation.metrics import nearest_pose_error, normalised_errors, oracle_nearest_prior, pck, score
from kp.geometry import joint_errors
from kp.skeletons import BODY, FACE, resolve_flips


def random(seed, *shape):
    return torch.rand(*shape, 17, 2, generator=torch.Generator().manual_seed(seed)) * 2 - 1


seeds = given(st.integers(0, 10_000))


def test_joint_errors():
    predicted = torch.tensor([[[-1.0, -1.0], [0.0, 0.0], [0.3, 0.4]]])
    true = torch.tensor([[[1.0, -1.0], [0.0, 0.0], [0.0, 0.0]]])
    torch.testing.assert_close(joint_errors(predicted, true), torch.tensor([[100.0, 0.0, 25.0]]))


def test_resolve_flips_decides_for_each_pose():
    true = random(0, 3)
    predicted = true.clone()
    predicted[1] = true[1, BODY.flip]
    assert torch.equal(resolve_flips(predicted, true, BODY), true)


def test_one_exchanged_limb_is_not_a_flip():
    true = random(0, 1)
    predicted = true.clone()
    wrists = [BODY.index("left_wrist"), BODY.index("right_wrist")]
    predicted[:, wrists] = true[:, wrists[::-1]]
    assert torch.equal(resolve_flips(predicted, true, BODY), predicted)


@seeds
def test_the_flip_minimum_does_not_care_about_sides(seed):
    predicted, true = random(seed, 5), random(seed + 1, 5)

    def minimum(p):
        return joint_errors(resolve_flips(p, true, BODY), true).mean(1)

    torch.testing.assert_close(minimum(predicted), minimum(predicted[:, BODY.flip]))
    assert (minimum(predicted) <= joint_errors(predicted, true).mean(1)).all()


def test_normalised_errors_by_hand():
    """Eye corners 0.5 apart; every second point is 0.1 off in the first face, none in the second."""
    true = torch.zeros(2, 68, 2)
    true[:, 36], true[:, 45] = torch.tensor([-0.3, 0]), torch.tensor([0, 0.4])
    predicted = true.clone()
    predicted[0, ::2, 1] += 0.1
    errors = normalised_errors(predicted, true, FACE)
    torch.testing.assert_close(errors.mean(1), torch.tensor([10.0, 0]))
    torch.testing.assert_close(errors[0, :2], torch.tensor([20.0, 0]))


def test_no_normaliser():
    with pytest.raises(KpError) as error:
        normalised_errors(random(0, 1), random(0, 1), BODY)
    assert str(error.value) == "skeleton 'body' has no normaliser; give it two joints to measure errors in"
    faces = torch.zeros(2, 68, 2)
    faces[0, 36] = 1.0
    with pytest.raises(KpError) as error:
        normalised_errors(faces, faces, FACE)
    assert str(error.value) == "pose 1: 36 and 45, the ends of the normaliser, coincide; leave it out"


def test_scores_of_faces_have_regions_and_a_normaliser():
    true = torch.rand(3, 4, 68, 2, generator=torch.Generator().manual_seed(0))
    true[:, :, 36], true[:, :, 45] = torch.tensor([0.0, 0.0]), torch.tensor([0.0, 0.5])
    predicted = true.clone()
    predicted[:, :, 48:, 0] += 0.1  # the lips
    scores = score(predicted, true, true, torch.zeros(68, 2), FACE)
    assert scores.by_region == pytest.approx({"jaw": 0, "brows": 0, "nose": 0, "eyes": 0, "lips": 5}, abs=1e-4)
    assert scores.normalised == pytest.approx(20 * 20 / 68, rel=1e-5) and scores.normalised_interval == pytest.approx(
        (scores.normalised,) * 2
    )
    bodies = random(0, 2, 2)
    of_bodies = score(bodies, bodies, bodies, torch.zeros(17, 2), BODY)
    assert of_bodies.normalised is of_bodies.normalised_interval is None and of_bodies.by_region == {}


def test_pck():
    errors = torch.tensor([[1.0, 5.0], [5.1, 20.0]])
    assert [pck(errors, t) for t in (0.5, 5.0, 10.0, 20.0)] == [0, 50, 75, 100]


@seeds
def test_nothing_is_wrong_with_the_truth(seed):
    true = random(seed, 2, 3)
    scores = score(true, true, true, torch.zeros(17, 2), BODY)
    assert (scores.raw, scores.raw_interval, scores.flip_minimum, scores.label_free, scores.flipped_share) == (
        0,
        (0, 0),
        0,
        0,
        0,
    )
    assert (scores.pck5, scores.pck10, scores.constant_offset) == (100, 100, 0)
    assert set(scores.by_joint) == set(BODY.joints) and not any(scores.by_joint.values())


def test_a_constant_offset():
    true = random(0, 2, 4)
    offset = torch.zeros(17, 2)
    offset[3] = torch.tensor([0.3, 0.4])  # 25 % on one of 17 joints
    scores = score(true + offset, true, true, torch.zeros(17, 2), BODY)
    assert scores.raw == pytest.approx(25 / 17, abs=1e-4) and scores.constant_offset == pytest.approx(25 / 17, abs=1e-4)
    assert scores.by_joint[BODY.joints[3]] == pytest.approx(25, abs=1e-4) and scores.by_joint[
        BODY.joints[4]
    ] == pytest.approx(0, abs=1e-4)
    assert scores.pck5 == scores.pck10 == pytest.approx(100 * 16 / 17)


def test_errors_without_a_common_offset_stay():
    true = random(0, 1, 2)
    wobble = torch.tensor([0.1, -0.1]).view(1, 2, 1, 1) * torch.tensor([1.0, 0.0])
    scores = score(true + wobble, true, true, torch.zeros(17, 2), BODY)
    assert scores.raw == pytest.approx(5, abs=1e-4) and scores.constant_offset == pytest.approx(0, abs=1e-4)


def test_an_offset_of_a_clip():
    true = random(0, 2, 4)
    # one way in one clip, the other in the other
    offset = torch.tensor([0.1, -0.1]).view(2, 1, 1, 1) * torch.tensor([1.0, 0.0])
    scores = score(true + offset, true, true, torch.zeros(17, 2), BODY)
    assert scores.raw == pytest.approx(5, abs=1e-4) and scores.clip_offset == pytest.approx(5, abs=1e-4)
    assert scores.constant_offset == pytest.approx(0, abs=1e-4)


def test_flips():
    true = random(0, 2, 2)
    predicted = true.clone()
    predicted[0] = true[0][:, BODY.flip]
    label_free = score(predicted, true, true, torch.zeros(17, 2), BODY)
    assert (
        label_free.flipped_share == 50 and label_free.flip_minimum == label_free.label_free == 0 and label_free.raw > 5
    )
    misled = score(predicted, true, predicted, torch.zeros(17, 2), BODY)
    assert misled.label_free == pytest.approx(misled.raw) and misled.flip_minimum == 0


def test_mean_pose():
    true = torch.zeros(2, 3, 17, 2)
    assert score(true, true, true, torch.tensor([0.6, 0.8]).expand(17, 2), BODY).mean_pose == pytest.approx(50)


def test_the_interval_is_over_clips():
    true, offset = random(0, 3, 4), torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1, 1) * torch.tensor([1.0, 0.0])
    scores = score(true + offset, true, true, torch.zeros(17, 2), BODY)
    assert scores.raw_interval == pytest.approx(interval(np.array([[5.0, 10.0, 15.0]])), abs=1e-3)


def test_the_oracle_finds_the_planted_poses():
    keypoints = torch.rand(100, 17, 2, generator=torch.Generator().manual_seed(0))
    planted = keypoints[torch.arange(20) * 5]
    assert torch.equal(oracle_nearest_prior(planted + 0.01, Poses(keypoints, [""] * 100)), planted)


def test_the_oracle_is_the_best_by_the_reported_error():
    """One far joint (root mean square 0.24, mean 0.06) beats all joints near (0.1 each)."""
    true = torch.zeros(1, 17, 2)
    near, one_far = torch.tensor([0.1, 0.0]).expand(17, 2), torch.zeros(17, 2)
    one_far[5, 1] = 1.0
    assert torch.equal(oracle_nearest_prior(true, Poses(torch.stack([near, one_far]), [""] * 2))[0], one_far)


def test_nearest_pose_error():
    poses = Poses(torch.zeros(2, 17, 2) + torch.tensor([0.0, 0.5])[:, None, None], ["a", "b"])
    true = torch.zeros(2, 17, 2)
    true[0, :, 0], true[1] = 0.1, 0.5
    assert nearest_pose_error(true, poses) == pytest.approx(50 * (0.1 + 0) / 2, rel=1e-5)
