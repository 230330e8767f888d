"""Does appearance hide in the skeleton image? The log picture, its amplitude, and a probe that tries to read it.

The paper's argument: a discriminator only asks whether y *looks* like a skeleton, while the
reconstruction rewards hiding the image in y where nobody looks. Passing the pose through
keypoints, p = η(y), and redrawing, y* = β(p), leaves nothing but geometry.
"""

import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from kp.figures import as_picture, grid
from kp.geometry import evenly

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


def log_pictures(
    images: Float[Tensor, "n 3 s s"],
    rows: list[tuple[str, Float[Tensor, "n c s s"], Float[Tensor, "n c s s"], Float[Tensor, "n 3 s s"] | None]],
) -> Figure:
    """The log picture: for each of n images x in a row of its own, below them what models draw of them, side by side.

    rows: (label, y, y*, x̂), all in [-1, 1], a row a model: y, log y, ``log |y − y*|`` and x̂, which may be None. All
    log pictures share one scale, ``LIMITS``.
    """
    shown = {"vmin": LIMITS[0], "vmax": LIMITS[1], "cmap": "afmhot"}
    lines: list[tuple[str, list]] = [("image x", [cell for x in images for cell in (as_picture(x), None, None, None)])]
    for label, skeleton, redrawn, painted in rows:
        brightness, residual = log_brightness(skeleton), log_residual(skeleton, redrawn)
        cells = []
        for i in range(len(images)):
            logs = [(picture[i].amax(0).numpy(), shown) for picture in (brightness, residual)]
            cells += [
                as_picture(skeleton[i].amax(0, keepdim=True)),
                *logs,
                None if painted is None else as_picture(painted[i]),
            ]
        lines.append((label, cells))
    return grid(lines, titles=["y = Φ(x)", "log y", "log |y − y*|", "x̂ = Ψ(…)"] * len(images))


def rebuilt_pictures(
    images: Float[Tensor, "n 3 s s"], rebuilt: dict[str, Float[Tensor, "n 3 s s"]], count: int = 8
) -> Figure:
    """Test images, and below them what fresh networks rebuilt of them from other pictures alone, ``count`` of each.

    rebuilt: what it was rebuilt from → images in [-1, 1] (kp.research.probes.rebuild).
    """
    some = evenly(len(images), count)
    rows = {"image": images} | rebuilt
    return grid([(name, [as_picture(pictures[i]) for i in some]) for name, pictures in rows.items()], 0.9)
