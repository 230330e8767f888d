"""Ground truth, for measuring only. No module that trains imports this one (a test holds it to that)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm import tqdm

from kp.datasets.clips import of_source
from kp.datasets.faces300 import find_annotations, place, read_pts
from kp.datasets.human36m import ACTIVITIES, find_sequences, read_landmarks
from kp.errors import KpError
from kp.files import read_npz
from kp.geometry import from_pixels, joint_errors, resize_pixels
from kp.skeletons import Skeleton, check_joints, resolve_flips


@dataclass(frozen=True)
class Truth:
    """What is known of each clip: keypoints (x, y) in [-1, 1], who it shows, and five colours with their names (top,
    hair, …).
    """

    names: list[str]
    keypoints: Float[Tensor, "n t k 2"]
    identity: Int[Tensor, " n"]
    appearance: Float[Tensor, "n 5 3"]
    appearance_names: tuple[str, ...]

    def of(self, names: list[str]) -> "Truth":
        """The clips called ``names``, in that order."""
        missing = [n for n in names if n not in self.names]
        if missing:
            raise KpError(
                f"no truth for clip '{missing[0]}' (known: {self.names[0]} to {self.names[-1]}); rebuild the data with "
                "'make data'"
            )
        row = [self.names.index(n) for n in names]
        return Truth(names, self.keypoints[row], self.identity[row], self.appearance[row], self.appearance_names)


def load_truth(root: Path, split: str, skeleton: Skeleton, size: int) -> Truth:
    """Read truth/<split>.npz below ``root`` for images resized to ``size``.

    KpError names the file if it does not fit.
    """
    path = root / "truth" / f"{split}.npz"
    data = read_npz(
        path, ("clip", "keypoints", "identity", "appearance", "appearance_names", "joint_names", "frame_size")
    )
    check_joints(skeleton, [str(n) for n in data["joint_names"]], path)
    pixels = torch.from_numpy(np.asarray(data["keypoints"], np.float32))
    if not pixels.isfinite().all():
        raise KpError(f"{path}: keypoints hold NaN or infinite values; rebuild the data with 'make data'")
    keypoints = from_pixels(resize_pixels(pixels, int(data["frame_size"]), size), size)
    names = [str(c) for c in data["clip"]], tuple(str(n) for n in data["appearance_names"])
    return Truth(
        names[0], keypoints, torch.from_numpy(data["identity"]), torch.from_numpy(data["appearance"]), names[1]
    )


def load_human36m_truth(root: Path, split: str, every: int = 1, progress: bool = True) -> list[Float[Tensor, "_ 32 2"]]:
    """Keypoints (t, 32, 2) in [-1, 1] a clip, in the order and with the frames of
    :func:`kp.datasets.human36m.load_clips`.

    Raises KpError as :func:`kp.datasets.human36m.read_landmarks`.
    """
    bar = tqdm(
        find_sequences(root, split, every), desc=f"reading {split} truth", unit="", disable=not progress, leave=False
    )
    return [torch.stack([read_landmarks(s.landmarks(frame)) for frame in s.frames]) for s in bar]


def activity_table(
    predicted: list[Float[Tensor, "_ k 2"]],
    true: list[Float[Tensor, "_ k 2"]],
    reference: list[Float[Tensor, "_ k 2"]],
    sources: list[str],
    skeleton: Skeleton,
) -> dict[str, dict[str, float]]:
    """Errors over all joints, % of the image size: a row per activity, then "mean", the mean of the six rows.

    A row holds ``raw``, ``flip_minimum`` (left and right of the whole pose as it suits the truth) and ``label_free``
    (as the reference η₀(β(p)) prefers). An activity's number is the mean over all frames of its clips, as
    in the official code. Lists: one (t, k, 2) a clip; sources: its activity. KpError if an activity has no clip.
    """
    table = {}
    for activity in ACTIVITIES:
        mine = [i for i, source in enumerate(sources) if source == activity]
        if not mine:
            raise KpError(
                f"no test sequence of {activity}; the mean is over {', '.join(ACTIVITIES)}: unpack the whole set"
            )
        p, g, ref = (torch.cat([poses[i] for i in mine]) for poses in (predicted, true, reference))
        chosen = dict(raw=p, flip_minimum=resolve_flips(p, g, skeleton), label_free=resolve_flips(p, ref, skeleton))
        table[activity] = {name: joint_errors(poses, g).double().mean().item() for name, poses in chosen.items()}
    return table | {
        "mean": {
            name: sum(row[name] for row in table.values()) / len(table)
            for name in ("raw", "flip_minimum", "label_free")
        }
    }


def load_300vw_truth(root: Path, size: int, every: int = 1, source: str = "") -> list[Float[Tensor, "_ 68 2"]]:
    """Points (t, 68, 2) in [-1, 1] a clip, in the order and with the frames of :func:`kp.datasets.faces300.load_300vw`.

    Raises KpError as :func:`kp.datasets.faces300.read_pts`.
    """
    annotations = find_annotations(root, second_half=False)
    videos = list(annotations)
    chosen = [videos[i] for i in of_source(root, [video.name for video in videos], source)]
    return [torch.stack([place(read_pts(path), size) for path in annotations[video][::every]]) for video in chosen]
