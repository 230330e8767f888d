"""The contest of hiders and detectors."""

import pytest
import torch

from kp.course.contest import Team, contest
from kp.errors import KpError

GENERATOR = torch.Generator().manual_seed(0)
SKELETONS = torch.full((6, 1, 16, 16), -1.0)
SKELETONS[:, :, 4:12, 8] = 0.9
IMAGES = torch.rand(6, 3, 16, 16, generator=GENERATOR) * 2 - 1


def hide(skeleton, image):
    return skeleton + 0.01 * (image.mean(1, keepdim=True) + 1)


def reveal(y):
    return y - SKELETONS


def brightness(y):
    return y.mean((1, 2, 3))


def constant(y):
    return torch.zeros(len(y))


def test_a_hider_is_caught_by_one_detector_and_fools_another():
    sharp = Team("sharp", hide, reveal, brightness)
    blind = Team("blind", lambda y, x: y, reveal, constant)
    first, second = contest([blind, sharp], SKELETONS, IMAGES)
    assert (first.team, second.team) == ("sharp", "blind")
    assert first.brought_back == pytest.approx(1.0, abs=1e-4)
    assert first.caught == pytest.approx((1.0 + 0.5) / 2)  # brightness ranks all pairs rightly, a constant ties
    assert first.catches == pytest.approx((1.0 + 0.5) / 2)  # what hides nothing cannot be caught
    assert first.points == pytest.approx(1.0 + 0.75, abs=1e-4)  # it fools the blind detector
    assert second.brought_back == 0.0 and second.points == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("team", "message"),
    [
        (Team("loud", lambda y, x: y + 0.5, reveal, constant), "team loud: hide changes a pixel by 0.500"),
        (Team("short", hide, lambda y: y[:1], constant), r"team short: reveal returns shape \(1, 1, 16, 16\)"),
        (Team("none", hide, reveal, lambda y: None), "team none: suspicion returns NoneType"),
    ],
)
def test_what_breaks_a_rule_is_named(team, message):
    with pytest.raises(KpError, match=message):
        contest([team], SKELETONS, IMAGES)
