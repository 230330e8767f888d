"""Simplified Human3.6M (Zhang et al., CVPR 2018), which users obtain themselves: images and unpaired poses for
training.

The folder, as it is distributed ("BackgroudMask" is its own spelling)::

    S1/WithBackground/Directions 1.54138969/1.jpg    square crop around the person, 128 pixels a side
    S1/BackgroudMask/Directions 1.54138969/1.png     white where the person is
    S1/Landmarks/Directions 1.54138969/1.mat         keypoints_2d: 32 × 2, (row, column) in [0, 1]
    S5 S6 S7 S8 S9 S11                               likewise

The protocol is the official code's: images are the first half of each sequence of S1–S9, poses the
second half; S11, whole, is for measuring (kp/evaluation/truth.py).

Coordinates: a stored value v becomes 2v - 1, as in the official code. So 0 and 1 lie on the centres of the
first and last pixel, and distances in % of the image size are exactly those of the stored values.
Had v been measured from the borders of the image, this would be off by half a pixel at most.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from tqdm import tqdm

from kp.datasets.cache import hold_clips
from kp.datasets.clips import Clips, of_source
from kp.datasets.priors import Poses
from kp.errors import KpError
from kp.video import black_out, read_image, shrink

ACTIVITIES = ("Waiting", "Posing", "Greeting", "Directions", "Discussion", "Walking")
TRAINING, TESTING = ("S1", "S5", "S6", "S7", "S8", "S9"), ("S11",)
PARTS = {"train": (TRAINING, 0, 1), "prior": (TRAINING, 1, 2), "test": (TESTING, 0, 2)}
"""Whose sequences, from which half to which: 0 is the beginning, 1 the middle, 2 the end."""


@dataclass(frozen=True)
class Sequence:
    """Chosen ``frames`` (file names without ending, in order of time) of one subject doing one activity."""

    subject: Path
    name: str
    activity: str
    frames: list[str]

    def image(self, frame: str) -> Path:
        return self.subject / "WithBackground" / self.name / f"{frame}.jpg"

    def mask(self, frame: str) -> Path:
        return self.subject / "BackgroudMask" / self.name / f"{frame}.png"

    def landmarks(self, frame: str) -> Path:
        return self.subject / "Landmarks" / self.name / f"{frame}.mat"


def is_human36m(root: Path) -> bool:
    """Whether a folder has the layout of Simplified Human3.6M."""
    return any(root.glob("S*/WithBackground"))


def activity_of(name: str) -> str:
    """First token of a sequence's name, split at spaces and dots: "Walking 1.54138969" → "Walking"."""
    return re.split(r"[\s.]", name)[0]


