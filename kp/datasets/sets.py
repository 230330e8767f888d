"""Which format a folder of videos has, and its clips and poses: kp's own, Simplified Human3.6M, or 300-VW."""

import torch

from kp.config import Data
from kp.datasets import faces300, human36m
from kp.datasets.clips import Clips, load_clips
from kp.datasets.priors import Poses, load_prior
from kp.errors import KpError
from kp.skeletons import find_skeleton


def open_clips(data: Data, split: str) -> Clips:
    """The clips of a split (train, val, test) of ``data.videos``, at ``data.size``; at most ``data.memory`` gigabytes
    of them at a time.

    Only every ``data.every``-th frame is kept. KpError as from the format's own loader, if the set has no masks while
    ``data.background`` is off, or if ``data.source`` names no clip.
    """
    root = data.videos
    if faces300.is_300vw(root):
        if not data.background:
            raise KpError(f"{root}: 300-VW has no masks; train with --data.background")
        return faces300.load_300vw(root, data.size, data.every, data.source, data.memory)
    if human36m.is_human36m(root):
        return human36m.load_clips(root, split, data.size, data.background, data.every, data.source, data.memory)
    return load_clips(
        root, split, data.size, data.background, data.source, masks=data.masks, every=data.every, memory=data.memory
    )


def open_prior(data: Data, seed: int) -> Poses:
    """The unpaired poses that ``data`` names; a set of another format brings its own, cut to ``data.prior_size`` by
    ``seed``.

    KpError as from the format's own loader, if ``data.skeleton`` does not fit them, or if they are fewer than asked
    for.
    """
    root, skeleton = data.videos, find_skeleton(data.skeleton)
    if human36m.is_human36m(root):
        poses = human36m.load_poses(root, data.prior_size, seed)
    elif faces300.is_300vw(root):
        poses = faces300.load_300vw_poses(root, data.size)
        if data.prior_size:
            poses = poses.some(data.prior_size, torch.Generator().manual_seed(seed), root)
    else:
        return load_prior(data, seed)
    if poses.keypoints.shape[1] != len(skeleton):
        wanted = "human36m" if human36m.is_human36m(root) else "face"
        raise KpError(
            f"{root}: its poses are those of the skeleton '{wanted}', not '{skeleton.name}'; give --data.skeleton "
            f"{wanted}"
        )
    return poses
