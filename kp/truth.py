"""Ground truth, for measuring only. No module that trains imports this one (a test holds it to that)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from kp.coordinates import from_pixels, resize_pixels
from kp.errors import KpError
from kp.poses import read_npz
from kp.skeleton import Skeleton, check_joints


@dataclass(frozen=True)
class Truth:
    """What is known of each clip: keypoints (x, y) in [-1, 1], who it shows, and five colours with their names (top, hair, …)."""

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
                f"no truth for clip '{missing[0]}' (known: {self.names[0]} to {self.names[-1]}); rebuild the data with 'make data'"
            )
        row = [self.names.index(n) for n in names]
        return Truth(names, self.keypoints[row], self.identity[row], self.appearance[row], self.appearance_names)


def load_truth(root: Path, split: str, skeleton: Skeleton, size: int) -> Truth:
    """Read truth/<split>.npz below ``root`` for images resized to ``size``. KpError names the file if it does not fit."""
    path = root / "truth" / f"{split}.npz"
    data = read_npz(path, ("clip", "keypoints", "identity", "appearance", "appearance_names", "joint_names", "frame_size"))
    check_joints(skeleton, [str(n) for n in data["joint_names"]], path)
    pixels = torch.from_numpy(np.asarray(data["keypoints"], np.float32))
    if not pixels.isfinite().all():
        raise KpError(f"{path}: keypoints hold NaN or infinite values; rebuild the data with 'make data'")
    keypoints = from_pixels(resize_pixels(pixels, int(data["frame_size"]), size), size)
    names = [str(c) for c in data["clip"]], tuple(str(n) for n in data["appearance_names"])
    return Truth(names[0], keypoints, torch.from_numpy(data["identity"]), torch.from_numpy(data["appearance"]), names[1])
