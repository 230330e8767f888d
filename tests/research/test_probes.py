import math
from dataclasses import replace

import pytest
import torch

from kp.inference.predictor import Predictor
from kp.method.model import Model
from kp.research.probes import (
    capacity_bits,
    colour_r2,
    jitter,
    painted_r2,
    plant,
    silhouette_colour,
    transplant,
)

NAMES = ("top", "bottom", "shoes", "skin", "hair")


def painted(colours, seed):
    """Noise pictures (n, 3, 16, 16), tinted by one colour each."""
    noise = torch.randn(len(colours), 3, 16, 16, generator=torch.Generator().manual_seed(seed))
    return 0.1 * noise + colours[:, :, None, None]


@pytest.fixture(scope="module")
def colours():
    generator = torch.Generator().manual_seed(0)
    return torch.rand(256, 5, 3, generator=generator), torch.rand(64, 5, 3, generator=generator)


def test_a_colour_that_is_there_is_found_and_others_are_not(colours):
    seen, unseen = colours
    found = colour_r2(painted(seen[:, 0], 1), seen, painted(unseen[:, 0], 2), unseen, NAMES, steps=150)
    assert list(found) == ["top", "bottom", "shoes", "skin", "hair"]
    assert found["top"] > 0.8 and all(found[k] < 0.1 for k in ("bottom", "shoes", "skin", "hair"))


def test_faint_colours_are_found_too(colours):
    seen, unseen = colours
    found = colour_r2(1e-3 * painted(seen[:, 0], 1), seen, 1e-3 * painted(unseen[:, 0], 2), unseen, NAMES, steps=150)
    assert found["top"] > 0.8


def test_probes_repeat(colours):
    seen, unseen = colours
    before = torch.get_rng_state()
    one, two = (
        colour_r2(painted(seen[:, 0], 1), seen, painted(unseen[:, 0], 2), unseen, NAMES, steps=3) for _ in range(2)
    )
    assert one == two and torch.equal(before, torch.get_rng_state())


def test_painted_r2_tells_light_from_hue():
    images = torch.rand(20, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    keypoints = torch.rand(20, 5, 2, generator=torch.Generator().manual_seed(1)) * 2 - 1
    keypoints[:, 0] = -1.0  # the centre of the first pixel

    def found(made):
        return painted_r2(made, images, keypoints)

    assert found(images) == {"light": 1.0, "hue": 1.0}
    grey = found(images.mean(1, keepdim=True).expand_as(images))
    assert grey["light"] == pytest.approx(1, abs=1e-5) and grey["hue"] < 0.1
    assert all(abs(v) < 0.1 for v in found(torch.zeros_like(images)).values())
    flat = images.mean((2, 3), keepdim=True).expand_as(images)
    exact = painted_r2(flat.mean(0, keepdim=True).expand_as(flat), flat, keypoints)
    assert exact == pytest.approx({"light": 0.0, "hue": 0.0}, abs=1e-4)


def test_silhouette_colour_ignores_the_black_around():
    image = torch.full((1, 3, 8, 8), -1.0)
    image[:, 0, 2:4, 2:4] = 0.5
    picture = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(silhouette_colour(picture, image), picture[:, :, 2:4, 2:4].mean((2, 3)))


def test_a_planted_message_is_as_loud_as_asked_and_holds_every_colour():
    image = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    drawing = torch.full((2, 1, 8, 8), -1.0)
    before = image.clone()
    message = (plant(drawing, image, 0.01) - drawing) / 0.01 - 1
    assert torch.equal(image, before)
    assert (plant(drawing, image, 0.01) - drawing).max() <= 0.02  # 0.01 of full brightness, in [-1, 1]
    corners = {0: (slice(0, None, 2), slice(0, None, 2)), 2: (slice(1, None, 2), slice(1, None, 2))}
    for channel, (rows, columns) in corners.items():
        torch.testing.assert_close(message[:, 0, rows, columns], image[:, channel, rows, columns], atol=1e-4, rtol=0)
    torch.testing.assert_close(message[:, 0, ::2, 1::2], image[:, 1, ::2, 1::2], atol=1e-4, rtol=0)


class Fake(Predictor):
    """y = y* + what the test hides; Ψ paints what the test says."""

    def __init__(self, model, hidden, paint):
        super().__init__(model, model.regressor)
        self.hidden, self.paint = hidden, paint

    def __call__(self, images, batch=64):
        made = super().__call__(images, batch)
        return type(made)(made.keypoints, made.redrawn + self.hidden(images), made.redrawn, made.reference)

    def decode(self, skeleton, other):
        return self.paint(skeleton, other)


@pytest.fixture
def tinted():
    tint = torch.rand(40, 3, 1, 1, generator=torch.Generator().manual_seed(0)) * 1.5 - 0.75
    images = torch.full((40, 3, 32, 32), -1.0)
    images[..., 8:24, 8:24] = tint
    return images


def variant(config, reads):
    return Model(replace(config, method=replace(config.method, decoder_reads=reads))).eval()


def test_transplant_tells_whose_colours_are_painted(config, tinted):
    def grey(images):
        return images[:, :, 16:17, 16:17].mean(1, keepdim=True)

    def hide(images):
        return 100 + grey(images).expand(-1, 1, 32, 32)

    leaky = Fake(
        variant(config, "skeleton"), hide, lambda y, other: (y.mean((2, 3), keepdim=True) - 100).expand(-1, 3, 32, 32)
    )
    grey_images = tinted.mean(1, keepdim=True).expand(-1, 3, -1, -1).contiguous()
    found = transplant(leaky, grey_images, grey_images)
    assert found["residual"] > 0.8 and abs(found["drawn"]) < 0.3
    tight = Fake(variant(config, "keypoints"), hide, lambda y, other: other)
    found = transplant(tight, tinted, tinted)
    assert found["residual"] == pytest.approx(0, abs=1e-4) and found["drawn"] == pytest.approx(1, abs=1e-4)


def test_capacity():
    assert capacity_bits(17, 128, 0.1) == pytest.approx(34 * math.log2(1280))


def test_jitter_is_in_pixels():
    points = torch.zeros(2000, 17, 2)
    assert jitter(points, 0.5, 64).std().item() * 63 / 2 == pytest.approx(0.5, rel=0.02)
