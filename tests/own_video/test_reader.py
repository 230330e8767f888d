import math

import pytest
import torch
from test_cardboard import BOTH, POSE, STICK, generator

from kp.config import Optimizer
from kp.datasets.priors import Poses
from kp.own_video.cardboard import CardboardRenderer
from kp.own_video.reader import MeanShift, map_loss, read_frames, reader_loss, teach_reader
from kp.skeletons import BODY

SHORT = Optimizer(steps=60, batch=8, lr=3e-3, average=0.9)


def test_a_reader_learns_a_pose_and_reads_images():
    renderer = CardboardRenderer(STICK, BOTH, 32)
    reader = teach_reader(Poses(POSE, ["one"]), renderer, SHORT, seed=0, width=8)
    drawn = renderer.draw(POSE.expand(4, -1, -1) * renderer.inside, generator()) * 2 - 1
    images = torch.nn.functional.pad(drawn, 4 * [-renderer.rim])
    found = read_frames(reader, images.expand(-1, 3, -1, -1), renderer)
    assert found.shape == (4, 4, 2) and (found - POSE).norm(dim=-1).mean() < 0.25
    again = teach_reader(Poses(POSE, ["one"]), renderer, SHORT, seed=0, width=8)
    assert all(
        torch.equal(a, b) for a, b in zip(reader.state_dict().values(), again.state_dict().values(), strict=True)
    )


def test_map_loss_is_least_for_the_right_map():
    points = torch.tensor([[[0.0, -0.5]]])
    axis = torch.linspace(-1, 1, 17)
    right = -(((axis[None, :] - 0.0) * 8 / 0.7) ** 2 + ((axis[:, None] + 0.5) * 8 / 0.7) ** 2) / 2
    entropy = map_loss(right[None, None], points).item()
    assert entropy < map_loss(right.T[None, None], points).item() - 1
    assert entropy < map_loss(0.5 * right[None, None], points).item()
    assert map_loss(torch.zeros(1, 1, 17, 17), points).item() == pytest.approx(math.log(17 * 17), abs=1e-4)
    scores = right[None, None].double().requires_grad_()
    assert torch.autograd.gradcheck(lambda s: map_loss(s, points.double()), (scores,))


def test_reader_loss_leaves_out_joints_that_nobody_saw():
    scores = torch.randn(2, 3, 8, 8, generator=generator())
    points = torch.rand(2, 3, 2, generator=generator()) - 0.5
    holed = points.clone()
    holed[0, 1] = torch.nan
    seen = torch.ones(2, 3, dtype=torch.bool)
    seen[0, 1] = False
    alone = reader_loss(scores[seen][None], points[seen][None])
    assert torch.allclose(reader_loss(scores, holed), alone) and not torch.allclose(reader_loss(scores, points), alone)


def test_the_mean_moves_half_the_way_and_stays_even():
    moved = MeanShift(STICK)
    moved.note(POSE.expand(8, -1, -1))
    read = POSE.clone()
    read[:, 2] += torch.tensor([-0.2, 0.1])  # the left hand reaches farther; the right one as far, in the mean
    moved.move(read)
    half = torch.tensor([-0.05, 0.025])
    torch.testing.assert_close(moved.shift, torch.stack([0 * half, 0 * half, half, half * torch.tensor([-1, 1])]))
    torch.testing.assert_close(moved.taught, POSE[0] + moved.shift)


def test_roots_of_limbs_never_move():
    moved = MeanShift(BODY)
    moved.note(torch.zeros(4, 17, 2))
    moved.move(torch.ones(4, 17, 2))
    still = [BODY.joints[i] for i in (moved.shift == 0).all(1).nonzero()[:, 0]]
    assert sorted(still) == ["left_hip", "left_shoulder", "right_hip", "right_shoulder"]


def test_poses_come_to_lie_where_the_film_shows_them():
    """The film's stick holds its arms level, the prior's hang: while the reader learns, the prior lifts them."""
    renderer = CardboardRenderer(STICK, BOTH, 32)
    level = torch.tensor([[[0.0, -0.5], [0.0, 0.0], [-0.56, 0.0], [0.56, 0.0]]])
    drawn = renderer.draw(level.expand(60, -1, -1) * renderer.inside, generator()) * 2 - 1
    film = torch.nn.functional.pad(drawn, 4 * [-renderer.rim]).expand(-1, 3, -1, -1)
    rates = Optimizer(steps=300, batch=8, lr=3e-3, average=0.9)
    plain, moved = (teach_reader(Poses(POSE, ["one"]), renderer, rates, 0, f, width=8) for f in (None, film))
    errors = [(read_frames(reader, film, renderer) - level).norm(dim=-1).mean().item() for reader in (plain, moved)]
    assert errors[1] < 0.8 * errors[0]
