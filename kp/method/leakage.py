"""Does appearance hide in the skeleton image? The log picture, its amplitude, and a probe that tries to read it.

The paper's argument: a discriminator only asks whether y *looks* like a skeleton, while the
reconstruction rewards hiding the image in y where nobody looks. Passing the pose through
keypoints, p = η(y), and redrawing, y* = β(p), leaves nothing but geometry.
"""

import torch
from jaxtyping import Float
from torch import Tensor

EPSILON = 1e-5
LIMITS = (-3.0, 0.0)  # shared by every log picture: 1/1000 of full brightness to full brightness
FAR = 20 / 127  # "off the skeleton": 10 pixels of a 128-pixel image


def log_brightness(skeleton: Float[Tensor, "b 1 s s"]) -> Float[Tensor, "b 1 s s"]:
    """Panel (a): log₁₀ of y's brightness in [0, 1], clipped below at 10⁻⁵. Show between ``LIMITS``."""
    return ((skeleton + 1) / 2).clamp(EPSILON, 1).log10()


def log_residual(skeleton: Float[Tensor, "b 1 s s"], redrawn: Float[Tensor, "b 1 s s"]) -> Float[Tensor, "b 1 s s"]:
    """Panel (b): log₁₀ of half the absolute difference of y and β(η(y)), what the redrawing throws away.

    Show between ``LIMITS``.
    """
    return ((skeleton - redrawn).abs() / 2 + EPSILON).log10()


def off_skeleton(redrawn: Float[Tensor, "b 1 s s"], sigma: float) -> Float[Tensor, "b 1 s s"]:
    """1 where a pixel is more than 10/128 of the image away from every drawn bone (exponential profile), else 0."""
    return (redrawn < 2 * torch.exp(torch.tensor(-FAR / sigma**2)) - 1).to(redrawn.dtype)


def rms_amplitude(skeleton: Float[Tensor, "b 1 s s"], redrawn: Float[Tensor, "b 1 s s"], sigma: float) -> float:
    """Root mean square of (y − β(η(y))) / 2 off the skeleton: in shares of full brightness."""
    far = off_skeleton(redrawn, sigma)
    return (((skeleton - redrawn) ** 2 * far).sum() / far.sum().clamp_min(1)).sqrt().item() / 2
