"""Unpaired pose priors: 2-D poses that belong to no image of the videos, and their augmentation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from kp.config import Data
from kp.errors import KpError
from kp.files import read_npz
from kp.geometry import FAR, draw_similarity, from_pixels, resize_pixels, rotations
from kp.skeletons import Skeleton, check_joints, find_skeleton

FEW = 20  # poses: too few to set some aside
TURN = 0.4  # radians, standard deviation of the turns of a limb at each of its joints


@dataclass(frozen=True)
class Poses:
    """``keypoints`` (n, k, 2) in [-1, 1]; ``sources``: a motion-source label per pose."""

    keypoints: Float[Tensor, "n k 2"]
    sources: list[str]

    def __len__(self) -> int:
        return len(self.keypoints)

    def some(self, count: int, generator: torch.Generator, root: Path) -> "Poses":
        """``count`` different poses, drawn at random.

        KpError, about the set below ``root``, if there are not that many.
        """
        if count > len(self):
            raise KpError(f"{root}/priors: {count} poses wanted, a prior holds {len(self)}; lower data.prior_size")
        chosen = torch.randperm(len(self), generator=generator)[:count]
        return Poses(self.keypoints[chosen], [self.sources[i] for i in chosen.tolist()])

    def split(self) -> tuple["Poses", "Poses"]:
        """(poses to learn from, others to test what was learnt): one in fifty is for the test, of a few hundred poses
        one in ten. Fewer than twenty are both.
        """
        if len(self) < FEW:
            return self, self
        every = 50 if len(self) >= 50 * FEW // 2 else 10
        tested = torch.arange(len(self)) % every == every // 2
        parts = [(self.keypoints[part], part.nonzero()[:, 0].tolist()) for part in (~tested, tested)]
        taught, test = (Poses(keypoints, [self.sources[i] for i in numbers]) for keypoints, numbers in parts)
        return taught, test

    def sample(self, count: int, generator: torch.Generator, by_source: bool = False) -> Float[Tensor, "b k 2"]:
        """``count`` random poses; by_source: a source first, each as likely, then one of its poses."""
        if not by_source:
            return self.keypoints[torch.randint(len(self), (count,), generator=generator)]
        drawn = torch.randint(len(self._by_source), (count,), generator=generator).tolist()
        members = [self._by_source[n] for n in drawn]
        return self.keypoints[torch.stack([m[torch.randint(len(m), (), generator=generator)] for m in members])]

    @cached_property
    def _by_source(self) -> list[Tensor]:
        """Numbers of the poses of each source."""
        names, source = np.unique(self.sources, return_inverse=True)
        return [torch.from_numpy(np.flatnonzero(source == n)) for n in range(len(names))]


def load_poses(path: Path, skeleton: Skeleton, size: int) -> Poses:
    """Read a prior: ``keypoints`` (n, k, 2) in pixel indices of a ``frame_size`` image, ``joint_names``, ``source``.

    ``size`` is the training resolution: resizing an image moves pixel centres by a fraction of a
    pixel, and the poses follow. KpError names the file for unknown joints, wrong shapes, NaNs.
    """
    data = read_npz(path, ("keypoints", "joint_names", "frame_size", "source"))
    if data["keypoints"].dtype.kind not in "fiu":
        raise KpError(f"{path}: keypoints must be numbers, here are {data['keypoints'].dtype}; make it again")
    for name in ("joint_names", "source"):
        if data[name].dtype.kind not in "US" or data[name].ndim != 1:
            raise KpError(f"{path}: {name} must be a list of text; make it again")
    frame_size = data["frame_size"]
    if frame_size.size != 1 or frame_size.dtype.kind not in "fiu" or not 2 <= frame_size.item() <= FAR:
        raise KpError(f"{path}: frame_size is {frame_size.tolist()!r}; it must be one number from 2 to {FAR:,}")
    check_joints(skeleton, [str(n) for n in data["joint_names"]], path)
    pixels = torch.from_numpy(np.asarray(data["keypoints"], np.float32))
    if pixels.ndim != 3 or pixels.shape[1:] != (len(skeleton), 2) or not len(pixels):
        raise KpError(f"{path}: keypoints have shape {tuple(pixels.shape)}; expected (poses ≥ 1, {len(skeleton)}, 2)")
    broken = ~pixels.isfinite().all(-1).all(-1)
    if broken.any():
        first = int(broken.nonzero()[0])
        raise KpError(
            f"{path}: {int(broken.sum())} poses hold NaN or infinite values, the first is number {first}; remove them"
        )
    if pixels.abs().max() > FAR or (pixels == pixels[:, :1]).all():
        raise KpError(f"{path}: holds poses beyond {FAR:,} pixels, or all joints in one point; make it again")
    if len(data["source"]) != len(pixels):
        raise KpError(f"{path}: {len(pixels)} poses but {len(data['source'])} source labels; give one per pose")
    return Poses(
        from_pixels(resize_pixels(pixels, int(frame_size.item()), size), size), [str(s) for s in data["source"]]
    )


def load_prior(data: Data, seed: int = 0) -> Poses:
    """The unpaired poses that ``data`` names: <videos>/priors/<prior>.npz, mixed with the second prior, cut to
    ``prior_size``.

    A mixture holds as many poses as the first prior, ``second_share`` of them from the second; both choices are drawn
    by ``seed``. KpError as from :func:`load_poses`, or if a prior holds fewer poses than asked for.
    """
    generator = torch.Generator().manual_seed(seed)

    def read(name):
        return load_poses(data.videos / "priors" / f"{name}.npz", find_skeleton(data.skeleton), data.size)

    poses = read(data.prior)
    if data.second_prior:
        second = round(data.second_share * len(poses))
        a = poses.some(len(poses) - second, generator, data.videos)
        b = read(data.second_prior).some(second, generator, data.videos)
        poses = Poses(torch.cat([a.keypoints, b.keypoints]), a.sources + b.sources)
    return poses.some(data.prior_size, generator, data.videos) if data.prior_size else poses


def recombine(
    keypoints: Float[Tensor, "b k 2"], skeleton: Skeleton, generator: torch.Generator
) -> Float[Tensor, "b k 2"]:
    """New poses from the parts of old ones: each limb of a pose is exchanged, half the time, for the same limb of
    another.

    A limb is a side's chain below a joint of the middle (an arm, a leg): it moves with that joint. Same shape and
    frame.
    """
    for limb, root in skeleton.limbs:
        partner = torch.randperm(len(keypoints), generator=generator)
        moved = keypoints[partner][:, limb] - keypoints[partner][:, None, root] + keypoints[:, None, root]
        swap = torch.rand(len(keypoints), 1, 1, generator=generator) < 0.5
        keypoints = keypoints.index_copy(1, torch.tensor(limb), torch.where(swap, moved, keypoints[:, limb]))
    return keypoints


def about(
    poses: Float[Tensor, "b k 2"], joints: Sequence[int], root: int, change: Callable[[Tensor], Tensor]
) -> Float[Tensor, "b k 2"]:
    """Poses whose ``joints``, seen from ``root``, are changed by a function."""
    base = poses[:, [root]]
    return poses.index_copy(1, torch.tensor(joints), base + change(poses[:, list(joints)] - base))


def turn_limbs(
    keypoints: Float[Tensor, "b k 2"], skeleton: Skeleton, generator: torch.Generator
) -> Float[Tensor, "b k 2"]:
    """Poses whose limbs are turned, half the time, at each of their joints: an arm at its shoulder and at its elbow.

    Turns are normal with a standard deviation of 0.4 radians; all that hangs on a joint turns with it. For footage
    whose subjects reach farther than those of the poses. Same shape and frame.
    """
    for limb, root in skeleton.limbs:
        for place, pivot in enumerate([root, *limb[:-1]]):
            turn = TURN * torch.randn(len(keypoints), generator=generator)
            turn = turn * (torch.rand(len(keypoints), generator=generator) < 0.5)
            rotation = rotations(turn)[:, None]
            keypoints = about(keypoints, limb[place:], pivot, lambda p, r=rotation: (r @ p[..., None])[..., 0])
    return keypoints


def augment(
    keypoints: Float[Tensor, "b k 2"], skeleton: Skeleton, generator: torch.Generator
) -> Float[Tensor, "b k 2"]:
    """Random rotation (±9°), scale (0.85–1.15), shift (±0.1) and left-right reflection of each pose.

    For teaching η about more poses than the prior holds, and D if ``data.vary_prior`` says so.
    """
    turned = draw_similarity(len(keypoints), generator, angle=0.15, scale=0.15, shift=0.1).points(keypoints)
    return reflect_some(turned, skeleton, generator)


def reflect_some(
    keypoints: Float[Tensor, "b k 2"], skeleton: Skeleton, generator: torch.Generator
) -> Float[Tensor, "b k 2"]:
    """Each pose or, half of the time, its mirror image, left and right exchanged; as they are without mirror pairs."""
    if not skeleton.mirror_pairs:
        return keypoints
    reflected = skeleton.mirrored(keypoints)
    return torch.where(torch.rand(len(keypoints), 1, 1, generator=generator) < 0.5, reflected, keypoints)


def vary(
    keypoints: Float[Tensor, "b k 2"], how: str, skeleton: Skeleton, generator: torch.Generator
) -> Float[Tensor, "b k 2"]:
    """A batch for D as ``data.vary_prior`` says: as it is ("no", "weigh"), recombined, recombined and with turned limbs
    ("limbs"), or recombined and augmented.
    """
    if how in ("no", "weigh"):
        return keypoints
    mixed = recombine(keypoints, skeleton, generator)
    if how == "limbs":
        return turn_limbs(mixed, skeleton, generator)
    return augment(mixed, skeleton, generator) if how == "augment" else mixed
