import pytest
import torch

from kp.inference.predictor import Predictor
from kp.research.faint import painted_through, with_noise, without_faint


def test_what_is_darker_is_made_black_and_the_rest_stays():
    drawing = torch.tensor([0.0, 0.004, 0.02, 0.9]).view(1, 1, 2, 2) * 2 - 1
    cut = (without_faint(drawing, 0.01) + 1) / 2
    torch.testing.assert_close(cut.flatten(), torch.tensor([0.0, 0.0, 0.02, 0.9]))


def test_noise_has_the_amplitude_that_was_asked_for():
    drawing = torch.zeros(4, 1, 64, 64)
    noise = with_noise(drawing, 0.01)
    assert noise.std().item() == pytest.approx(0.02, rel=0.03)  # a range of 2 is full brightness
    assert torch.equal(noise, with_noise(drawing, 0.01))


def test_a_painter_of_faint_marks_is_found_out(model):
    """Ψ paints red by the drawing's last thousandth: cutting at 1 % takes the hue, and leaves the light."""

    class Painter(Predictor):
        def decode(self, skeleton, other):
            bright = (skeleton > 0).float().expand(-1, 3, -1, -1) * 2 - 1
            faint = ((skeleton + 1) / 2).clamp(0, 0.005) / 0.005 * (skeleton <= 0)
            tint = torch.cat([faint, -faint / 2, -faint / 2], 1)
            return bright + 0.5 * tint

    size, points = 32, torch.tensor([[-0.5, -0.5], [0.5, 0.5]]).expand(6, 2, 2)
    drawing = torch.full((6, 1, size, size), -1.0)
    drawing[:, :, :16] += torch.linspace(0, 0.01, 6).view(6, 1, 1, 1)  # faint
    drawing[:3, :, 16:] = 1.0  # bright
    painter = Painter(model, model.regressor)
    images = painter.decode(drawing, drawing)
    found = painted_through(painter, drawing, images, images, points, [0.0001, 0.01])
    assert found["cut"][0]["hue"] == pytest.approx(1, abs=0.05) and found["cut"][1]["hue"] < 0.1
    assert found["cut"][1]["light"] == pytest.approx(1, abs=0.05)
