"""The four networks: encoder Φ, regressor η, conditional decoder Ψ, discriminator D.

Sizes follow the official release at ``width`` 32 (``paper`` and ``faithful`` presets); every channel count scales
with ``width``. Images are (b, channels, s, s) in [-1, 1]; s is a multiple of 8.
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


@contextmanager
def evaluating(*nets: nn.Module) -> Iterator[None]:
    """These networks in eval mode; afterwards, whatever happens, each in the mode that it was in."""
    modes = [net.training for net in nets]
    try:
        for net in nets:
            net.eval()
        yield
    finally:
        for net, mode in zip(nets, modes, strict=True):
            net.train(mode)


def block(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, norm: type = nn.BatchNorm2d) -> nn.Sequential:
    """Convolution → norm → ReLU; the convolution has a bias only before InstanceNorm, as in the official code."""
    bias = norm is nn.InstanceNorm2d
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=bias), norm(outputs), nn.ReLU())


def upsample(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def stages(inputs: int, width: int, norm: type = nn.BatchNorm2d) -> list[nn.Sequential]:
    """Four stages of two blocks: width channels at full size, doubled at each halving (down to 1/8)."""
    first = nn.Sequential(block(inputs, width, 7, 1, norm), block(width, width, 3, 1, norm))
    rest = [
        nn.Sequential(block(c, 2 * c, 3, 2, norm), block(2 * c, 2 * c, 3, 1, norm))
        for c in (width, 2 * width, 4 * width)
    ]
    return [first, *rest]


def trunk(inputs: int, outputs: int, width: int, norm: type = nn.BatchNorm2d) -> nn.Sequential:
    """The plain encoder that η and Ψ share in form: four stages and a bare 1×1 convolution, at 1/8 of the size."""
    return nn.Sequential(*stages(inputs, width, norm), nn.Conv2d(8 * width, outputs, 1, bias=norm is nn.InstanceNorm2d))


class Encoder(nn.Module):
    """Φ: image x → skeleton image y, (b, inputs, s, s) → (b, outputs, s, s), by default 3 → 1 channels.

    An encoder-decoder with skip connections. The output has no squashing function: it is meant to
    lie in [-1, 1] but is unbounded, which is what lets appearance hide in it at low amplitude.
    Source: ``skip_nips`` of the official code; 3,124,801 parameters at width 32.
    """

    def __init__(self, width: int = 32, inputs: int = 3, outputs: int = 1):
        super().__init__()
        w = width
        self.down = nn.ModuleList(stages(inputs, w))
        self.bottom = nn.Sequential(nn.Conv2d(8 * w, 8 * w, 1, bias=False), block(8 * w, 8 * w), block(8 * w, 8 * w))
        self.merge = nn.ModuleList(nn.Conv2d(c + c // 2, c, 1, bias=False) for c in (8 * w, 4 * w, 2 * w))
        self.up = nn.ModuleList(nn.Sequential(block(c, c // 2), block(c // 2, c // 2)) for c in (8 * w, 4 * w))
        self.last = nn.Sequential(block(2 * w, w), Picture(w, outputs, 3, 1, 1))

    def forward(self, image: Float[Tensor, "b inputs s s"]) -> Float[Tensor, "b outputs s s"]:
        taps, x = [], image
        for stage in self.down:
            x = stage(x)
            taps.append(x)
        x = self.bottom(x)
        for merge, step, tap in zip(self.merge, [*self.up, self.last], taps[-2::-1], strict=True):
            x = step(merge(torch.cat([upsample(x), tap], 1)))
        return x


def at_least_float32(x: Tensor) -> Tensor:
    """bfloat16 → float32; float32 and float64 as they are. Coordinates and pictures need more than eight bits."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class Picture(nn.Conv2d):
    """The last convolution of Φ and Ψ, always in full precision: what is faint must not be rounded away."""

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(at_least_float32(x))