def find_sequences(root: Path, part: str, every: int = 1) -> list[Sequence]:
    """Sequences of the six activities, by subject and name, with every ``every``-th frame of the part.

    part: "train" (first halves), "prior" (second halves) or "test". KpError names the folder if a subject
    is missing or has none of the activities.
    """
    if part not in PARTS:
        raise KpError(f"{root}: Simplified Human3.6M has no split '{part}'; use train or test")
    if every < 1:
        raise KpError(f"every is {every}; it must be at least 1, to take every frame")
    subjects, first, last = PARTS[part]
    sequences = []
    for subject in subjects:
        folder = root / subject / "WithBackground"
        if not folder.is_dir():
            raise KpError(
                f"{folder}: no such folder; unpack the whole set, with {', '.join(TRAINING + TESTING)} below {root}"
            )
        names = sorted(p.name for p in folder.iterdir() if activity_of(p.name) in ACTIVITIES)
        if not names:
            raise KpError(f"{folder}: no sequence of {', '.join(ACTIVITIES)}; unpack the set again")
        for name in names:
            frames = sorted((p.stem for p in (folder / name).glob("*.jpg") if p.stem.isdigit()), key=int)
            sequences.append(
                Sequence(
                    root / subject,
                    name,
                    activity_of(name),
                    frames[len(frames) * first // 2 : len(frames) * last // 2 : every],
                )
            )
    return sequences


def read_frame(sequence: Sequence, frame: str, size: int, background: bool) -> UInt8[np.ndarray, "{size} {size} 3"]:
    """One image, RGB, shrunk to ``size``; black outside the mask unless ``background``.

    KpError names the file that does not fit.
    """
    path, mask_path = sequence.image(frame), sequence.mask(frame)
    image = read_image(path)
    height, width = image.shape[:2]
    if height != width or height < size:
        raise KpError(
            f"{path}: {width}×{height} pixels; expected a square of at least {size}: lower --data.size or unpack the "
            "set again"
        )
    if not background:
        if not mask_path.is_file():
            raise KpError(
                f"{mask_path}: no such mask; unpack the set again, or keep the background with --data.background"
            )
        mask = read_image(mask_path)
        if mask.shape != image.shape:
            raise KpError(
                f"{mask_path}: {mask.shape[1]}×{mask.shape[0]} pixels, its image has {width}×{height}; unpack the set "
                "again"
            )
        if mask.max() == 1:
            raise KpError(
                f"{mask_path}: holds 0 and 1; expected 0 outside of the person and 255 inside: multiply it by 255"
            )
        image = black_out(image[None], mask[None])[0]
    return shrink(image[None], size)[0]


def load_clips(
    root: Path,
    split: str,
    size: int,
    background: bool = False,
    every: int = 1,
    source: str = "",
    memory: float = math.inf,
    progress: bool = True,
) -> Clips:
    """The images of ``split``, "train" or "test", one clip a sequence; ``sources`` are the activities, ``source`` keeps
    one ("" = all).

    A frame of 128 pixels takes 49 kB; a split that needs more than ``memory`` gigabytes is read sequence by sequence,
    when asked for (:mod:`kp.datasets.cache`). KpError names a folder, image or mask that is missing or damaged.
    """
    sequences = find_sequences(root, split, every)
    sequences = [sequences[i] for i in of_source(root, [s.activity for s in sequences], source)]
    for sequence in sequences:
        if len(sequence.frames) < 2:
            folder = sequence.image("0").parent
            raise KpError(
                f"{folder}: gives {len(sequence.frames)} frames to {split} with every {every}; a clip needs 2: take a "
                "smaller every"
            )

    def load(number: int) -> Tensor:
        sequence = sequences[number]
        frames = np.empty((len(sequence.frames), size, size, 3), np.uint8)
        for i, frame in enumerate(sequence.frames):
            frames[i] = read_frame(sequence, frame, size, background)
        return torch.from_numpy(frames)

    longest = max(len(s.frames) for s in sequences)
    frames = hold_clips(load, len(sequences), longest, size, memory, f"{split} sequences", progress)
    return Clips([f"{s.subject.name}/{s.name}" for s in sequences], [s.activity for s in sequences], frames)


def read_landmarks(path: Path) -> Float[Tensor, "32 2"]:
    """32 joints (x, y) in [-1, 1] from a .mat file. KpError if it is missing or damaged, or scipy is not installed."""
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise KpError(
            f"{path}: .mat files are read with scipy; install it with: pip install -e '.[licensed]'"
        ) from error
    if not path.is_file():
        raise KpError(f"{path}: no such file; unpack the set again")
    try:
        values = np.asarray(loadmat(path, variable_names=["keypoints_2d"])["keypoints_2d"], np.float32)
    except KeyError as error:
        raise KpError(f"{path}: has no array 'keypoints_2d'; unpack the set again") from error
    except Exception as error:  # scipy raises many kinds for damaged files
        raise KpError(f"{path}: not a readable .mat file ({type(error).__name__}); unpack the set again") from error
    if values.shape != (32, 2):
        raise KpError(f"{path}: keypoints_2d has shape {values.shape}; expected (32, 2)")
    if not np.isfinite(values).all():
        raise KpError(f"{path}: keypoints_2d holds NaN or infinite values; unpack the set again")
    if np.abs(values - 0.5).max() > 1.5:
        raise KpError(
            f"{path}: keypoints_2d has values from {values.min():g} to {values.max():g}; expected shares of the image, "
            "0 to 1"
        )
    return torch.from_numpy(values[:, ::-1] * 2 - 1)


def load_poses(root: Path, count: int = 0, seed: int = 0, progress: bool = True) -> Poses:
    """Unpaired poses (n, 32, 2): the second halves of the training sequences, of which no image is trained on.

    count: instead draw so many single poses, each from a sequence drawn uniformly, with replacement (0 = all).
    ``sources`` are the activities. KpError names a folder or file that is missing or damaged.
    """
    sequences = find_sequences(root, "prior")
    empty = next((s for s in sequences if not s.frames), None)
    if empty:
        raise KpError(f"{empty.image('0').parent}: has no images <number>.jpg; unpack the set again")
    wanted = [(s, frame) for s in sequences for frame in s.frames]
    if count:
        rng = np.random.default_rng(seed)
        drawn = [sequences[i] for i in rng.integers(len(sequences), size=count)]
        wanted = [(s, s.frames[rng.integers(len(s.frames))]) for s in drawn]
    bar = tqdm(wanted, desc="reading poses", unit="pose", disable=not progress, leave=False)
    keypoints = torch.stack([read_landmarks(s.landmarks(frame)) for s, frame in bar])
    return Poses(keypoints, [s.activity for s, _ in wanted])
