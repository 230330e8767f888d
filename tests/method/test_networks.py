import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from kp.method.networks import (
    Decoder,
    Discriminator,
    Encoder,
    Regressor,
    UNetRegressor,
    joint_soft_argmax,
    marginal_soft_argmax,
    official_init,
    patch_discriminator,
)

readouts = pytest.mark.parametrize("readout", [marginal_soft_argmax, joint_soft_argmax], ids=["marginal", "joint"])


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (Encoder, 3_124_801),
        (lambda: Regressor(32), 1_181_184),
        (Decoder, 4_825_635),
        (lambda: Discriminator(scales=1), 2_762_689),
        (Discriminator, 3 * 2_762_689),
    ],
    ids=["encoder", "regressor", "decoder", "one scale", "three scales"],
)
def test_parameter_counts_of_the_paper(make, count):
    assert sum(p.numel() for p in make().parameters()) == count


@pytest.mark.parametrize("size", [32, 40, 64])
def test_encoder_and_decoder_keep_the_size(size):
    image = torch.randn(2, 3, size, size)
    y = Encoder(4)(image)
    assert y.shape == (2, 1, size, size)
    assert Decoder(4)(y, image).shape == (2, 3, size, size)


def test_encoder_with_other_channels():
    assert Encoder(2, inputs=1, outputs=3)(torch.randn(2, 1, 32, 32)).shape == (2, 3, 32, 32)


@pytest.mark.parametrize("kind", [Regressor, UNetRegressor], ids=["official", "unet"])
def test_regressors_give_points_inside_the_image(kind):
    points = kind(5, 4)(torch.randn(2, 1, 64, 64))
    assert points.shape == (2, 5, 2) and points.abs().max() < 1


@pytest.mark.parametrize(("scales", "sides"), [(1, [6]), (2, [6, 2])])
def test_discriminator_scores_patches_at_each_scale(scales, sides):
    assert [s.shape for s in Discriminator(2, scales)(torch.randn(3, 1, 64, 64))] == [
        (3, 1, side, side) for side in sides
    ]


def test_decoder_sees_the_other_frame_only_if_told():
    y, a, b = torch.randn(2, 1, 32, 32), torch.randn(2, 3, 32, 32), torch.randn(2, 3, 32, 32)
    with_it, without = Decoder(2).eval(), Decoder(2, second_frame=False).eval()
    assert not torch.equal(with_it(y, a), with_it(y, b))
    assert torch.equal(without(y, a), without(y, b))
    assert not torch.equal(without(y, a), without(-y, a))


@readouts
def test_even_maps_read_as_the_middle(readout):
    assert readout(torch.zeros(1, 2, 5, 5)).abs().max() < 1e-6


@readouts
@pytest.mark.parametrize(
    ("row", "column", "x", "y"),
    [(0, 0, -1, -1), (0, 4, 1, -1), (4, 0, -1, 1), (2, 3, 0.5, 0)],
    ids=["corner", "right", "below", "inside"],
)
def test_a_peak_reads_as_its_cell_centre(readout, row, column, x, y):
    maps = torch.zeros(1, 1, 5, 5)
    maps[0, 0, row, column] = 1e4
    torch.testing.assert_close(readout(maps)[0, 0], torch.tensor([x, y], dtype=torch.float32))


def test_known_answers_of_the_two_readouts():
    maps = torch.log(torch.tensor([[[[1.0, 3.0], [1.0, 1.0]]]], dtype=torch.float64))
    # joint: shares 1/6, 3/6, 1/6, 1/6 → x = 4/6 − 2/6, y = 2/6 − 4/6
    torch.testing.assert_close(joint_soft_argmax(maps)[0, 0], torch.tensor([1 / 3, -1 / 3], dtype=torch.float64))
    # marginal: column means log 1, log √3 → shares 1 : √3
    x = (3**0.5 - 1) / (3**0.5 + 1)
    torch.testing.assert_close(marginal_soft_argmax(maps)[0, 0], torch.tensor([x, -x], dtype=torch.float64))


@given(st.lists(st.floats(-5, 5), min_size=9, max_size=9))
def test_the_readouts_agree_where_rows_and_columns_add(numbers):
    a, b = torch.tensor(numbers[:4], dtype=torch.float64), torch.tensor(numbers[4:], dtype=torch.float64)
    maps = (a[:, None] + b)[None, None]
    torch.testing.assert_close(marginal_soft_argmax(maps), joint_soft_argmax(maps))


@readouts
def test_mirrored_maps_mirror_x(readout):
    maps = torch.randn(2, 3, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(readout(maps.flip(-1)), readout(maps) * torch.tensor([-1.0, 1.0]))


@readouts
def test_gradcheck(readout):
    maps = torch.randn(2, 2, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(readout, maps.requires_grad_())


def test_official_init():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(16, 64, 3), nn.BatchNorm2d(1000))
    nn.init.ones_(net[1].bias)
    official_init(net)
    assert net[0].weight.std().item() == pytest.approx(0.02, rel=0.05) and (net[0].bias == 0).all()
    assert net[1].weight.mean().item() == pytest.approx(1, abs=0.005) and net[1].weight.std().item() == pytest.approx(
        0.02, rel=0.1
    )
    assert (net[1].bias == 0).all()


def test_discriminator_scales_share_no_weights():
    net = Discriminator(2, 2)
    assert not torch.equal(net.scales[0][0].weight, net.scales[1][0].weight)


@pytest.mark.parametrize(("halvings", "wide"), [(3, 70), (2, 34), (1, 16)])
def test_patches_of_the_discriminator(halvings, wide):
    net = patch_discriminator(4, halvings=halvings).eval()
    for layer in net:
        if isinstance(layer, nn.InstanceNorm2d):
            layer.forward = lambda x: x  # its statistics would reach everywhere
    y = torch.zeros(1, 1, 160, 160, requires_grad=True)
    scores = net(y)
    scores[0, 0, scores.shape[2] // 2, scores.shape[3] // 2].backward()
    seen = y.grad[0, 0].abs().sum(0) > 0
    assert seen.sum().item() == wide
