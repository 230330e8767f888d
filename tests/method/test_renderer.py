import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import kp.method.renderer
from kp.method.renderer import plain_squared_distance, render_skeleton
from kp.skeletons import BODY, FACE

profiles = pytest.mark.parametrize("profile", ["exponential", "gaussian"])


def slow(keypoints, edges, size, sigma, profile):
    """Pixel by pixel, edge by edge."""
    image = np.empty((len(keypoints), 1, size, size))
    for n, pose in enumerate(keypoints):
        for row in range(size):
            for column in range(size):
                u = np.array([2 * column / (size - 1) - 1, 2 * row / (size - 1) - 1])
                brightest = -math.inf
                for a, b in edges:
                    along = pose[b] - pose[a]
                    t = min(1.0, max(0.0, (u - pose[a]) @ along / (along @ along)))
                    d = np.linalg.norm(u - pose[a] - t * along)
                    falloff = math.sqrt(d**2 + 1e-6) / sigma**2 if profile == "exponential" else d**2 / sigma**4
                    brightest = max(brightest, 2 * math.exp(-falloff) - 1)
                image[n, 0, row, column] = brightest
    return image


@profiles
def test_against_a_slow_loop(profile):
    keypoints = torch.rand(2, 5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    edges = [(0, 1), (1, 2), (3, 1), (3, 4)]
    made = render_skeleton(keypoints, edges, 9, 0.3, profile)
    np.testing.assert_allclose(made.numpy(), slow(keypoints.numpy(), edges, 9, 0.3, profile), atol=1e-12)


@profiles
def test_known_rows_of_a_horizontal_line(profile):
    line = torch.tensor([[[-1.0, 0.0], [1.0, 0.0]]], dtype=torch.float64)
    made = render_skeleton(line, [(0, 1)], 5, 0.5, profile)[0, 0]
    d = torch.tensor([1, 0.5, 0, 0.5, 1], dtype=torch.float64)
    expected = 2 * torch.exp(-((d**2 + 1e-6).sqrt() / 0.25 if profile == "exponential" else d**2 / 0.0625)) - 1
    torch.testing.assert_close(made, expected[:, None].expand(5, 5))


def test_x_runs_along_columns():
    dot = torch.tensor([[[1.0, -1.0], [1.0, -1.0]]])
    made = render_skeleton(dot, [(0, 1)], 9)[0, 0]
    assert made.argmax() == 8  # first row, last column


@pytest.mark.parametrize(("profile", "peak"), [("exponential", 0.951), ("gaussian", 1.0)])
def test_peak_brightness(profile, peak):
    line = torch.tensor([[[-1.0, 0.0], [1.0, 0.0]]])
    made = render_skeleton(line, [(0, 1)], 65, 0.2, profile)
    assert made.max().item() == pytest.approx(peak, abs=5e-4)
    if profile == "exponential":
        assert made.max().item() == pytest.approx(2 * math.exp(-1e-3 / 0.04) - 1, abs=1e-6)


@profiles
def test_falls_to_one_in_e_at_sigma_squared(profile):
    line = torch.tensor([[[-1.0, 0.5], [1.0, 0.5]]], dtype=torch.float64)  # size 5: rows 0.5 apart
    made = render_skeleton(line, [(0, 1)], 5, math.sqrt(0.5), profile)[0, 0, 2, 2]
    assert (made.item() + 1) / 2 == pytest.approx(1 / math.e, abs=1e-5)


@profiles
def test_gradcheck(profile):
    keypoints = torch.rand(2, 4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 1.6 - 0.8

    def draw(p):
        return render_skeleton(p, [(0, 1), (1, 2), (2, 3)], 8, 0.5, profile)

    assert torch.autograd.gradcheck(draw, keypoints.requires_grad_())


@profiles
def test_zero_length_edge_is_a_dot_with_finite_gradients(profile):
    keypoints = torch.zeros(1, 2, 2, requires_grad=True)
    made = render_skeleton(keypoints, [(0, 1)], 17, 0.3, profile)
    made.sum().backward()
    assert made.isfinite().all() and made.argmax() == 8 * 17 + 8
    assert keypoints.grad.isfinite().all()


@profiles
def test_the_brightest_edge_wins(profile):
    keypoints = torch.rand(1, 4, 2, generator=torch.Generator().manual_seed(2)) * 2 - 1
    together = render_skeleton(keypoints, [(0, 1), (2, 3)], 16, 0.2, profile)
    alone = [render_skeleton(keypoints, [edge], 16, 0.2, profile) for edge in ((0, 1), (2, 3))]
    assert torch.equal(together, torch.maximum(*alone))


def test_joints_without_an_edge_get_no_gradient():
    keypoints = torch.rand(1, 3, 2, requires_grad=True)
    render_skeleton(keypoints, [(0, 1)], 16).sum().backward()
    assert (keypoints.grad[0, 2] == 0).all() and (keypoints.grad[0, :2] != 0).all()


@profiles
@given(st.lists(st.floats(-1.5, 1.5, width=32), min_size=34, max_size=34), st.sampled_from([0.1, 0.2, 0.5]))
def test_range(profile, numbers, sigma):
    keypoints = torch.tensor(numbers).view(1, 17, 2)
    made = render_skeleton(keypoints, BODY.edge_indices, 16, sigma, profile)
    assert made.shape == (1, 1, 16, 16) and made.min() >= -1 and made.max() <= 1


@given(st.lists(st.floats(-1, 1, width=32), min_size=34, max_size=34))
def test_a_mirrored_pose_draws_the_mirrored_picture(numbers):
    keypoints = torch.tensor(numbers, dtype=torch.float64).view(1, 17, 2)
    mirrored = keypoints[:, BODY.flip] * torch.tensor([-1.0, 1.0])

    def draw(p):
        return render_skeleton(p, BODY.edge_indices, 16)

    torch.testing.assert_close(draw(mirrored), draw(keypoints).flip(-1))


@pytest.mark.parametrize("skeleton", [BODY, FACE], ids=["body", "face"])
@pytest.mark.parametrize("tile", [(1, 1), (1, 5), (3, 16)])
def test_distances_and_gradients_do_not_depend_on_how_the_work_is_cut_up(monkeypatch, skeleton, tile):
    draw = torch.Generator().manual_seed(4)
    first, last = (
        torch.rand(3, len(skeleton.edge_indices), 2, dtype=torch.float64, generator=draw) * 2 - 1 for _ in range(2)
    )
    weight = torch.randn(3, 16, 16, dtype=torch.float64, generator=draw)
    found = []
    for distance in (kp.method.renderer.SquaredDistance.apply, plain_squared_distance):
        ends = [x.clone().requires_grad_() for x in (first, last)]
        monkeypatch.setattr(kp.method.renderer, "tile", lambda *_: tile)
        squared = distance(*ends, 16)
        (squared * weight).sum().backward()
        found.append((squared.detach(), *(x.grad for x in ends)))
    for ours, plain in zip(*found, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-9, atol=1e-11)
