"""Similarities: images and points move together, within the stated bounds."""

import math
from dataclasses import replace

import pytest
import torch
from jaxtyping import TypeCheckError

import kp.method.step
from kp.config import smoke
from kp.datasets.clips import Clips
from kp.datasets.priors import Poses
from kp.geometry import Similarity, draw_similarity
from kp.method.renderer import render_skeleton
from kp.training.loop import train_step
from kp.training.state import State


def one(angle=0.0, scale=1.0, shift=(0.0, 0.0)):
    cos, sin = math.cos(angle), math.sin(angle)
    return Similarity(scale * torch.tensor([[[cos, -sin], [sin, cos]]]), torch.tensor([shift]))


def test_points_known_answers():
    p = torch.tensor([[[1.0, 0.0], [0.0, 0.5]]])
    assert torch.equal(one().points(p), p)
    torch.testing.assert_close(one(math.pi / 2).points(p), torch.tensor([[[0.0, 1.0], [-0.5, 0.0]]]))
    torch.testing.assert_close(one(scale=0.5, shift=(0.1, -0.2)).points(p), torch.tensor([[[0.6, -0.2], [0.1, 0.05]]]))


def test_images_known_answers():
    x = torch.arange(25.0).view(1, 1, 5, 5)
    torch.testing.assert_close(one().images(x), x)
    torch.testing.assert_close(one(math.pi / 2).images(x), x.rot90(-1, (2, 3)))  # clockwise, as y points down
    right = torch.cat([x[..., :1], x[..., :-1]], 3)  # a pixel is 0.5 wide; the left border is repeated
    torch.testing.assert_close(one(shift=(0.5, 0.0)).images(x), right)


def test_a_moved_drawing_is_the_drawing_of_moved_points():
    generator = torch.Generator().manual_seed(0)
    points = (torch.rand(20, 4, 2, generator=generator) - 0.5) * 0.8
    move = draw_similarity(20, generator, scale=0.0)  # scaling would widen the lines

    def draw(p):
        return render_skeleton(p, [(0, 1), (2, 3)], 64, 0.3, "gaussian")

    moved, redrawn = move.images(draw(points)), draw(move.points(points))
    inside = move.points(points).abs().amax((1, 2)) < 0.8
    assert (
        inside.sum() > 10
        and (moved - redrawn)[inside].abs().mean() < 0.01 < (draw(points) - redrawn)[inside].abs().mean()
    )


@pytest.mark.parametrize("bounds", [{}, dict(angle=0.1, scale=0.3, shift=0.05)])
def test_drawn_within_bounds_and_up_to_them(bounds):
    made = draw_similarity(4000, torch.Generator().manual_seed(0), **bounds)
    limits = dict(angle=0.3, scale=0.15, shift=0.2) | bounds
    scale = torch.linalg.det(made.matrix).sqrt()
    angle = torch.atan2(made.matrix[:, 1, 0], made.matrix[:, 0, 0])
    for values, limit in ((angle, limits["angle"]), (scale - 1, limits["scale"]), (made.shift, limits["shift"])):
        assert -limit <= values.min() < -0.99 * limit and 0.99 * limit < values.max() <= limit * 1.0001


def test_draws_repeat_with_their_generator():
    one, two, other = (draw_similarity(3, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert (
        torch.equal(one.matrix, two.matrix)
        and torch.equal(one.shift, two.shift)
        and not torch.equal(one.shift, other.shift)
    )


def test_shapes_are_checked():
    with pytest.raises(TypeCheckError):
        one().points(torch.zeros(2, 2))


@pytest.mark.parametrize("move", [False, True])
def test_training_moves_the_frames_each_on_its_own_and_the_poses(move, clips, poses, monkeypatch):
    config = smoke()
    state = State(replace(config, data=replace(config.data, move=move)), torch.device("cpu"))
    seen = {}
    run = kp.method.step.run
    monkeypatch.setattr(
        kp.method.step,
        "run",
        lambda model, x, other: run(model, seen.setdefault("x", x), seen.setdefault("other", other)),
    )
    draw = state.model.draw
    monkeypatch.setattr(state.model, "draw", lambda p: draw(seen.setdefault("pose", p)))
    same = torch.rand(4, 3, 32, 32) * 2 - 1
    monkeypatch.setattr(Clips, "pairs", lambda self, n, generator, step, ordered: (same, same))
    monkeypatch.setattr(Poses, "sample", lambda self, n, generator, by_source: self.keypoints[:n])
    train_step(state, clips, poses)
    assert torch.equal(seen["x"], seen["other"]) == (not move) and torch.equal(seen["pose"], poses.keypoints[:4]) == (
        not move
    )
    if move:
        distances, flip = lambda p: torch.cdist(p, p).flatten(1), state.model.skeleton.flip
        plain, mirrored, now = (distances(p) for p in (poses.keypoints[:4], poses.keypoints[:4, flip], seen["pose"]))
        differs = [(now / now.sum(1, True) - known / known.sum(1, True)).abs().amax(1) for known in (plain, mirrored)]
        assert torch.minimum(*differs).max() < 1e-5 and 0 < (differs[0] < 1e-5).sum() < 4
