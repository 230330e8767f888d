import pytest
import torch

from kp.config import Optimizer
from kp.datasets.priors import Poses
from kp.datasets.retrieval import silhouettes
from kp.geometry import joint_errors
from kp.method.renderer import render_skeleton
from kp.research.outlines import NEAREST, THICKNESS, motion_silhouettes, retrieve, train_on_outlines
from kp.skeletons import BODY


@pytest.fixture(scope="module")
def prior(poses):
    return Poses(poses.keypoints[:200], [""] * 200)


@pytest.fixture(scope="module")
def poses(tiny):
    from kp.datasets.priors import load_poses

    return load_poses(tiny / "priors/matched.npz", BODY, 32)


def shapes(keypoints, size=64):
    return (render_skeleton(keypoints, BODY.edge_indices, size, THICKNESS, "gaussian") > 0).float()


def test_silhouettes_are_what_is_not_black():
    image = torch.full((1, 3, 4, 4), -1.0)
    image[0, 1, 2, 3] = 0.0
    assert silhouettes(image).sum() == 1 and silhouettes(image)[0, 0, 2, 3] == 1


def test_what_moves_is_found_whole():
    """A frame with a hole in what moved: the hole is filled, and a static background counts for nothing."""
    frames = torch.full((9, 64, 64, 3), 40, dtype=torch.uint8)
    frames[:, 5, 5] = 200  # stands still
    ring = torch.zeros(64, 64, dtype=torch.bool)
    ring[20:40, 20:40] = True
    ring[24:36, 24:36] = False
    frames[4][ring] = 220
    found = motion_silhouettes(frames)
    assert found[4, 0, 20:40, 20:40].all() and found[4].sum() == 400 and found[0].sum() == 0


def test_a_pose_of_the_prior_is_found_by_its_shape(prior):
    some = prior.keypoints[::40]
    found = retrieve(shapes(some), prior, BODY)
    assert joint_errors(found, some).mean() < joint_errors(prior.keypoints.mean(0).expand_as(some), some).mean() / 3
    assert torch.equal(found, retrieve(shapes(some), prior, BODY))


def test_a_prior_smaller_than_what_is_averaged(prior):
    few = Poses(prior.keypoints[: NEAREST // 8], [""] * (NEAREST // 8))
    assert retrieve(shapes(few.keypoints), few, BODY).isfinite().all()


def test_the_network_of_outlines_learns_from_drawings_alone(prior, config):
    rates = Optimizer(lr=2e-3, steps=40, batch=8)
    some = prior.keypoints[::20]
    size = config.data.size
    before = train_on_outlines(prior, BODY, config, Optimizer(lr=2e-3, steps=1, batch=8))
    after = train_on_outlines(prior, BODY, config, rates)

    def error(net):
        with torch.no_grad():
            return joint_errors(net(shapes(some, size) * 2 - 1), some).mean().item()

    assert error(after) < 0.7 * error(before)
