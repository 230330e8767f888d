"""How good keypoints are: error in % of the image size, left-right flips, PCK, and intervals of the error.

The error is the mean Euclidean distance divided by the image's side, as this literature reports it
(sometimes under the name "%-MSE"). Keypoints are (x, y) in [-1, 1], so the side is 2 (from the first
to the last pixel centre).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from kp.datasets.priors import Poses
from kp.errors import KpError
from kp.evaluation.intervals import interval
from kp.geometry import joint_errors
from kp.skeletons import Skeleton, resolve_flips


def normalised_errors(
    predicted: Float[Tensor, "n k 2"], true: Float[Tensor, "n k 2"], skeleton: Skeleton
) -> Float[Tensor, "n k"]:
    """Distance of each joint, % of the length of the skeleton's normaliser in the true pose: for faces, of the
    distance of the outer eye corners.

    KpError if the two ends of a pose's normaliser coincide, or the skeleton has none.
    """
    if skeleton.normaliser is None:
        raise KpError(f"skeleton '{skeleton.name}' has no normaliser; give it two joints to measure errors in")
    a, b = (skeleton.index(joint) for joint in skeleton.normaliser)
    lengths = (true[:, a] - true[:, b]).norm(dim=-1)
    if (lengths == 0).any():
        first = int((lengths == 0).nonzero()[0])
        ends = " and ".join(skeleton.normaliser)
        raise KpError(f"pose {first}: {ends}, the ends of the normaliser, coincide; leave it out")
    return (predicted - true).norm(dim=-1) / lengths[:, None] * 100


def pck(errors: Float[Tensor, "n k"], threshold: float) -> float:
    """Share of joints, in %, whose error is at most ``threshold`` % of the image size."""
    return (errors <= threshold).double().mean().item() * 100


@dataclass(frozen=True)
class Scores:
    """Errors in % of the image size (lower is better), PCK in %."""

    raw: float
    raw_interval: tuple[float, float]
    flip_minimum: float
    label_free: float
    mean_pose: float
    constant_offset: float
    clip_offset: float
    pck5: float
    pck10: float
    flipped_share: float
    by_joint: dict[str, float]
    by_region: dict[str, float]
    normalised: float | None
    normalised_interval: tuple[float, float] | None

    @property
    def error(self) -> float:
        """The error, % of the image size: ``raw``, with left and right as the model named them."""
        return self.raw


def score(
    predicted: list[Float[Tensor, "_ k 2"]] | Float[Tensor, "n t k 2"],
    true: list[Float[Tensor, "_ k 2"]] | Float[Tensor, "n t k 2"],
    reference: list[Float[Tensor, "_ k 2"]] | Float[Tensor, "n t k 2"],
    mean_pose: Float[Tensor, "k 2"],
    skeleton: Skeleton,
    factors: Sequence[Int[np.ndarray, " clips"]] = (),
) -> Scores:
    """All numbers for clips of equal or different lengths: keypoints (t, k, 2) of each, (x, y) in [-1, 1].

    factors: whom each clip shows and what is done in it, for the intervals (:func:`kp.evaluation.intervals.interval`).
    reference: the label-free reading η₀(β(p)) for flip resolution. mean_pose: the prior's mean, whose error is what
    predicting nothing costs. constant_offset: how much of the raw error goes away when each joint's mean offset from
    the truth is removed (a prior unlike the videos shows up here); clip_offset: when it is removed within each clip (a
    body that is always misread in the same way). normalised: the raw error in % of the skeleton's normaliser (faces:
    inter-ocular), None if it has none.
    """
    lengths = [len(poses) for poses in true]
    p, g, ref = (torch.cat(list(poses)) for poses in (predicted, true, reference))
    errors = joint_errors(p, g)
    minimum = joint_errors(resolve_flips(p, g, skeleton), g).mean(1)
    centred = joint_errors(p - (p - g).mean(0), g)
    within = torch.cat([a - (a - b).mean(0) for a, b in zip(predicted, true, strict=True)])

    def by_clip(of_poses):
        return np.array([[part.double().mean().item() for part in of_poses.split(lengths)]])

    relative = normalised_errors(p, g, skeleton).mean(1) if skeleton.normaliser else None
    return Scores(
        raw=errors.mean().item(),
        raw_interval=interval(by_clip(errors.mean(1)), factors),
        flip_minimum=minimum.mean().item(),
        label_free=joint_errors(resolve_flips(p, ref, skeleton), g).mean().item(),
        mean_pose=joint_errors(mean_pose.expand_as(g), g).mean().item(),
        constant_offset=(errors.mean() - centred.mean()).item(),
        clip_offset=(errors.mean() - joint_errors(within, g).mean()).item(),
        pck5=pck(errors, 5.0),
        pck10=pck(errors, 10.0),
        flipped_share=(minimum < errors.mean(1) - 1e-6).double().mean().item() * 100,
        by_joint=dict(zip(skeleton.joints, errors.mean(0).tolist(), strict=True)),
        by_region={
            name: errors[:, [skeleton.index(j) for j in joints]].mean().item() for name, joints in skeleton.regions
        },
        normalised=None if relative is None else relative.mean().item(),
        normalised_interval=None if relative is None else interval(by_clip(relative), factors),
    )


def oracle_nearest_prior(true: Float[Tensor, "n k 2"], poses: Poses) -> Float[Tensor, "n k 2"]:
    """For each true pose the prior pose of the smallest mean joint distance: no retrieval from this prior can be
    better.

    Keypoints (x, y) in [-1, 1], in and out. It reads the truth, so it is a bound, not a method.
    """
    prior = poses.keypoints.transpose(0, 1)
    nearest = []
    for part in true.split(16):
        distances = torch.cdist(part.transpose(0, 1), prior, compute_mode="donot_use_mm_for_euclid_dist")
        nearest.append(poses.keypoints[distances.mean(0).argmin(1)])
    return torch.cat(nearest)


def nearest_pose_error(true: Float[Tensor, "n k 2"], poses: Poses) -> float:
    """How far the prior is from true poses: the error of :func:`oracle_nearest_prior`, % of the image size. For
    measuring only.
    """
    return joint_errors(oracle_nearest_prior(true, poses), true).mean().item()
