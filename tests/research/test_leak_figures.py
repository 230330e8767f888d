import pytest
import torch

from kp.inference.predictor import Prediction
from kp.research.counterfactual import Pair
from kp.research.leak_figures import differences, enlarged, fine, painted_rows, repainted


def pair(size=16):
    x = torch.rand(3, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    y, points = x[:, :1], torch.zeros(3, 17, 2)
    made = Prediction(points, y, -torch.ones_like(y), points)
    return Pair((x, -x), (made, made), (x, -x))


def heads(figure):
    return [axis.get_title() for axis in figure.axes if axis.get_title()]


def test_two_rows_a_frame_and_two_columns_a_model():
    figure = repainted({"a": pair(), "b": pair()}, [0, 2], {"a": "Ψ(y)", "b": "Ψ(y*)"})
    assert len(figure.axes) == 4 * 5 and heads(figure)[1:3] == ["a\ny = Φ(x)", "a\nx̂ = Ψ(y)"]


def test_fine_is_what_a_mean_of_five_pixels_leaves():
    flat = torch.full((1, 1, 16, 16), 0.3)
    assert fine(flat).abs().max() < 1e-6
    dot = flat.clone()
    dot[..., 8, 8] += 1.0
    assert fine(dot)[..., 8, 8].item() == pytest.approx((1 - 1 / 25) / 2)


def test_every_cell_says_how_much_changes_off_the_strokes():
    figure = differences([("", pair(), 0), ("", pair(), 1)])
    texts = [text.get_text() for axis in figure.axes for text in axis.texts]
    assert len(texts) == 4 and texts[0] == texts[1] == "RMS 0.000 %"


def test_rows_of_pictures():
    found = pair()
    lines = [("x", 0, found.made[0].skeleton, found.made[0].redrawn)]
    assert len(enlarged(found.images[0], lines).axes) == 5
    assert heads(painted_rows([("", list(found.images[0]))], ["p", "q", "r"])) == ["p", "q", "r"]
