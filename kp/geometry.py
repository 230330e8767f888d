"""The one coordinate convention, and the only place where pixels turn into it.

Inside kp a keypoint is (x, y), x to the right, y down, in [-1, 1]: -1 and +1 are the *centres* of
the first and the last pixel (``align_corners=True`` in torch's words). Files hold pixel indices:
0 is the centre of the first pixel, ``size - 1`` that of the last.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

FAR = 1_000_000  # pixels: no picture is as large


def from_pixels(pixels: Float[Tensor, "*b 2"], size: int) -> Float[Tensor, "*b 2"]:
    """Pixel indices in a size × size image → [-1, 1]."""
    return pixels * (2 / (size - 1)) - 1


def to_pixels(keypoints: Float[Tensor, "*b 2"], size: int) -> Float[Tensor, "*b 2"]:
    """[-1, 1] → pixel indices in a size × size image."""
    return (keypoints + 1) * ((size - 1) / 2)


def resize_pixels(pixels: Float[Tensor, "*b 2"], old: int, new: int) -> Float[Tensor, "*b 2"]:
    """Where a pixel index lands when the *whole* image, borders included, is resized from old to new pixels a side."""
    return (pixels + 0.5) * (new / old) - 0.5


def regrid(keypoints: Float[Tensor, "*b 2"], old: int, new: int) -> Float[Tensor, "*b 2"]:
    """(x, y) in [-1, 1] of an image of ``old`` pixels a side → those of the whole image resized to ``new``: -1 and 1
    are the centres of other pixels then.
    """
    return from_pixels(resize_pixels(to_pixels(keypoints, old), old, new), new)


@dataclass(frozen=True)
class Similarity:
    """b maps of the plane, p ↦ matrix · p + shift, in kp's (x, y) coordinates: about the centre of the image."""

    matrix: Float[Tensor, "b 2 2"]
    shift: Float[Tensor, "b 2"]

    def points(self, keypoints: Float[Tensor, "b k 2"]) -> Float[Tensor, "b k 2"]:
        """Each pose moved by its own map."""
        return keypoints @ self.matrix.transpose(1, 2) + self.shift[:, None]

    def inverse_points(self, keypoints: Float[Tensor, "b k 2"]) -> Float[Tensor, "b k 2"]:
        """Each pose moved back by its own map."""
        return (keypoints - self.shift[:, None]) @ torch.linalg.inv(self.matrix).transpose(1, 2)

    def images(self, images: Float[Tensor, "b c s s"]) -> Float[Tensor, "b c s s"]:
        """Each square image moved by its own map, bilinear; what comes in from outside repeats the border's colours."""
        back = torch.linalg.inv(self.matrix)
        back = torch.cat([back, -back @ self.shift[..., None]], -1).to(images.device)
        grid = F.affine_grid(back, list(images.shape), align_corners=True)
        moved = F.grid_sample(images, grid, padding_mode="border", align_corners=True)
        return moved.contiguous(memory_format=torch.channels_last)


def rotations(angle: Float[Tensor, " b"]) -> Float[Tensor, "b 2 2"]:
    """The matrix of each turn by ``angle`` radians, from x towards y."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos, -sin, sin, cos], -1).view(-1, 2, 2)


def draw_similarity(
    count: int, generator: torch.Generator, angle: float = 0.3, scale: float = 0.15, shift: float = 0.2
) -> Similarity:
    """``count`` maps, each uniform: turns within ±angle radians, scalings within 1 ± scale, shifts within ±shift along
    x and y.

    Shifts are in kp's coordinates: 2 is the width of the image.
    """

    def draw(*shape):
        return 2 * torch.rand(count, *shape, generator=generator) - 1

    turn, factor, moved = angle * draw(), 1 + scale * draw(1, 1), shift * draw(2)
    return Similarity(rotations(turn) * factor, moved)


def joint_errors(predicted: Float[Tensor, "n k 2"], true: Float[Tensor, "n k 2"]) -> Float[Tensor, "n k"]:
    """Distance of each joint, % of the image size."""
    return (predicted - true).norm(dim=-1) * 50


def evenly(items: int, count: int) -> list[int]:
    """``count`` positions (fewer if there are not that many) from first to last."""
    return sorted(set(torch.linspace(0, items - 1, min(count, items)).round().int().tolist()))


def longest_run(marks: Bool[np.ndarray, " t"]) -> int:
    """The most marks in a row."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marks, [False]]).astype(int)))
    return int((edges[1::2] - edges[::2]).max(initial=0))
