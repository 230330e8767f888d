"""The poses of a file: where joints are, how sure their source is of them, and what was read."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from kp.errors import KpError, printable
from kp.geometry import FAR
from kp.skeletons import SHIPPED, Skeleton

MIN_LIKELIHOOD = 0.6  # as DeepLabCut's own pcutoff
MANY, LARGEST = 1000, 50_000_000  # joints of a skeleton, and in a file
NORMALISED = 2.0  # no subject is as small, in pixels


@dataclass(frozen=True)
class PoseFile:
    """``keypoints`` (x, y) in pixels, NaN where a joint is not marked; ``edges`` between joints and ``mirror_pairs``
    (left, right), as far as the file declares them.

    ``scores``: how likely each joint is right, from 0 to 1, NaN where the file does not say; None if it never does.
    ``faint``: joints that were marked, but not likely enough. ``cameras``: the number of the video or camera that saw
    each pose, -1 for a picture that has no other; sizes can be compared within one camera. None means one camera for
    all. ``notes``: what the reader left out.
    """

    path: Path
    keypoints: Float[np.ndarray, "n k 2"]
    joints: tuple[str, ...]
    edges: tuple[tuple[str, str], ...] = ()
    mirror_pairs: tuple[tuple[str, str], ...] | None = None
    scores: Float[np.ndarray, "n k"] | None = None
    cameras: Int[np.ndarray, " n"] | None = None
    faint: Bool[np.ndarray, "n k"] | None = None
    min_likelihood: float = MIN_LIKELIHOOD
    notes: tuple[str, ...] = ()

    def likely(self, least: float) -> "PoseFile":
        """The same, with joints of a lower score than ``least`` not marked."""
        if self.scores is None:
            return replace(self, min_likelihood=least)
        faint = (self.scores < least) & np.isfinite(self.keypoints).all(-1)
        return replace(
            self, keypoints=np.where(faint[..., None], np.nan, self.keypoints), faint=faint, min_likelihood=least
        )

    def complete(self, skeleton: Skeleton) -> Bool[np.ndarray, " n"]:
        """Which poses have all joints of the skeleton."""
        return np.isfinite(self.keypoints[:, self.order(skeleton)]).all((1, 2))

    def order(self, skeleton: Skeleton) -> list[int]:
        """Where the skeleton's joints are in ``joints``."""
        return [self.joints.index(joint) for joint in skeleton.joints]

    def counts(self, skeleton: Skeleton) -> str:
        """How many poses were read, are unlikely, incomplete, and used, in words."""
        order, complete = self.order(skeleton), self.complete(skeleton)
        present = np.isfinite(self.keypoints[:, order]).all(-1)
        faint = np.zeros_like(present) if self.faint is None else self.faint[:, order]
        unlikely, lacking = ~complete & (present | faint).all(1), ~complete & ~(present | faint).all(1)
        counts = [f"{len(present)} poses read"]
        if unlikely.any():
            counts.append(f"{unlikely.sum()} below {self.min_likelihood:g}")
        if lacking.any():
            most = (~(present | faint)[lacking]).sum(0)
            others = (most > 0).sum() - 1
            counts.append(
                f"{lacking.sum()} without {skeleton.joints[int(most.argmax())]}{' or other joints' if others else ''}"
            )
        return ", ".join([*counts, f"{complete.sum()} used"])

    def summary(self, skeleton: Skeleton) -> str:
        """What was read and what of it is used, in a line: the counts, what was left out, mirror pairs and edges."""
        shipped = skeleton in SHIPPED
        edges = f"those of '{skeleton.name}'" if shipped else ", ".join(f"{a}–{b}" for a, b in skeleton.edges)
        parts = [self.counts(skeleton), *self.notes, skeleton.describe_sides(), f"edges: {edges}"]
        return printable(f"{self.path.name}: {'; '.join(parts)}")


def check_size(path: Path, poses: int, joints: int) -> None:
    """KpError if a file would need more memory than poses of any subject do."""
    if joints > MANY or poses * joints > LARGEST:
        raise KpError(
            f"{path}: {poses:,} poses of {joints:,} joints; kp reads up to {MANY:,} joints, and {LARGEST:,} in all "
            "poses; name joints and frames in the right columns, or divide the file"
        )


def checked(poses: PoseFile, pixels: bool = True) -> PoseFile:
    """The poses, without those in which no joint is marked. KpError if nothing is left, if a joint is named twice, or
    if coordinates that should be ``pixels`` cannot be.
    """
    path = poses.path
    marked = np.isfinite(poses.keypoints).all(-1).any(1)
    twice = sorted({joint for joint in poses.joints if poses.joints.count(joint) > 1})
    if twice:
        raise KpError(f"{path}: joint '{twice[0]}' stands there twice; rename one, or remove it")
    if not poses.joints or not len(poses.keypoints):
        raise KpError(f"{path}: holds {len(poses.keypoints)} poses of {len(poses.joints)} joints; there must be poses")
    largest = np.nanmax(np.abs(poses.keypoints), initial=0)
    if not largest <= FAR:
        raise KpError(f"{path}: holds coordinates beyond {FAR:,} pixels, or infinite ones; remove those poses")
    if pixels and 0 < largest <= NORMALISED:
        raise KpError(
            f"{path}: all coordinates lie within {NORMALISED:g} of 0, so they are shares of the picture and no pixels; "
            "multiply x by its width and y by its height"
        )
    if poses.scores is not None and np.nanmax(poses.scores, initial=0) > 1.5:  # heat maps may peak a little above 1
        raise KpError(
            f"{path}: holds scores up to {np.nanmax(poses.scores):.3g}, but a likelihood lies between 0 and 1; scale "
            "them, or remove that column"
        )
    if marked.all():
        return poses
    if not marked.any():
        raise KpError(f"{path}: none of its {len(marked)} poses has a joint that is marked")

    def of_marked(array):
        return None if array is None else array[marked]

    return replace(
        poses,
        keypoints=poses.keypoints[marked],
        scores=of_marked(poses.scores),
        cameras=of_marked(poses.cameras),
        notes=(*poses.notes, f"{(~marked).sum()} rows without any joint"),
    )


def number_of(names: list[str]) -> Int[np.ndarray, " n"]:
    """A number for each different name, from 0 in the order in which they come; -1 for an empty name."""
    numbers = {name: i for i, name in enumerate(dict.fromkeys(name for name in names if name))}
    return np.array([numbers.get(name, -1) for name in names], int)
