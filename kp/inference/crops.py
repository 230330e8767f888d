"""Square crops around the subject, and keypoints back to the pixels of the whole frame."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from kp.errors import KpError
from kp.files import atomic_write
from kp.formats.rows import Rows, find_columns, read_rows
from kp.geometry import FAR, longest_run, resize_pixels

MARGIN = 1.25  # a square's side, in the longer side of the box around the subject
STEADY = 15  # frames over which squares are averaged: they follow the subject and do not tremble
CALM = 7  # frames of which the median counts: a box that is wild for up to three frames is left out
WILD = 2.5  # times the median side: no subject comes so much nearer within a film
COLUMNS = ("frame", "x", "y", "width", "height")  # of a box track


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


def side_around(boxes: Float[np.ndarray, "t 4"], margin: float = MARGIN) -> int:
    """The side of squares around boxes (left, top, width, height), in their pixels: ``margin`` times the longest box
    side but for the longest twentieth, and never more than what is wild beside the others.
    """
    longest = boxes[:, 2:].max(1)
    return max(2, round(margin * min(float(np.quantile(longest, 0.95)), WILD * float(np.median(longest)))))


def around(boxes: Float[np.ndarray, "t 4"], margin: float = MARGIN) -> Squares:
    """Squares around boxes (left, top, width, height in pixels), one per frame.

    All have one side (:func:`side_around`); they follow the boxes' centres, averaged over fifteen frames. Boxes that
    differ from those of the frames around them for up to three frames do not count.
    """
    calm = np.stack([_median(column, CALM) for column in (*(boxes[:, :2] + boxes[:, 2:] / 2).T, *boxes[:, 2:].T)], 1)
    side, centre = side_around(calm, margin), calm[:, :2]
    reach = min(STEADY, len(boxes)) // 2
    padded = np.pad(centre, ((reach, reach), (0, 0)), "edge")
    window = np.ones(2 * reach + 1) / (2 * reach + 1)
    smooth = np.stack([np.convolve(column, window, "valid") for column in padded.T], 1)
    return Squares(np.round(smooth - side / 2).astype(int), side)


def _median(values: Float[np.ndarray, " t"], width: int) -> Float[np.ndarray, " t"]:
    """The running median over ``width`` values; at the ends it is that of the window that still fits."""
    if len(values) <= width:
        return np.full(len(values), np.median(values)) if len(values) > 2 else values
    inner = np.median(np.lib.stride_tricks.sliding_window_view(values, width), axis=1)
    return np.pad(inner, width // 2, "edge")


@dataclass(frozen=True)
class BoxTrack:
    """Where the subject of a film is: ``boxes`` (left, top, width, height) in pixels, one per frame, and in which
    frames it was ``seen``; in the others the box is that of the frame before. ``second``: share of the frames in which
    something else moved that was nearly as large.
    """

    boxes: Float[np.ndarray, "t 4"]
    seen: Bool[np.ndarray, " t"]
    second: float = 0.0

    @property
    def longest_gap(self) -> int:
        """The most frames in a row in which the subject was not seen."""
        return longest_run(~self.seen)

    def save(self, path: Path, stretch: tuple[float, float] = (1.0, 1.0)) -> None:
        """Write frame, x, y, width, height, seen: to correct by hand, and to give back as a box track. Boxes are in
        pixels as shown, those of the file in pixels as stored; ``stretch``: shown pixels per stored pixel, across and
        down. KpError if it cannot be written.
        """
        with atomic_write(path) as part, open(part, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*COLUMNS, "seen"])
            for t, (box, seen) in enumerate(
                zip((self.boxes / [*stretch, *stretch]).tolist(), self.seen.tolist(), strict=True)
            ):
                writer.writerow([t, *(f"{value:.2f}" for value in box), int(seen)])


def read_boxes(path: Path, count: int) -> BoxTrack:
    """A box track: CSV with columns frame, x, y, width, height: the box's left and top edge and its size in pixels;
    frames count from 0. A column ``seen`` may say 0 where the box is no more than that of the frame before.

    Between frames that have a line, boxes are interpolated: a few marked by hand are enough. KpError names the file and
    line that is wrong, or the frames that the video does not have.
    """
    if not path.is_file():
        raise KpError(f"{path}: no such file; a box track is a CSV with the columns {', '.join(COLUMNS)}")
    rows = read_rows(path)
    places = find_columns(rows)
    lacking = next((name for name in COLUMNS if name not in places), None)
    if lacking:
        raise KpError(f"{path}: has no column '{lacking}'; expected: {', '.join(COLUMNS)}")
    boxes: dict[int, list[float]] = {}
    unseen = set()
    for row in rows.below():
        number, *box = (rows.number(row.cells[places[name]], row.line) for name in COLUMNS)
        if not np.isfinite(box).all() or np.abs(box).max() > FAR or min(box[2:]) <= 0:
            raise KpError(f"{path}: line {row.line}: a box must have a finite place and a positive size")
        if number in boxes or number not in range(count):
            raise KpError(
                f"{path}: line {row.line}: frame {row.cells[places['frame']]} is given twice, or is none of the "
                f"video's {count}; frames count from 0"
            )
        boxes[int(number)] = box
        if "seen" in places and not _is_true(rows, row.cells[places["seen"]], row.line):
            unseen.add(int(number))
    if not boxes:
        raise KpError(f"{path}: holds no box; expected a line per frame: {', '.join(COLUMNS)}")
    known = sorted(boxes)
    values = np.array([boxes[frame] for frame in known])
    whole = np.stack([np.interp(np.arange(count), known, column) for column in values.T], 1)
    return BoxTrack(whole, np.array([t not in unseen for t in range(count)]))


def _is_true(rows: Rows, cell: str, line: int) -> bool:
    """Whether a cell says yes; an empty one does. KpError if it says neither."""
    if cell.lower() in ("true", "yes", "false", "no"):
        return cell.lower() in ("true", "yes")
    number = rows.number(cell, line)
    if number not in (0, 1) and not np.isnan(number):
        raise KpError(f"{rows.path}: line {line}: 'seen' is {cell}; it must be 1 or 0")
    return number != 0
