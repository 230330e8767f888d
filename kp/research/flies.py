"""Real flies: what is found in them, against labels that people made. For measuring only.

A fly's folder (data/flies/first, data/flies/second) holds its film without labels, poses of the other fly, and labelled
frames: ``val``, on which constants may be chosen, and ``test``.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kp.config import Optimizer
from kp.files import read_npz
from kp.geometry import draw_similarity, from_pixels, joint_errors, resize_pixels
from kp.method.networks import UNetRegressor
from kp.own_video.reader import reader_loss
from kp.skeletons import Skeleton, check_joints
from kp.training.optim import teach_fresh


@dataclass(frozen=True)
class Labels:
    """Labelled frames: images (n, 3, s, s) in [-1, 1]; keypoints (n, k, 2) in [-1, 1], NaN where people saw no joint;
    ``tracked``: what SLEAP's network found there, NaN where it found nothing; ``test``: whether a frame is of test.
    """

    images: Float[Tensor, "n 3 s s"]
    keypoints: Float[Tensor, "n k 2"]
    tracked: Float[Tensor, "n k 2"]
    test: Bool[Tensor, " n"]


def load_labels(folder: Path, skeleton: Skeleton, size: int) -> Labels:
    """labels.npz of a fly's folder, its images resized to ``size``. KpError names the file if it does not fit."""
    path = folder / "labels.npz"
    data = read_npz(path, ("images", "keypoints", "tracked", "split", "joint_names", "frame_size"))
    check_joints(skeleton, [str(name) for name in data["joint_names"]], path)
    grey = torch.from_numpy(data["images"]).float()[:, None] / 127.5 - 1
    grey = F.interpolate(grey, (size, size), mode="area")

    def points(name):
        pixels = torch.from_numpy(data[name].astype("float32"))
        return from_pixels(resize_pixels(pixels, int(data["frame_size"]), size), size)

    test = torch.tensor([str(split) == "test" for split in data["split"]])
    return Labels(grey.expand(-1, 3, -1, -1), points("keypoints"), points("tracked"), test)


def errors(read: Float[Tensor, "n k 2"], labels: Labels, skeleton: Skeleton) -> dict[str, dict[str, float | list]]:
    """Mean distance from the labels over the joints that people saw, % of the image side: of val and of test, of all
    joints and of each region of the skeleton; ``in_bodies``: of all joints, in % of the mean length of the body from
    the skeleton's one normaliser joint to the other; ``by_frame``: a list, of all joints; ``scored``: the share of the
    labelled joints for which something was read.
    """
    distance = joint_errors(read, labels.keypoints)
    ends = labels.keypoints[:, [skeleton.index(joint) for joint in skeleton.normaliser]]
    body = joint_errors(ends[:, :1], ends[:, 1:]).nanmean()
    found = {}
    for split, some in (("val", ~labels.test), ("test", labels.test)):
        mine = distance[some]
        found[split] = {"all": mine.nanmean().item()}
        for region, joints in skeleton.regions:
            found[split][region] = mine[:, [skeleton.index(joint) for joint in joints]].nanmean().item()
        found[split]["in_bodies"] = (100 * mine.nanmean() / body).item()
        found[split]["scored"] = (mine.isfinite().sum() / labels.keypoints[some].isfinite().all(-1).sum()).item()
        found[split]["by_frame"] = [round(e, 3) for e in mine.nanmean(1).tolist()]
    return found


def to_move(read: Float[Tensor, "n k 2"], labels: Labels, tolerance: float) -> float:
    """The share of the labelled joints of the test frames that someone would have to move who takes ``read`` as a first
    draft: those farther than ``tolerance``, in % of the image side, from the label, or not found at all.
    """
    distance = joint_errors(read, labels.keypoints)[labels.test]
    labelled = labels.keypoints[labels.test].isfinite().all(-1)
    return (~(distance[labelled] <= tolerance)).double().mean().item()


def train_on_labels(labels: Labels, count: int, skeleton: Skeleton, rates: Optimizer, seed: int) -> nn.Module:
    """The reader's network, taught by its loss on ``count`` random labelled frames, moved and mirrored: grey images in
    [-1, 1] (n, 1, s, s) → keypoints (n, k, 2).
    """
    chosen = torch.randperm(len(labels.images), generator=torch.Generator().manual_seed(seed))[:count]
    images, keypoints = labels.images[chosen, :1], labels.keypoints[chosen]

    def loss(net: nn.Module, generator: torch.Generator) -> Tensor:
        batch = torch.randint(count, (rates.batch,), generator=generator)
        x, points = images[batch], keypoints[batch]
        mirrored = torch.rand(rates.batch, 1, 1, generator=generator) < 0.5
        x = torch.where(mirrored[..., None], x.flip(3), x)
        points = torch.where(mirrored, skeleton.mirrored(points), points)
        moved = draw_similarity(rates.batch, generator, angle=0.2, shift=0.08)
        x, points = moved.images(x), moved.points(points)
        return reader_loss(net.scores(x), points)

    return teach_fresh(lambda: UNetRegressor(len(skeleton), 16, 1), loss, rates, seed)
