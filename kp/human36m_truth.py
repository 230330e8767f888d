"""Simplified Human3.6M's ground truth and table of errors, for measuring only. No module that trains imports this one."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from kp.errors import KpError
from kp.human36m import ACTIVITIES, find_sequences, read_landmarks
from kp.metrics import joint_errors, resolve_flips
from kp.skeleton import Skeleton


def load_truth(root: Path, split: str, every: int = 1, progress: bool = True) -> list[Float[Tensor, "_ 32 2"]]:
    """Keypoints (t, 32, 2) in [-1, 1] a clip, in the order and with the frames of :func:`kp.human36m.load_clips`.

    Raises KpError as :func:`kp.human36m.read_landmarks`.
    """
    bar = tqdm(find_sequences(root, split, every), desc=f"reading {split} truth", unit="", disable=not progress, leave=False)
    return [torch.stack([read_landmarks(s.landmarks(frame)) for frame in s.frames]) for s in bar]


def activity_table(
    predicted: list[Float[Tensor, "_ k 2"]],
    true: list[Float[Tensor, "_ k 2"]],
    reference: list[Float[Tensor, "_ k 2"]],
    sources: list[str],
    skeleton: Skeleton,
) -> dict[str, dict[str, float]]:
    """Errors over all joints, % of the image size: a row an activity, then "mean", the mean of the six rows.

    A row holds ``raw``, ``flip_minimum`` (left and right of the whole pose as the truth prefers) and ``label_free``
    (as the reference η₀(β(p)) prefers). An activity's number is the mean over all frames of its clips, as
    in the official code. Lists: one (t, k, 2) a clip; sources: its activity. KpError if an activity has no clip.
    """
    table = {}
    for activity in ACTIVITIES:
        mine = [i for i, source in enumerate(sources) if source == activity]
        if not mine:
            raise KpError(f"no test sequence of {activity}; the mean is over {', '.join(ACTIVITIES)}: unpack the whole set")
        p, g, ref = (torch.cat([poses[i] for i in mine]) for poses in (predicted, true, reference))
        chosen = dict(raw=p, flip_minimum=resolve_flips(p, g, skeleton), label_free=resolve_flips(p, ref, skeleton))
        table[activity] = {name: joint_errors(poses, g).double().mean().item() for name, poses in chosen.items()}
    return table | {"mean": {name: sum(row[name] for row in table.values()) / len(table) for name in ("raw", "flip_minimum", "label_free")}}
