"""Whether poses cover what footage shows, judged without labels: silhouettes against thick drawings of the poses.

Where no pose of a prior looks like the subject, D never lets the right drawing pass, and limbs are lost however good
the masks are. Turning the limbs of the poses at random covers more; where that fits the silhouettes better than the
poses as they are, it is worth a try (``data.vary_prior`` "limbs"), elsewhere it only makes D's task vaguer.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from kp.datasets.clips import Clips, to_images
from kp.datasets.priors import Poses
from kp.datasets.retrieval import coverage, silhouettes
from kp.errors import KpError
from kp.geometry import evenly
from kp.own_video.check import Footage
from kp.own_video.masks.write import Finder
from kp.skeletons import Skeleton
from kp.video import shrink

GOOD = (
    0.85  # rendered people reach 0.93 with poses of like movements, 0.89 with other movements; one film of a man 0.76
)
RISES = 0.01  # by so much turned limbs must fit better
SEEN = 0.01  # share of a frame below which a silhouette shows nobody
FRAMES = 64


@dataclass(frozen=True)
class Coverage:
    """Medians over silhouettes of the highest correlation with a drawn pose: of the poses as they are, and of poses
    whose limbs were exchanged and turned at random. NaN if no silhouette shows anything.
    """

    plain: float
    turned: float

    @property
    def rises(self) -> bool:
        """Whether turned limbs fit the silhouettes better."""
        return self.turned > self.plain + RISES

    def __str__(self) -> str:
        if math.isnan(self.plain):
            return "poses fit the silhouettes: not judged, since no frame shows a subject; look at the masks (kp masks)"
        return f"poses fit the silhouettes: {self.plain:.2f} (1: perfectly; {GOOD} and more is good)"

    def advice(self, people: bool = False) -> list[str]:
        """What to do about poses that do not cover the footage; empty if they do. people: whether it shows people whose
        outlines a network finds.
        """
        if not self.plain < GOOD:
            return []
        also = " For people, --figure people does without such poses." if people else ""
        words = f"The poses fit the silhouettes of the footage at {self.plain:.2f}, where {GOOD} and more is good: "
        if self.rises:
            return [f"{words}limbs turned at random fit at {self.turned:.2f}. Take --vary-prior limbs.{also}"]
        return [f"{words}it shows poses that they lack, and limbs will be lost. Add poses of like movements.{also}"]


def judge_poses(shapes: Float[Tensor, "n 1 s s"], poses: Poses, skeleton: Skeleton) -> Coverage:
    """How well poses cover silhouettes (1: subject, 0: not), as they are and with turned limbs."""
    seen = shapes[shapes.mean((1, 2, 3)) > SEEN]
    plain, turned = (coverage(seen, poses, skeleton, how).nanmedian().item() for how in ("no", "limbs"))
    return Coverage(plain, turned)


def check_turned_limbs(clips: Clips, poses: Poses, skeleton: Skeleton) -> Coverage:
    """How well poses cover clips of subjects on black. KpError if limbs turned at random do not fit them better."""
    chosen = [clips.frames[i] for i in evenly(len(clips), FRAMES)]
    images = torch.cat([to_images(frames[len(frames) // 2 :][:1]) for frames in chosen])
    found = judge_poses(silhouettes(images), poses, skeleton)
    if not found.rises:
        raise KpError(
            f"--vary-prior limbs: limbs turned at random fit the silhouettes at {found.turned:.2f}, the poses as they "
            f"are at {found.plain:.2f}; leave --vary-prior out"
        )
    return found


def silhouettes_of(footage: list[Footage], size: int, find: Finder) -> Float[Tensor, "n 1 s s"]:
    """Where ``find`` (frames → masks) sees the subject in the samples' squares, at ``size`` pixels: 1, elsewhere 0.
    KpError names the film in which ``find`` finds no background.
    """
    masks = []
    for film in footage:
        squares = [film.squares.cut(frame, number) for number, frame in zip(*film.samples, strict=True)]
        try:
            masks += [find(square[None])[0] for square in squares]
        except KpError as error:
            raise KpError(f"{film.path}: {error}") from error
    white = [shrink(np.repeat(mask[..., None], 3, -1)[None].astype(np.uint8) * 255, size)[0, ..., 0] for mask in masks]
    return torch.from_numpy(np.stack(white) > 127)[:, None].float()
