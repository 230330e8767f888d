import math

import pytest
import torch
from torch import nn

from kp.course.gradient_field import gradient_field, points_home, renderer_field
from kp.method.model import Model
from kp.skeletons import Skeleton


class Copy(nn.Module):
    """A Ψ that paints the drawing itself, in grey: x̂ = y*. Then the pull is known to point at the place where x was
    drawn.
    """

    def forward(self, skeleton, other):
        return skeleton.expand(-1, 3, -1, -1)


@pytest.fixture
def model(config):
    model = Model(config)
    model.decoder = Copy()
    return model


def test_no_pull_at_home_and_back_towards_it(model, poses):
    home = poses.keypoints[:2]
    frame = model.draw(home).expand(-1, 3, -1, -1)
    assert gradient_field(model, home, frame, frame).abs().max() < 1e-6
    away = home.clone()
    away[:, 13] += torch.tensor([0.04, 0.0])  # the left wrist, to the right by less than the lines are wide
    back = gradient_field(model, away, frame, frame)
    assert (back[:, 13, 0] < 0).all() and back[:, 13].norm(dim=-1).min() > 10 * back[:, 2].norm(dim=-1).max()


def test_it_is_minus_the_gradient(model, poses):
    frame, moved = torch.rand(1, 3, 32, 32), poses.keypoints[:1]
    step, error = (
        1e-3,
        lambda p: (
            sum(
                ((nn.functional.avg_pool2d(model.draw(p).expand(-1, 3, -1, -1) - frame, 2**i)) ** 2).mean()
                for i in range(4)
            )
            / 4
        ),
    )
    aside = torch.zeros_like(moved)
    aside[0, 16, 1] = step
    slope = (error(moved + aside) - error(moved - aside)) / (2 * step)
    assert gradient_field(model, moved, frame, frame)[0, 16, 1].item() == pytest.approx(
        -slope.item(), rel=0.02, abs=1e-4
    )


def test_the_share_that_points_home(model, poses):
    home = poses.keypoints[:12]
    frame = model.draw(home).expand(-1, 3, -1, -1)
    share = points_home(model, home, frame, frame, away=0.03)
    assert share.shape == (17,) and share.mean() > 0.8
    assert torch.equal(share, points_home(model, home, frame, frame, away=0.03))
    assert not math.isclose(
        share.mean().item(), points_home(model, home, -frame, frame, away=0.03).mean().item(), abs_tol=0.3
    )


def test_one_end_of_a_line_is_pulled_home():
    """From a little aside the end of a line comes back, and the pull points home; with thin lines it does not."""
    line = Skeleton("line", ("a", "b"), (("a", "b"),), ())
    pose = torch.tensor([[-0.5, 0.0], [0.2, 0.0]])
    places = pose[1] + torch.tensor([[0.0, 0.1], [0.0, -0.1], [0.15, 0.0]])
    pull, left = renderer_field(pose, 1, places, line, 0.2)
    assert ((pull * (pose[1] - places)).sum(1) > 0).all() and left.max() < 1
    _, far = renderer_field(pose, 1, pose[1] + torch.tensor([[0.0, 0.6]]), line, 0.08)
    assert far.item() > 5
