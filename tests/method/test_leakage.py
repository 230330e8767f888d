import math

import pytest
import torch

from kp.method.leakage import LIMITS, log_brightness, log_residual, off_skeleton, rms_amplitude
from kp.method.renderer import render_skeleton
from kp.research.probes import leak, rebuild

line = torch.tensor([[[-1.0, 0.0], [1.0, 0.0]]])


def test_log_brightness():
    y = torch.tensor([1.0, -0.8, -0.998, -1.0, -3.0, 2.0]).view(1, 1, 1, 6).expand(1, 1, 6, 6)
    torch.testing.assert_close(
        log_brightness(y)[0, 0, 0], torch.tensor([0.0, -1.0, -3.0, -5.0, -5.0, 0.0]), rtol=0, atol=1e-4
    )


def test_log_residual():
    y = torch.tensor([0.5, 0.5, 0.5]).view(1, 1, 1, 3).expand(1, 1, 3, 3)
    redrawn = torch.tensor([0.5, 0.3, -1.5]).view(1, 1, 1, 3).expand(1, 1, 3, 3)
    torch.testing.assert_close(log_residual(y, redrawn)[0, 0, 0], torch.tensor([-5.0, -1.0, 0.0]), rtol=0, atol=1e-3)
    assert LIMITS == (-3.0, 0.0)


@pytest.mark.parametrize("sigma", [0.2, 0.3])
def test_off_skeleton_is_ten_of_128_pixels_away(sigma):
    far = off_skeleton(render_skeleton(line, [(0, 1)], 128, sigma), sigma)[0, 0, :, 64]
    assert far.dtype == torch.float32 and far.nonzero().flatten().tolist() == [*range(54), *range(74, 128)]


def test_rms_amplitude_counts_what_is_off_the_skeleton():
    redrawn = render_skeleton(line, [(0, 1)], 64)
    far = off_skeleton(redrawn, 0.2)
    assert rms_amplitude(redrawn + 0.1 * far, redrawn, 0.2) == pytest.approx(0.05, rel=1e-4)
    assert rms_amplitude(redrawn + 0.1 * (1 - far), redrawn, 0.2) == 0
    hidden = torch.zeros_like(far)
    hidden[..., :16, :] = 0.2
    assert rms_amplitude(redrawn + hidden, redrawn, 0.2) == pytest.approx(
        0.1 * math.sqrt(16 * 64 / far.sum().item()), rel=1e-4
    )


def test_rms_amplitude_where_nothing_is_off():
    everywhere = torch.full((1, 1, 8, 8), 0.9)
    assert rms_amplitude(everywhere * 0, everywhere, 0.2) == 0


def colours(n, seed):
    """Flat images, each in its own grey."""
    return (
        (torch.rand(n, 1, 1, 1, generator=torch.Generator().manual_seed(seed)) * 2 - 1)
        .expand(n, 3, 16, 16)
        .contiguous()
    )


def test_the_probe_finds_what_is_there_and_nothing_else():
    seen, unseen = colours(64, 0), colours(32, 1)

    def error(made):
        return ((made - unseen) ** 2).mean().item()

    told = error(rebuild(0.1 * seen[:, :1], seen, 0.1 * unseen[:, :1], steps=60, width=4))
    untold = error(rebuild(torch.zeros_like(seen[:, :1]), seen, torch.zeros_like(unseen[:, :1]), steps=60, width=4))
    variance = unseen.var().item()
    assert untold > 0.9 * variance and told < 0.5 * variance


def test_the_probe_repeats_and_leaves_other_chance_alone():
    data = colours(8, 0)
    before = torch.get_rng_state()
    first, again = (rebuild(data, data, data, steps=3, width=2) for _ in range(2))
    assert torch.equal(first, again) and torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(rebuild(data, data, data, steps=3, seed=1, width=2), first)


@pytest.mark.parametrize(("error", "expected"), [(0.5, 0.0), (0.1, 1.0), (0.3, 0.5), (0.6, -0.25)])
def test_leak(error, expected):
    assert leak(error, geometry=0.5, image=0.1) == pytest.approx(expected)