def marginal_soft_argmax(maps: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k 2"]:
    """Maps → points (x, y) in (-1, 1): average over rows (columns), softmax, expectation over columns (rows).

    Separable; the official read-out (``extract_points``). In float32 at least.
    """
    maps = at_least_float32(maps)

    def expect(scores):
        grid = torch.linspace(-1, 1, scores.shape[-1], device=scores.device, dtype=scores.dtype)
        return (scores.softmax(-1) * grid).sum(-1)

    return torch.stack([expect(maps.mean(2)), expect(maps.mean(3))], -1)


def joint_soft_argmax(maps: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k 2"]:
    """Maps → points (x, y) in (-1, 1): one softmax over all cells, then the expectation of the cell centres. In float32
    at least.
    """
    maps = at_least_float32(maps)
    share = maps.flatten(2).softmax(-1).view_as(maps)
    x = torch.linspace(-1, 1, maps.shape[3], device=maps.device, dtype=maps.dtype)
    y = torch.linspace(-1, 1, maps.shape[2], device=maps.device, dtype=maps.dtype)
    return torch.stack([(share.sum(2) * x).sum(-1), (share.sum(3) * y).sum(-1)], -1)


class Regressor(nn.Module):
    """η: skeleton image y → keypoints p, (b, channels, s, s) → (b, k, 2) in [-1, 1]. The official network.

    The plain trunk with InstanceNorm, one s/8 × s/8 map per joint, and the marginal soft-argmax.
    1,181,184 parameters at width 32 and k = 32.
    """

    def __init__(self, joints: int, width: int = 32, channels: int = 1):
        super().__init__()
        self.maps = trunk(channels, joints, width, nn.InstanceNorm2d)

    def forward(self, skeleton: Float[Tensor, "b c s s"]) -> Float[Tensor, "b k 2"]:
        return marginal_soft_argmax(self.maps(skeleton))


class UNetRegressor(nn.Module):
    """η for two cores: half the resolution throughout, skip connections, s/4 × s/4 maps, joint soft-argmax.

    Not in the paper. After 2,000 steps at width 16 it reads perfect drawings with an error of 1.31 to 1.36 %, the
    official network with 1.44 to 1.48 % (three seeds each). Same shapes and coordinates.
    """

    def __init__(self, joints: int, width: int = 16, channels: int = 1):
        super().__init__()
        w, norm = width, nn.InstanceNorm2d

        def pair(a, b, k=3):
            return nn.Sequential(block(a, b, k, 2, norm), block(b, b, 3, 1, norm))

        self.down = nn.ModuleList([pair(channels, w, 5), pair(w, 2 * w), pair(2 * w, 4 * w), pair(4 * w, 8 * w)])
        self.up = nn.ModuleList([block(12 * w, 4 * w, 3, 1, norm), block(6 * w, 4 * w, 3, 1, norm)])
        self.maps = nn.Conv2d(4 * w, joints, 1)

    def scores(self, skeleton: Float[Tensor, "b c s s"]) -> Float[Tensor, "b k h w"]:
        """The map of each joint, before the softmax: how much speaks for each cell."""
        x, taps = skeleton, []
        for stage in self.down:
            x = stage(x)
            taps.append(x)
        for step, tap in zip(self.up, (taps[2], taps[1]), strict=True):
            x = step(torch.cat([upsample(x)[..., : tap.shape[2], : tap.shape[3]], tap], 1))
        return self.maps(x)

    def forward(self, skeleton: Float[Tensor, "b c s s"]) -> Float[Tensor, "b k 2"]:
        return joint_soft_argmax(self.scores(skeleton))


class Decoder(nn.Module):
    """Ψ: skeleton image y* and another frame x' of the video → the frame, (b, channels, s, s), (b, 3, s, s) → (b, 3, s,
    s).

    Two trunks without shared weights meet at 1/8 of the size, so x' cannot be copied pixel by pixel.
    Without ``second_frame`` only the first trunk exists (the ablation that shows leakage).
    Output unbounded. Source: ``nips`` decoder; 4,825,635 parameters at width 32.
    """

    def __init__(self, width: int = 32, second_frame: bool = True, channels: int = 1):
        super().__init__()
        w = 8 * width
        self.pose = trunk(channels, w, width)
        self.appearance = trunk(3, w, width) if second_frame else None
        self.first = nn.Sequential(block(2 * w if second_frame else w, w), block(w, w))
        self.second = nn.Sequential(block(w, w // 2), block(w // 2, w // 2))
        self.third = nn.Sequential(block(w // 2, w // 4), block(w // 4, w // 4))
        self.last = nn.Sequential(block(w // 4, w // 8), Picture(w // 8, 3, 3, 1, 1))

    def forward(self, skeleton: Float[Tensor, "b c s s"], other: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b 3 s s"]:
        code = self.pose(skeleton)
        if self.appearance is not None:
            code = torch.cat([code, self.appearance(other)], 1)
        return self.last(upsample(self.third(upsample(self.second(upsample(self.first(code)))))))


def patch_discriminator(width: int, channels: int = 1, halvings: int = 3) -> nn.Sequential:
    """A PatchGAN on one scale: real (1) or fake (0) for each overlapping patch, no sigmoid (least squares).

    A patch is 70 pixels wide with the official three halvings, 34 with two, 16 with one.
    """
    norm, wide = nn.InstanceNorm2d, [width << i for i in range(halvings + 1)]
    layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    for inputs, outputs in itertools.pairwise(wide):
        stride = 1 if outputs == wide[-1] else 2
        layers += [nn.Conv2d(inputs, outputs, 4, stride, 1), norm(outputs), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(wide[-1], 1, 4, 1, 1))


class Discriminator(nn.Module):
    """D: skeleton image (b, channels, s, s) → one map of patch scores per scale (image size 1, 1/2, 1/4, … of s).

    Independent copies, 2,762,689 parameters each at width 64. Needs s ≥ 32 · 2^(scales−1).
    """

    def __init__(self, width: int = 64, scales: int = 3, channels: int = 1, halvings: int = 3):
        super().__init__()
        self.scales = nn.ModuleList(patch_discriminator(width, channels, halvings) for _ in range(scales))

    def forward(self, skeleton: Float[Tensor, "b c s s"]) -> list[Tensor]:
        def size(i):
            return (skeleton.shape[-2] >> i, skeleton.shape[-1] >> i)

        shrunk = [
            F.interpolate(skeleton, size(i), mode="bilinear", align_corners=False) if i else skeleton
            for i in range(len(self.scales))
        ]
        return [net(y) for net, y in zip(self.scales, shrunk, strict=True)]


def official_init(net: nn.Module) -> None:
    """Weights N(0, 0.02), biases 0, BatchNorm weights N(1, 0.02): the initialisation of the official code."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, 0, 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1, 0.02)
            nn.init.zeros_(layer.bias)
