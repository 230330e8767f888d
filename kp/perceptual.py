"""Γ: how images are compared. Features of two images, squared differences, each divided by its running mean.

The official code compares the raw image and five layers of VGG-19, each term divided by its own running
mean, so that the loss hovers around 1 whatever the scale. Here are that loss, and the features that borrow
nothing: a pyramid of pixels, and a VGG with random weights. Trained networks are in kp/pretrained.py.

Every module of features turns images (b, 3, s, s) in [-1, 1] into ``terms`` maps (b, c, h, h), the image first.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from kp.parallel import mean

LEVELS = 4  # of the pixel pyramid
VGG_CHANNELS = (64, 128, 256, 512, 512)  # of each stage
RANDOM_STAGES = (2, 2, 2)  # convolutions in each stage


class PixelPyramid(nn.Module):
    """The image at full, 1/2, 1/4 and 1/8 size (one level: the image alone). No network: nothing borrowed from labelled images."""

    def __init__(self, levels: int = LEVELS):
        super().__init__()
        self.terms = levels

    def forward(self, image: Float[Tensor, "b 3 s s"]) -> list[Tensor]:
        pyramid = [image]
        for _ in range(self.terms - 1):
            pyramid.append(F.avg_pool2d(pyramid[-1], 2))
        return pyramid


def fixed_convolution(weight: Float[Tensor, "o i k k"], bias: Float[Tensor, " o"], groups: int = 1, **options: int) -> nn.Conv2d:
    """A convolution that never learns, made without drawing from the global random generator."""
    outputs, inputs, size, _ = weight.shape
    layer = nn.utils.skip_init(nn.Conv2d, inputs * groups, outputs, size, groups=groups, **options)
    layer.weight, layer.bias = (nn.Parameter(p.float().contiguous(), requires_grad=False) for p in (weight, bias))
    return layer


def vgg_shapes(stages: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Shapes (outputs, inputs, 3, 3) of a VGG's convolutions; ``stages`` says how many there are in each stage."""
    channels = [c for c, depth in zip(VGG_CHANNELS, stages, strict=False) for _ in range(depth)]
    return [(outputs, inputs, 3, 3) for inputs, outputs in zip([3, *channels], channels, strict=False)]


class VGG(nn.Module):
    """The image, and the second convolution of each stage of a VGG (conv1_2, conv2_2, ...), at 1, 1/2, 1/4, ... of its size.

    ``convolutions``: weight (outputs, inputs, 3, 3) and bias (outputs) of each, in order; ``stages``: how many
    in each stage; the network sees (image − mean) / std, per channel R, G, B of an image in [-1, 1].
    ``relu``: apply VGG's ReLUs, and take the features after them; the official code has none.
    """

    def __init__(
        self,
        convolutions: list[tuple[Tensor, Tensor]],
        stages: tuple[int, ...],
        mean: tuple[float, ...] = (0.0, 0.0, 0.0),
        std: tuple[float, ...] = (1.0, 1.0, 1.0),
        relu: bool = False,
    ):
        super().__init__()
        self.convolutions = nn.ModuleList(fixed_convolution(weight, bias, padding=1) for weight, bias in convolutions)
        self.stages, self.relu, self.terms = stages, relu, 1 + len(stages)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, image: Float[Tensor, "b 3 s s"]) -> list[Tensor]:
        x, features, layers = (image - self.mean) / self.std, [image], iter(self.convolutions)
        for stage, depth in enumerate(self.stages):
            x = F.max_pool2d(x, 2) if stage else x
            for i in range(depth):
                x = next(layers)(x)
                x = F.relu(x) if self.relu else x
                if i == 1:
                    features.append(x)
        return features


def random_vgg(relu: bool = False) -> VGG:
    """VGG to conv3_2 with fixed random weights: the structure of the official features without ImageNet's labels.

    Weights of variance 2 / inputs (He et al. 2015), no biases; the same ones in every run, whatever its seed.
    """
    generator = torch.Generator().manual_seed(0)
    shapes = vgg_shapes(RANDOM_STAGES)
    weights = [torch.randn(shape, generator=generator) * (2 / (9 * shape[1])) ** 0.5 for shape in shapes]
    return VGG([(w, torch.zeros(len(w))) for w in weights], RANDOM_STAGES, relu=relu)


def squared_error(a: Float[Tensor, "b c h w"], b: Float[Tensor, "b c h w"], weight: Float[Tensor, "b 1 s s"] | None) -> Float[Tensor, ""]:
    """Mean of (a − b)², where a pixel counts by the weight averaged over its patch, relative to the batch's mean weight."""
    a, b = a.float(), b.float()  # under autocast: differences of half-precision features in full precision
    if weight is None:
        return F.mse_loss(a, b)
    share = F.adaptive_avg_pool2d(weight.float(), a.shape[-2:])
    return ((a - b) ** 2 * share).mean() / share.mean().clamp_min(1e-8)


class PerceptualLoss(nn.Module):
    """mean over features l of ‖Γ_l(x̂) − Γ_l(x)‖² / m_l, with m_l the running mean of the numerator.

    The running means are buffers: they are saved with checkpoints (the official code loses them).
    Momentum 0.99; the first value is the first loss. ``weight``, if given, says how much each pixel counts;
    only its proportions matter, so a constant weight changes nothing.
    """

    def __init__(self, features: nn.Module):
        super().__init__()
        self.features = features
        self.register_buffer("scale", torch.zeros(features.terms))

    def forward(
        self,
        made: Float[Tensor, "b 3 s s"],
        real: Float[Tensor, "b 3 s s"],
        weight: Float[Tensor, "b 1 s s"] | None = None,
    ) -> Float[Tensor, ""]:
        with torch.no_grad():
            target = self.features(real)
        terms = torch.stack([squared_error(a, b, weight) for a, b in zip(self.features(made), target, strict=True)])
        with torch.no_grad():
            whole = mean(terms)  # over all processes that train together
            self.scale.copy_(torch.where(self.scale == 0, whole, 0.99 * self.scale + 0.01 * whole))
        return (terms / (self.scale + 1e-8)).mean()
