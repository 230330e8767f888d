import re

import pytest
import torch

from kp.errors import KpError
from kp.perceptual import VGG19, VGG_MEAN, PerceptualLoss, PixelPyramid

NARROW = ((3, 3), (3, 3), (3, 3, 3, 3), (3, 3, 3, 3), (3, 3))


def identity_weights(layers: int) -> dict:
    """Convolutions that copy their input."""
    weight = torch.zeros(3, 3, 3, 3)
    weight[range(3), range(3), 1, 1] = 1
    return {f"{i}.{n}": v for i in range(layers) for n, v in (("weight", weight), ("bias", torch.zeros(3)))}


@pytest.fixture
def narrow_vgg(tmp_path, monkeypatch):
    monkeypatch.setattr("kp.perceptual.VGG_STAGES", NARROW)
    torch.save(identity_weights(16), tmp_path / "vgg.pt")
    return VGG19(tmp_path / "vgg.pt")


def test_pyramid_averages():
    image = torch.arange(64.0).view(1, 1, 8, 8).expand(1, 3, 8, 8)
    pyramid = PixelPyramid()(image)
    assert [p.shape[-1] for p in pyramid] == [8, 4, 2, 1] and len(pyramid) == PixelPyramid.terms
    assert torch.equal(pyramid[0], image)
    assert pyramid[1][0, 0, 0, 0] == (0 + 1 + 8 + 9) / 4 and (pyramid[3] == 31.5).all()


def test_each_term_is_divided_by_its_running_mean():
    loss, zero, one = PerceptualLoss(PixelPyramid()), torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8)
    assert loss(one, zero).item() == pytest.approx(1, abs=1e-6)  # the first value is its own mean
    assert loss(2 * one, zero).item() == pytest.approx(4 / 1.03, abs=1e-5)  # 4 / (0.99 · 1 + 0.01 · 4)
    torch.testing.assert_close(loss.scale, torch.full((4,), 1.03))


def test_equal_images_cost_nothing():
    image = torch.rand(2, 3, 16, 16)
    assert PerceptualLoss(PixelPyramid())(image, image).item() == 0


def test_running_means_are_saved():
    first, image = PerceptualLoss(PixelPyramid()), torch.rand(1, 3, 8, 8)
    first(image, -image)
    second = PerceptualLoss(PixelPyramid())
    second.load_state_dict(first.state_dict())
    assert torch.equal(first.scale, second.scale) and (second.scale > 0).all()


def test_gradient_of_the_loss():
    made, real = torch.ones(1, 3, 8, 8, requires_grad=True), torch.zeros(1, 3, 8, 8)
    loss = PerceptualLoss(PixelPyramid())
    loss(made, real).backward()
    torch.testing.assert_close(made.grad, torch.full((1, 3, 8, 8), 2 / 192))  # d/dx mean(x²) at x = 1, on every level
    assert not loss.scale.requires_grad


def test_vgg_reads_0_to_255_less_the_mean(narrow_vgg):
    image = torch.full((1, 3, 32, 32), 0.5)
    features = narrow_vgg(image)
    assert len(features) == VGG19.terms and torch.equal(features[0], image)
    assert [f.shape[-1] for f in features] == [32, 32, 16, 8, 4, 2]
    for feature in features[1:]:
        torch.testing.assert_close(feature[0, :, 0, 0], 1.5 * 127.5 - torch.tensor(VGG_MEAN))


def test_vgg_has_no_relu(narrow_vgg):
    assert narrow_vgg(torch.full((1, 3, 32, 32), -1.0))[5].max() < -100


def test_vgg_is_fixed_but_lets_gradients_pass(narrow_vgg):
    image = torch.rand(1, 3, 32, 32, requires_grad=True)
    narrow_vgg(image)[5].sum().backward()
    assert image.grad.abs().sum() > 0 and all(p.grad is None and not p.requires_grad for p in narrow_vgg.parameters())


def test_vgg_file_missing(tmp_path):
    path = tmp_path / "vgg.pt"
    with pytest.raises(KpError, match=re.escape(f"{path}: no VGG-19 weights; give --loss.vgg-weights FILE or use --loss.features pixels")):
        VGG19(path)


@pytest.mark.parametrize("weights", [identity_weights(3), {f"{i}": torch.zeros(2) for i in range(40)}], ids=["too few", "other shapes"])
def test_vgg_file_of_another_network(tmp_path, weights):
    path = tmp_path / "vgg.pt"
    torch.save(weights, path)
    with pytest.raises(KpError, match=re.escape(f"{path}: not VGG-19; expected weight and bias of its 3×3 convolutions in order")):
        VGG19(path)


def test_vgg_file_damaged(tmp_path):
    path = tmp_path / "vgg.pt"
    path.write_bytes(b"these are no weights")
    with pytest.raises(KpError, match=re.escape(f"{path}: ")):
        VGG19(path)
