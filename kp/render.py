"""β, the analytic renderer: keypoints → skeleton image. No parameters; differentiable almost everywhere."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Profile = Literal["exponential", "gaussian"]


def render_skeleton(
    keypoints: Float[Tensor, "b k 2"],
    edges: list[tuple[int, int]],
    size: int,
    sigma: float = 0.2,
    profile: Profile = "exponential",
) -> Float[Tensor, "b 1 {size} {size}"]:
    """y* = β(p): each edge (a, b) drawn as a soft line segment, the brightest edge winning at each pixel.

    With d(u) the distance of pixel centre u to the nearest segment, in the units of the keypoints,

    - ``exponential`` (the official code): y*(u) = 2 exp(−√(d² + 10⁻⁶) / σ²) − 1
    - ``gaussian`` (as the paper writes it, γ = 1/σ⁴ here so that both fall to 1/e at d = σ²):
      y*(u) = 2 exp(−d² / σ⁴) − 1

    keypoints: (x, y) in [-1, 1], pixel centres of the first and last pixel at ∓1. Returns values in
    [-1, 1]. Joints that no edge uses get no gradient; a segment of zero length is a dot.
    Source: section 3.2 of the paper; ``render_line_segment`` of the official code (σ = 0.2).
    """
    index = torch.tensor(edges, device=keypoints.device)
    start = keypoints[:, index[:, 0]]
    along = keypoints[:, index[:, 1]] - start
    grid = torch.linspace(-1, 1, size, device=keypoints.device, dtype=keypoints.dtype)
    dx = grid[None, None, None, :] - start[:, :, 0, None, None]
    dy = grid[None, None, :, None] - start[:, :, 1, None, None]
    ax, ay = along[:, :, 0, None, None], along[:, :, 1, None, None]
    t = ((dx * ax + dy * ay) / (ax * ax + ay * ay).clamp_min(1e-6)).clamp(0, 1)
    squared = ((dx - t * ax) ** 2 + (dy - t * ay) ** 2).amin(1, keepdim=True)  # min over edges = max over their pictures
    if profile == "exponential":
        return 2 * torch.exp(-(squared + 1e-6).sqrt() / sigma**2) - 1
    return 2 * torch.exp(-squared / sigma**4) - 1
