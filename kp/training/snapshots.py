"""The same few images through a training: what Φ draws of them after more and more steps."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from kp.files import atomic_write, read_npz
from kp.training.state import State


def moments(steps: int, count: int = 24) -> list[int]:
    """Up to ``count`` different steps from 1 to ``steps``, the first ones closer together: each about a constant factor
    after the last.
    """
    return sorted({round(s) for s in np.geomspace(1, max(1, steps), count)})


class Snapshots:
    """To be called after every training step (``on_step``): keeps Φ(x) of ``images`` (m, 3, s, s) at some steps in an
    .npz file.

    The file is written anew at each of them, so an interrupted training goes on with what it had; steps that the
    checkpoint no longer holds are taken again. Looking changes no bit of the training.
    """

    def __init__(self, images: Float[Tensor, "m 3 s s"], steps: int, path: Path):
        self.images, self.moments, self.path = images, moments(steps), path

    def __call__(self, state: State, *_) -> None:
        if state.step not in self.moments:
            return
        steps, pictures = read_snapshots(self.path) if self.path.exists() else (np.zeros(0, int), None)
        before = steps < state.step
        drawn = state.predictor()(self.images).skeleton.numpy()[None]
        everything = drawn if pictures is None else np.concatenate([pictures[before], drawn])
        with atomic_write(self.path) as part, part.open("wb") as file:
            np.savez(file, steps=np.append(steps[before], state.step), skeletons=everything)


def read_snapshots(path: Path) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, "n m c s s"]]:
    """Steps, and the skeleton images y of m images at each of them. KpError if the file is missing or damaged."""
    file = read_npz(path, ("steps", "skeletons"))
    return file["steps"], file["skeletons"]
