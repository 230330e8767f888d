"""Baselines that look at outlines alone: what a silhouette and a prior of poses give without the method.

On black, a person's outline is given. The prior poses whose thick drawings fit it best, averaged, are a reading of the
pose without any training; a network that was taught by thick drawings alone reads outlines without ever having seen a
film. Nothing here is used by the method.
"""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from scipy import ndimage
from torch import Tensor, nn

from kp.config import Config, Optimizer
from kp.datasets.priors import Poses, augment, recombine
from kp.datasets.retrieval import unit
from kp.geometry import draw_similarity
from kp.method.networks import UNetRegressor
from kp.method.renderer import render_skeleton
from kp.skeletons import Skeleton
from kp.training.optim import teach_fresh

# of the retrieval, chosen on the validation clips
SIZE = 48  # pixels a side at which silhouettes and drawings are compared
THICKNESS = 0.3  # σ of the drawings, Gaussian profile
COPIES = 3  # of every prior pose, slightly turned, scaled and shifted
NEAREST = 40  # drawings that are averaged
SHARPNESS = 120.0  # of their weights: exp(SHARPNESS · (correlation − the best))
SMALL = {"angle": 0.06, "scale": 0.05, "shift": 0.04}  # of the copies
CHUNK = 2048  # drawings compared at a time

MOVED, GAP = 12, 7  # of 255, a pixel that moved; pixels at 128 a side that are closed
LEVELS = (0.2, 0.6)  # between which a thick drawing is cut into a shape, at random


def motion_silhouettes(frames: UInt8[Tensor, "t h w 3"]) -> Float[Tensor, "t 1 h w"]:
    """1 where a frame of a static camera's clip differs from the median over the clip; gaps closed, holes filled."""
    x = frames.float()
    moved = ((x - x.median(0).values).abs() > MOVED).any(-1).numpy()
    wide = max(1, round(GAP * moved.shape[1] / 128))
    closed = (ndimage.binary_closing(np.pad(m, wide), np.ones((wide, wide)))[wide:-wide, wide:-wide] for m in moved)
    return torch.from_numpy(np.stack([ndimage.binary_fill_holes(m) for m in closed]))[:, None].float()


def retrieve(
    shapes: Float[Tensor, "n 1 s s"], poses: Poses, skeleton: Skeleton, seed: int = 0
) -> Float[Tensor, "n k 2"]:
    """For each silhouette (1: subject, 0: not) the weighted mean of the 40 prior poses, or slightly moved copies of
    them, whose thick drawings correlate best with it. Keypoints (x, y) in [-1, 1]. No training, no labels.
    """
    generator = torch.Generator().manual_seed(seed)
    copies = [draw_similarity(len(poses), generator, **SMALL).points(poses.keypoints) for _ in range(COPIES)]
    seen = unit(F.interpolate(shapes, (SIZE, SIZE), mode="bilinear", antialias=True, align_corners=False))
    scores = torch.full((len(shapes), NEAREST), -1.0)
    found = torch.zeros(len(shapes), NEAREST, *poses.keypoints.shape[1:])
    for part in torch.cat([poses.keypoints, *copies]).split(CHUNK):
        drawings = unit(render_skeleton(part, skeleton.edge_indices, SIZE, THICKNESS, "gaussian"))
        more, which = (seen @ drawings.T).topk(min(NEAREST, len(part)), 1)
        scores, order = torch.cat([scores, more], 1).topk(NEAREST, 1)
        both = torch.cat([found, part[which]], 1)
        found = both.gather(1, order[..., None, None].expand(-1, -1, *both.shape[2:]))
    weights = (SHARPNESS * (scores - scores[:, :1])).exp()
    weights /= weights.sum(1, keepdim=True)
    return (weights[..., None, None] * found).sum(1)


def train_on_outlines(poses: Poses, skeleton: Skeleton, config: Config, rates: Optimizer, name: str = "") -> nn.Module:
    """η's own network, taught to read poses off shapes: thick drawings of recombined and moved prior poses, cut at
    random levels of brightness. It never sees a film. Silhouettes in [-1, 1] (n, 1, s, s) → keypoints (n, k, 2).
    """
    size = config.data.size

    def loss(net: nn.Module, generator: torch.Generator) -> Tensor:
        pose = recombine(poses.sample(rates.batch, generator), skeleton, generator)
        pose = augment(pose, skeleton, generator)
        drawn = (render_skeleton(pose, skeleton.edge_indices, size, THICKNESS, "gaussian") + 1) / 2
        low, high = LEVELS
        level = low + (high - low) * torch.rand(len(pose), 1, 1, 1, generator=generator)
        return F.mse_loss(net((drawn > level).to(drawn.dtype) * 2 - 1), pose)

    def make() -> nn.Module:
        return UNetRegressor(len(skeleton), config.network.regressor_width, 1)

    return teach_fresh(make, loss, rates, config.seed, name)
