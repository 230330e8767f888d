"""Random turns, scalings and shifts of frames and poses. Not in the paper.

Frames of a talking head are nearly equal: a Ψ that copies x' is nearly right. Move x and x' each by a similarity of
its own, and only the keypoints can tell Ψ where things are.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Similarity:
    """b maps of the plane, p ↦ matrix · p + shift, in kp's (x, y) coordinates: about the centre of the image."""

    matrix: Float[Tensor, "b 2 2"]
    shift: Float[Tensor, "b 2"]

    def points(self, keypoints: Float[Tensor, "b k 2"]) -> Float[Tensor, "b k 2"]:
        """Each pose moved by its own map."""
        return keypoints @ self.matrix.transpose(1, 2) + self.shift[:, None]

    def images(self, images: Float[Tensor, "b c s s"]) -> Float[Tensor, "b c s s"]:
        """Each square image moved by its own map, bilinear; what comes in from outside repeats the border's colours."""
        back = torch.linalg.inv(self.matrix)
        back = torch.cat([back, -back @ self.shift[..., None]], -1).to(images.device)
        grid = F.affine_grid(back, list(images.shape), align_corners=True)
        moved = F.grid_sample(images, grid, padding_mode="border", align_corners=True)
        return moved.contiguous(memory_format=torch.channels_last)


def draw_similarity(count: int, generator: torch.Generator, angle: float = 0.3, scale: float = 0.15, shift: float = 0.2) -> Similarity:
    """``count`` maps, each uniform: turns within ±angle radians, scalings within 1 ± scale, shifts within ±shift along x and y.

    Shifts are in kp's coordinates: 2 is the width of the image.
    """
    draw = lambda *shape: 2 * torch.rand(count, *shape, generator=generator) - 1
    turn, factor, moved = angle * draw(), 1 + scale * draw(1, 1), shift * draw(2)
    cos, sin = turn.cos(), turn.sin()
    return Similarity(torch.stack([cos, -sin, sin, cos], -1).view(count, 2, 2) * factor, moved)
