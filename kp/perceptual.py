"""Γ: how images are compared. Features of two images, squared differences, each divided by its running mean.

The official code compares the raw image and five VGG-19 layers, each term divided by its own running
mean, so that the loss hovers around 1 whatever the scale. Both that and a plain pyramid are here.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from kp.errors import KpError

LEVELS = 4  # of the pixel pyramid
VGG_STAGES = ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512), (512, 512))
VGG_MEAN = (123.68, 116.779, 103.939)  # RGB, 0..255; the Caffe-style weights divide by nothing


class PixelPyramid(nn.Module):
    """The image at full, 1/2, 1/4 and 1/8 size. No pretrained network: nothing borrowed from labelled images."""

    terms = LEVELS

    def forward(self, image: Float[Tensor, "b 3 s s"]) -> list[Tensor]:
        pyramid = [image]
        for _ in range(LEVELS - 1):
            pyramid.append(F.avg_pool2d(pyramid[-1], 2))
        return pyramid


class VGG19(nn.Module):
    """Raw image, conv1_2, conv2_2, conv3_2, conv4_2, conv5_2 of VGG-19, without ReLU as in the official code.

    ``weights``: a torch file with a state dict of at least 14 (weight, bias) pairs of 3×3 convolutions in
    order, such as the ``features`` of torchvision's VGG-19 converted to 0..255 RGB input. These are
    ImageNet labels in disguise: "self-supervised" then needs a footnote.
    """

    terms = 6

    def __init__(self, weights: Path):
        super().__init__()
        if not weights.is_file():
            raise KpError(f"{weights}: no VGG-19 weights; give --loss.vgg-weights FILE or use --loss.features pixels")
        try:
            stored = list(torch.load(weights, weights_only=True, map_location="cpu").values())
        except Exception as error:  # torch raises many kinds for damaged files
            raise KpError(f"{weights}: not a readable file of weights ({type(error).__name__}); copy it again") from error
        layers, inputs = [], 3
        for outputs in (c for stage in VGG_STAGES for c in stage):
            layers.append(nn.Conv2d(inputs, outputs, 3, 1, 1))
            inputs = outputs
        self.convolutions = nn.ModuleList(layers)
        wanted = [p for layer in layers for p in (layer.weight, layer.bias)]
        if len(stored) < len(wanted) or any(a.shape != b.shape for a, b in zip(wanted, stored, strict=False)):
            raise KpError(f"{weights}: not VGG-19; expected weight and bias of its 3×3 convolutions in order")
        with torch.no_grad():
            for parameter, value in zip(wanted, stored, strict=False):
                parameter.copy_(value)
        self.requires_grad_(False)

    def forward(self, image: Float[Tensor, "b 3 s s"]) -> list[Tensor]:
        mean = torch.tensor(VGG_MEAN, device=image.device).view(1, 3, 1, 1)
        x, features, layers = (image + 1) * 127.5 - mean, [image], iter(self.convolutions)
        for stage in VGG_STAGES:
            for i in range(len(stage)):
                x = next(layers)(x)
                if i == 1:
                    features.append(x)
            x = F.max_pool2d(x, 2)
        return features


class PerceptualLoss(nn.Module):
    """mean over features l of ‖Γ_l(x̂) − Γ_l(x)‖² / m_l, with m_l the running mean of the numerator.

    The running means are buffers: they are saved with checkpoints (the official code loses them).
    Momentum 0.99; the first value is the first loss.
    """

    def __init__(self, features: nn.Module):
        super().__init__()
        self.features = features
        self.register_buffer("scale", torch.zeros(features.terms))

    def forward(
        self, made: Float[Tensor, "b 3 s s"], real: Float[Tensor, "b 3 s s"], weight: Float[Tensor, "b 1 s s"] | None = None
    ) -> Float[Tensor, ""]:
        """Scalar. ``weight``: how much each pixel counts (relative to their mean), shrunk to the size of each feature map."""
        with torch.no_grad():
            target = self.features(real)

        def difference(a, b):
            if weight is None:
                return F.mse_loss(a, b)
            w = F.adaptive_avg_pool2d(weight, a.shape[2:])
            return ((a - b) ** 2 * w).mean() / w.mean()

        terms = torch.stack([difference(a, b) for a, b in zip(self.features(made), target, strict=True)])
        with torch.no_grad():
            self.scale.copy_(torch.where(self.scale == 0, terms, 0.99 * self.scale + 0.01 * terms))
        return (terms / (self.scale + 1e-8)).mean()
