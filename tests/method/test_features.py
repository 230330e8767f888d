import pytest
import torch
from torch.nn.functional import relu

from kp.method.features import VGG, PerceptualLoss, PixelPyramid, fixed_convolution, random_vgg, squared_error


def multiply(factor: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of a 3×3 convolution that multiplies its input."""
    weight = torch.zeros(3, 3, 3, 3)
    weight[range(3), range(3), 1, 1] = factor
    return weight, torch.zeros(3)


def copying_vgg(**options) -> VGG:
    """Two convolutions that copy their input in each of five stages."""
    return VGG([multiply(1)] * 10, (2, 2, 2, 2, 2), **options)


def test_pyramid_averages():
    image = torch.arange(64.0).view(1, 1, 8, 8).expand(1, 3, 8, 8)
    pyramid = PixelPyramid()(image)
    assert [p.shape[-1] for p in pyramid] == [8, 4, 2, 1] and len(pyramid) == PixelPyramid().terms
    assert torch.equal(pyramid[0], image)
    assert pyramid[1][0, 0, 0, 0] == (0 + 1 + 8 + 9) / 4 and (pyramid[3] == 31.5).all()


def test_one_level_is_the_image_alone():
    image = torch.rand(1, 3, 8, 8)
    (found,) = PixelPyramid(1)(image)
    assert torch.equal(found, image) and PixelPyramid(1).terms == 1


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


@pytest.mark.parametrize("features", [PixelPyramid, random_vgg], ids=["pixels", "random"])
def test_a_constant_weight_changes_nothing(features):
    made, real = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    plain, weighted = PerceptualLoss(features()), PerceptualLoss(features())
    for _ in range(2):
        torch.testing.assert_close(weighted(made, real, torch.full((2, 1, 32, 32), 7.0)), plain(made, real))
    torch.testing.assert_close(weighted.scale, plain.scale)


def test_a_pixel_counts_by_its_weight():
    made, real, weight = torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8), torch.ones(1, 1, 8, 8)
    made[..., :4], weight[..., :4] = 1, 3  # the wrong half counts three times
    loss = PerceptualLoss(PixelPyramid())
    loss(made, real, weight)
    # at 1/8 there is one pixel, worth ½² = ¼
    torch.testing.assert_close(loss.scale, torch.tensor([0.75, 0.75, 0.75, 0.25]))
    # seen at 1/8 alone
    assert PerceptualLoss(PixelPyramid())(made, real, 1.0 * (made[:, :1] == 0)).item() == pytest.approx(0.25)


def test_weight_is_averaged_over_the_patch():
    error, weight = torch.tensor([[1.0, 2], [3, 4]]).view(1, 1, 2, 2), torch.zeros(1, 1, 4, 4)
    weight[0, 0, 0, 1], weight[0, 0, 3, 2] = 4, 12  # in the patches of 1 and 4: mean weights 1 and 3
    found = squared_error(error, torch.zeros(1, 1, 2, 2), weight)
    assert found.item() == pytest.approx((1 * 1 + 3 * 16) / 4)


def test_no_weight_at_all_costs_nothing():
    made, real = torch.rand(1, 3, 8, 8, requires_grad=True), torch.rand(1, 3, 8, 8)
    loss = PerceptualLoss(PixelPyramid())(made, real, torch.zeros(1, 1, 8, 8))
    loss.backward()
    assert loss.item() == 0 and (made.grad == 0).all()


@pytest.mark.parametrize("features", [PixelPyramid, random_vgg], ids=["pixels", "random"])
def test_half_precision(features):
    made, real = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    halved = made.bfloat16().requires_grad_()
    exact, loss = PerceptualLoss(features()), PerceptualLoss(features())
    exact(made, real)
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(halved, real)
    value.backward()
    assert value.dtype == loss.scale.dtype == torch.float32 and halved.grad.abs().sum() > 0
    torch.testing.assert_close(loss.scale, exact.scale, rtol=0.03, atol=0)


def test_vgg_scales_the_image():
    image = torch.full((1, 3, 32, 32), 0.5)
    features = copying_vgg(mean=(0.1, 0.2, 0.3), std=(1.0, 0.5, 0.1))(image)
    assert torch.equal(features[0], image) and len(features) == 6
    assert [f.shape[-1] for f in features] == [32, 32, 16, 8, 4, 2]
    for feature in features[1:]:
        torch.testing.assert_close(feature[0, :, 0, 0], torch.tensor([0.4, 0.6, 2.0]))


def test_vgg_takes_the_maximum_of_four():
    image = torch.rand(1, 3, 32, 32)
    features = copying_vgg()(image)
    assert torch.equal(features[2], image.unflatten(2, (16, 2)).unflatten(4, (16, 2)).amax((3, 5)))


@pytest.mark.parametrize("size", [32, 40, 64])
def test_sizes(size):
    assert [f.shape[-1] for f in copying_vgg()(torch.rand(1, 3, size, size))] == [
        size,
        size,
        size // 2,
        size // 4,
        size // 8,
        size // 16,
    ]


def test_relu_is_optional():
    image = torch.rand(1, 3, 32, 32) - 0.5
    without, with_relu = copying_vgg(), copying_vgg(relu=True)
    assert torch.equal(without(image)[1], image)
    assert torch.equal(with_relu(image)[1], relu(image)) and torch.equal(with_relu(image)[0], image)


def test_vgg_takes_the_second_convolution_of_each_stage():
    features = VGG([multiply(2)] * 5, (2, 3))(torch.ones(1, 3, 8, 8))
    assert [f.unique().tolist() for f in features] == [[1], [4], [16]]


def test_vgg_is_fixed_but_lets_gradients_pass():
    network, image = random_vgg(), torch.rand(1, 3, 32, 32, requires_grad=True)
    network(image)[3].sum().backward()
    assert image.grad.abs().sum() > 0 and len(list(network.parameters())) == 12
    assert all(p.grad is None and not p.requires_grad for p in network.parameters())


def test_random_features_are_the_same_in_every_run():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = random_vgg()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    second = random_vgg()
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    expected = torch.randn(64, 3, 3, 3, generator=torch.Generator().manual_seed(0)) * (2 / 27) ** 0.5
    torch.testing.assert_close(first.convolutions[0].weight, expected)


def test_random_features_have_the_variance_of_he():
    network = random_vgg()
    assert [c.weight.shape[:2] for c in network.convolutions] == [
        (64, 3),
        (64, 64),
        (128, 64),
        (128, 128),
        (256, 128),
        (256, 256),
    ]
    for layer in network.convolutions:
        assert (
            layer.weight.std().item() == pytest.approx((2 / (9 * layer.in_channels)) ** 0.5, rel=0.06)
            and (layer.bias == 0).all()
        )
    assert [f.shape[1:] for f in network(torch.rand(1, 3, 32, 32))] == [
        (3, 32, 32),
        (64, 32, 32),
        (128, 16, 16),
        (256, 8, 8),
    ]


def test_fixed_convolution_with_groups():
    layer = fixed_convolution(torch.tensor([2.0, 3.0]).view(2, 1, 1, 1), torch.tensor([0.0, 1.0]), 2, stride=2)
    assert layer(torch.ones(1, 2, 4, 4)).tolist() == [[[[2, 2], [2, 2]], [[4, 4], [4, 4]]]]
