import pytest
import torch

from kp.inference.predictor import Prediction, Predictor
from kp.research.legibility import legibility, likeness


def test_likeness_of_equal_opposite_and_unrelated_pictures():
    a = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    b = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    assert likeness(a, a) == pytest.approx(1) and likeness(a, -a) == pytest.approx(-1)
    assert abs(likeness(a, b)) < 0.2
    assert likeness(a, a * 0.5 + 0.1) == pytest.approx(1)  # brightness and contrast do not count


def test_values_beyond_the_picture_count_as_its_ends():
    a = torch.tensor([-1.0, 1.0, -1.0, 1.0]).view(1, 1, 2, 2)
    assert likeness(a, a * 100) == pytest.approx(1)


def test_a_perfect_drawing_is_legible_and_a_scribble_is_not(model):
    true = torch.rand(2, 17, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    predictor, drawn = Predictor(model.eval(), model.regressor), model.draw(true)
    perfect = legibility(predictor, Prediction(true, drawn, drawn, true), true)
    assert perfect["error"] == 0 and perfect["off_skeleton"] == 0
    assert perfect["like_true"] == pytest.approx(1, abs=1e-5) and perfect["like_redrawn"] == pytest.approx(1, abs=1e-5)
    noise = torch.rand(drawn.shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
    scribble = legibility(predictor, Prediction(true, noise, drawn, true), true)
    assert scribble["error"] == 0 and scribble["like_true"] < 0.3 and scribble["off_skeleton"] > 0.3
    assert scribble["first_regressor"] != perfect["first_regressor"]
