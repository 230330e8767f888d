"""β, the analytic renderer: keypoints → skeleton image. No parameters; differentiable almost everywhere."""

import torch
from jaxtyping import Float
from torch import Tensor

from kp.config import Profile

BAND = 1 << 16  # distances computed at once on a CPU: what its second cache holds


def tile(start: Float[Tensor, "b e 2"], size: int) -> tuple[int, int]:
    """How many images, and rows of them, are computed at once: on a GPU all, on a CPU what stays in its cache."""
    return (len(start), size) if start.is_cuda else (1, max(1, BAND // (start.shape[1] * size)))


def plain_squared_distance(
    start: Float[Tensor, "b e 2"], end: Float[Tensor, "b e 2"], size: int
) -> Float[Tensor, "b s s"]:
    """What :class:`SquaredDistance` computes, as one expression: for export to other runtimes."""
    grid = torch.linspace(-1, 1, size, device=start.device, dtype=start.dtype)
    (sx, sy), (vx, vy) = (x[..., None, None].unbind(2) for x in (start, end - start))
    dx, dy = grid - sx, grid[:, None] - sy
    t = ((dx * vx + dy * vy) / (vx * vx + vy * vy).clamp_min(1e-6)).clamp(0, 1)
    return ((dx - t * vx) ** 2 + (dy - t * vy) ** 2).amin(1)


class SquaredDistance(torch.autograd.Function):
    """Squared distance of every pixel centre to the nearest of e line segments: (b, e, 2), (b, e, 2), s → (b, s, s).

    With s = a + t (b − a) the nearest point of the nearest segment, the gradients are −2 (1 − t) (u − s) for a and −2 t
    (u − s) for b, summed over the pixels u that the segment is nearest to: only the number of that segment is kept for
    them, not e pictures. On a CPU images are computed in bands of rows that stay in its cache. The gradient cannot be
    differentiated again.
    """

    @staticmethod
    def forward(context, start: Tensor, end: Tensor, size: int) -> Tensor:
        b, e, _ = start.shape
        grid = torch.linspace(-1, 1, size, device=start.device, dtype=start.dtype)
        along = end - start
        share = along / (along * along).sum(-1, keepdim=True).clamp_min(1e-6)
        dx, dy = (grid - start[..., k, None] for k in (0, 1))
        (ax, ay), (cx, cy) = along[..., None, None].unbind(2), share[..., None].unbind(2)
        dx, tx, dy, ty = dx[:, :, None], (dx * cx)[:, :, None], dy[..., None], (dy * cy)[..., None]
        squared, wanted = start.new_empty(b, size, size), any(context.needs_input_grad)
        # Distances are positive, so their bits read as whole numbers are in the same order: the lowest bits take the
        # segment's number.
        bits = torch.int32 if start.dtype == torch.float32 else torch.int64
        number, spare = torch.arange(e, device=start.device, dtype=bits)[:, None, None], (1 << (e - 1).bit_length()) - 1
        nearest = torch.empty(b if wanted else 0, size, size, device=start.device, dtype=bits)
        images, rows = tile(start, size)
        for i in range(0, b, images):
            for j in range(0, size, rows):
                at, band = slice(i, i + images), slice(j, j + rows)
                t = (tx[at] + ty[at, :, band]).clamp_(0, 1)
                distance = (t * ax[at]).sub_(dx[at]).square_()
                t.mul_(ay[at]).sub_(dy[at, :, band])
                distance.addcmul_(t, t)
                torch.amin(distance, 1, out=squared[at, band])
                if wanted:
                    marked = distance.view(bits).bitwise_and_(~spare).bitwise_or_(number)
                    torch.bitwise_and(marked.amin(1), spare, out=nearest[at, band])
        context.save_for_backward(start, along, share, nearest, grid)
        return squared

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        start, along, share, nearest, grid = context.saved_tensors
        b, e, _ = start.shape
        segment = (nearest + e * torch.arange(b, device=grid.device)[:, None, None]).flatten()
        lines = torch.cat([start, along, share], -1).flatten(0, 1).T.contiguous()
        sx, sy, ax, ay, cx, cy = lines.index_select(1, segment).view(6, *nearest.shape)
        dx, dy = grid - sx, grid[:, None] - sy
        t = (dx * cx).addcmul_(dy, cy).clamp_(0, 1)
        rx, ry = (dx.addcmul_(part, t, value=-1).mul_(gradient) for dx, part in ((dx, ax), (dy, ay)))
        terms = torch.stack([rx, ry, t * rx, t * ry]).view(4, -1)
        whole, end = (
            terms.new_zeros(4, b * e)
            .scatter_add_(1, segment.expand(4, -1), terms)
            .mul_(-2)
            .T.reshape(b, e, 4)
            .split(2, -1)
        )
        return whole - end, end, None


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
    first, last = torch.tensor(edges, device=keypoints.device).T
    distance = plain_squared_distance if torch.compiler.is_exporting() else SquaredDistance.apply
    squared = distance(keypoints[:, first], keypoints[:, last], size)[:, None]
    if profile == "exponential":
        return 2 * torch.exp((squared + 1e-6).sqrt() * (-1 / sigma**2)) - 1
    return 2 * torch.exp(squared * (-1 / sigma**4)) - 1
