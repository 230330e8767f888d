import pytest
import torch

from kp.inference.predictor import Prediction
from kp.research.counterfactual import CHANGES, Pair, exchange_hues, measures, recoloured
from kp.research.probes import at_joints


def images(seed=0, n=4, size=32):
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_an_exchange_of_hues_keeps_light_and_moves_hue():
    x, points = images(), torch.zeros(4, 3, 2)
    (light, hue), (light_b, hue_b) = at_joints(x, points), at_joints(exchange_hues(x), points)
    torch.testing.assert_close(light, light_b)
    assert (hue - hue_b).abs().max() > 0.1
    three = exchange_hues(exchange_hues(exchange_hues(x)))
    assert torch.equal(three, x)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_black_stays_black_and_all_stay_in_range(change):
    black = torch.full((1, 3, 8, 8), -1.0)
    assert torch.equal(change(black), black)
    made = change(images())
    assert made.min() >= -1 and made.max() <= 1


def pair(leaks, paints):
    """A pair whose y holds ``leaks`` of the red channel off the strokes, and whose Ψ paints the new or the old colours.

    The stroke is a cross in the middle; the points stay.
    """
    a = images()
    b = exchange_hues(a)
    redrawn = torch.full((4, 1, 32, 32), -1.0)
    redrawn[..., 15:17, :], redrawn[..., 15:17] = 1.0, 1.0
    points = torch.zeros(4, 17, 2)
    made = [Prediction(points, redrawn + leaks * x[:, :1], redrawn, points) for x in (a, b)]
    return Pair((a, b), (made[0], made[1]), (a, b if paints else a))


def test_a_leak_off_the_strokes_is_measured():
    clean, leaking = pair(0.0, False), pair(0.1, False)
    points = torch.zeros(4, 17, 2)
    assert measures(clean, points)["drawing"] == measures(clean, points)["redrawing"] == 0.0
    far = leaking.off_strokes
    assert not far[..., 15, :].any() and far[..., 3, 3].all()
    difference = 0.1 * (leaking.images[0] - leaking.images[1])[:, :1] / 2
    assert measures(leaking, points)["drawing"] == pytest.approx(
        difference[far].square().mean().sqrt().item(), rel=1e-4
    )


def test_the_slope_is_1_if_the_new_colours_are_painted_and_0_if_the_old_ones():
    points = torch.zeros(4, 17, 2)
    assert measures(pair(0.0, True), points)["hue"] == pytest.approx(1.0)
    assert measures(pair(0.0, False), points)["hue"] == 0.0


def test_recoloured_frames_go_through_the_model(model):
    from kp.inference.predictor import Predictor

    x = images(size=model.config.data.size)
    found = recoloured(Predictor(model.eval(), model.regressor), x, x.roll(1, 0))
    assert torch.equal(found.images[1], exchange_hues(x))
    assert found.of_drawing.shape == found.of_redrawing.shape == found.off_strokes.shape
    assert found.painted[0].shape == x.shape and not torch.equal(*found.painted)
