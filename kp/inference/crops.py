"""Square crops around the subject, and keypoints back to the pixels of the whole frame."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from kp.errors import KpError
from kp.geometry import resize_pixels

MARGIN = 1.25  # a square's side, in the longer side of the box around the subject
FAR = 1_000_000  # pixels: no picture is as large
STEADY = 15  # frames over which squares are averaged: they follow the subject and do not tremble


@dataclass(frozen=True)
class Squares:
    """One square a frame, in pixels of the frame: ``corner`` (left, top) of its first pixel, and one ``side`` for all.

    Squares may reach beyond the frame; what lies outside is black.
    """

    corner: Int[np.ndarray, "t 2"]
    side: int

    def __len__(self) -> int:
        return len(self.corner)

    def part(self, first: int, end: int) -> "Squares":
        """Those of the frames from ``first`` up to ``end``; after the last one, it stays."""
        return Squares(self.corner[np.minimum(np.arange(first, end), len(self) - 1)], self.side)

    def cut(self, frame: UInt8[np.ndarray, "h w 3"], t: int) -> UInt8[np.ndarray, "s s 3"]:
        """The square of frame number ``t``."""
        (left, top), (height, width) = self.corner[min(t, len(self) - 1)].tolist(), frame.shape[:2]
        cut = np.zeros((self.side, self.side, 3), np.uint8)
        a, b, c, d = max(top, 0), min(top + self.side, height), max(left, 0), min(left + self.side, width)
        if a < b and c < d:
            cut[a - top : b - top, c - left : d - left] = frame[a:b, c:d]
        return cut

    def to_frame(self, keypoints: Float[Tensor, "t k 2"], size: int) -> Float[Tensor, "t k 2"]:
        """Keypoints, as pixel indices of the squares resized to ``size``, as pixel indices of the whole frames."""
        return resize_pixels(keypoints, size, self.side) + torch.from_numpy(self.corner)[:, None]


def whole_frames(count: int, size: tuple[int, int]) -> Squares:
    """The smallest centred square that holds a whole frame of ``size`` (width, height), for every frame."""
    side = max(size)
    corner = [(size[0] - side) // 2, (size[1] - side) // 2]
    return Squares(np.tile(np.array([corner]), (count, 1)), side)


def around(boxes: Float[np.ndarray, "t 4"], margin: float = MARGIN) -> Squares:
    """Squares around boxes (left, top, width, height in pixels), one a frame.

    All have one side, ``margin`` times the longest box side but for the longest twentieth; they follow the boxes'
    centres, averaged over fifteen frames.
    """
    side = max(2, round(margin * float(np.quantile(boxes[:, 2:].max(1), 0.95))))
    centre = boxes[:, :2] + boxes[:, 2:] / 2
    reach = min(STEADY, len(boxes)) // 2
    padded = np.pad(centre, ((reach, reach), (0, 0)), "edge")
    window = np.ones(2 * reach + 1) / (2 * reach + 1)
    smooth = np.stack([np.convolve(column, window, "valid") for column in padded.T], 1)
    return Squares(np.round(smooth - side / 2).astype(int), side)


def read_boxes(path: Path, count: int) -> Float[np.ndarray, "t 4"]:
    """A box track: CSV with columns frame, x, y, width, height: the box's left and top edge and its size in pixels;
    frames count from 0.

    Returns ``count`` boxes (left, top, width, height); where frames have no line, they are interpolated. KpError names
    the file and line that is wrong, or the frames that the video does not have.
    """
    if not path.is_file():
        raise KpError(f"{path}: no such file; a box track is a CSV with the columns frame, x, y, width, height")
    frames, boxes = [], []
    with open(path, newline="", encoding="utf-8", errors="replace") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            try:
                frame, box = int(row["frame"]), [float(row[name]) for name in ("x", "y", "width", "height")]
            except KeyError as error:
                raise KpError(f"{path}: has no column {error}; expected: frame, x, y, width, height") from error
            except (TypeError, ValueError) as error:
                raise KpError(
                    f"{path}: line {number} is not five numbers; expected: frame, x, y, width, height"
                ) from error
            if not np.isfinite(box).all() or np.abs(box).max() > FAR or min(box[2:]) <= 0:
                raise KpError(f"{path}: line {number}: a box must have a finite place and a positive size")
            if frame in frames or not 0 <= frame < count:
                raise KpError(
                    f"{path}: line {number}: frame {frame} is given twice, or is none of the video's {count}; frames "
                    "count from 0"
                )
            frames.append(frame)
            boxes.append(box)
    if not frames:
        raise KpError(f"{path}: holds no box; expected a line a frame: frame, x, y, width, height")
    order = np.argsort(frames)
    known, values = np.array(frames)[order], np.array(boxes)[order]
    return np.stack([np.interp(np.arange(count), known, column) for column in values.T], 1)
