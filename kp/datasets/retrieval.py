"""The prior pose nearest to an image, and the part of a prior that the videos ask for. Nothing is trained.

On black, a person's outline is given: the prior pose whose thick drawing fits it best is a first guess at the pose.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from kp.datasets.clips import Clips, to_images
from kp.datasets.priors import Poses, vary
from kp.errors import KpError
from kp.geometry import draw_similarity
from kp.method.renderer import render_skeleton
from kp.skeletons import Skeleton

BLACK = 2  # of 255; what the codec leaves where the background was removed is below
BLACK_SHARE = 0.3  # a removed background: at least this share of the pixels is black
TEMPLATE = 32  # pixels a side at which silhouettes and drawings are compared
# σ of those drawings (Gaussian profile); chosen on the val clips by correlation, their errors having been seen
THICKNESS = 0.35
COVERING = 20_000  # prior poses that a silhouette is compared with
MOVED = {"angle": 0.06, "scale": 0.05, "shift": 0.04}  # and how they are moved
WEIGHED_EVERY = 4  # frames of a clip between those that weigh the prior: neighbours are nearly equal
MOST = 1000  # clips that weigh the prior, where there are more


def nearest_prior(images: Float[Tensor, "n 3 s s"], poses: Poses, skeleton: Skeleton) -> Float[Tensor, "n k 2"]:
    """For each image the prior pose whose thick drawing correlates best with the silhouette. No training, no labels.

    images: subjects on black, in [-1, 1]. Returns keypoints (x, y) in [-1, 1]. Both pictures are compared at
    32 × 32, as vectors of mean 0 and length 1. KpError if the images show a background.
    """
    return poses.keypoints[_nearest(images, _drawings(poses, skeleton))]


def coverage(
    shapes: Float[Tensor, "n 1 s s"], poses: Poses, skeleton: Skeleton, how: str = "no", seed: int = 0
) -> Float[Tensor, " n"]:
    """How well the prior covers silhouettes (1: subject, 0: not): for each the highest correlation, −1 to 1, with the
    thick drawing of any of 20,000 prior poses, a little moved. About 0.9 where poses like the subject's are among them,
    below 0.8 where they are not. No labels.

    how: vary the poses first, as ``data.vary_prior`` does. seed: of the poses that are drawn, and of how they move.
    """
    generator = torch.Generator().manual_seed(seed)
    seen = unit(F.interpolate(shapes, (TEMPLATE, TEMPLATE), mode="bilinear", antialias=True, align_corners=False))
    best = torch.full((len(shapes),), -1.0)
    for _ in range(COVERING // 500):
        drawn = vary(poses.sample(500, generator), how, skeleton, generator)
        moved = draw_similarity(len(drawn), generator, **MOVED).points(drawn)
        (columns,) = _drawings(Poses(moved, [""] * len(moved)), skeleton, 500)
        best = torch.maximum(best, (seen @ columns).amax(1))
    return best


def silhouettes(images: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 1 s s"]:
    """1 where images in [-1, 1], subjects on black, show the subject, else 0."""
    return ((images.amax(1, keepdim=True) + 1) * 127.5 > BLACK).to(images.dtype)


def unit(pictures: Tensor) -> Float[Tensor, "n p"]:
    """Pictures as vectors of mean 0 and length 1."""
    return F.normalize(pictures.flatten(1) - pictures.flatten(1).mean(1, keepdim=True))


def _drawings(poses: Poses, skeleton: Skeleton, at_once: int = 256) -> list[Tensor]:
    """The poses' thick drawings as columns, so many at a time."""

    def draw(p):
        return render_skeleton(p, skeleton.edge_indices, TEMPLATE, THICKNESS, "gaussian")

    return [unit(draw(p)).T for p in poses.keypoints.split(at_once)]


def _nearest(images: Float[Tensor, "n 3 s s"], drawings: list[Tensor]) -> Int[Tensor, " n"]:
    """Which drawing correlates best with each image's silhouette."""
    silhouette = silhouettes(images)
    if silhouette.mean() > 1 - BLACK_SHARE:
        raise KpError(
            "images show a background, but silhouettes need subjects on black; load the clips with background=False"
        )
    seen = unit(F.interpolate(silhouette, (TEMPLATE, TEMPLATE), mode="bilinear", antialias=True, align_corners=False))
    return torch.cat([seen @ columns for columns in drawings], 1).argmax(1)


def weigh_prior(poses: Poses, clips: Clips, skeleton: Skeleton) -> Poses:
    """The prior weighed by the videos: each pose as often as it is the nearest to a frame's silhouette, most of them
    never.

    A remedy for a prior that shows other poses than the videos. The videos must show subjects on black; KpError as from
    :func:`nearest_prior` if not.
    """
    frames = torch.cat([f[::WEIGHED_EVERY] for f in clips.some(MOST).frames])
    drawings = _drawings(poses, skeleton)
    numbers = torch.cat([_nearest(to_images(part), drawings) for part in frames.split(1024)])
    return Poses(poses.keypoints[numbers], [""] * len(numbers))
