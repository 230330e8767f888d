"""Keypoints through a whole video (or one image) of any size: crop, predict, and back to the video's own pixels.

A video is decoded frame by frame, so that its length costs time and no memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from tqdm import tqdm

from kp.clips import black_out, shrink, to_images
from kp.confidence import read_surely
from kp.coordinates import to_pixels
from kp.crops import Squares, around, read_boxes, whole_frames
from kp.errors import KpError
from kp.footage import Frame, each_frame, is_video
from kp.predict import Predictor, read_frames
from kp.skeleton import Skeleton
from kp.subject import find_boxes

CHUNK = 64  # frames predicted at once
GLIMPSES = 8  # frames kept to be looked at


@dataclass(frozen=True)
class Track:
    """One subject in one video: ``keypoints`` (x, y) as pixel indices of its frames, ``confidence`` in [0, 1].

    ``size``: (width, height) of the frames; ``rate``: frames a second, the mean, 1 for an image. ``glimpses``: up to eight squares as
    the model saw them, at its size, with their keypoints in [-1, 1].
    """

    video: Path
    size: tuple[int, int]
    rate: float
    skeleton: Skeleton
    keypoints: Float[np.ndarray, "t k 2"]
    confidence: Float[np.ndarray, "t k"]
    glimpses: list[tuple[Float[Tensor, "3 s s"], Float[Tensor, "k 2"]]]


def each_picture(path: Path) -> Iterator[Frame]:
    """The frames of a video one after the other, upright; an image is one frame. KpError names the file if it is neither."""
    if is_video(path):
        yield from each_frame(path)
    else:
        yield Frame(read_frames(path)[0], 0.0)


def measure(path: Path) -> tuple[int, tuple[int, int], float]:
    """(frames, (width, height), frames a second) of a video or image, by reading it once to its end."""
    count, size, last = 0, (0, 0), 0.0
    for frame in each_picture(path):
        count, size, last = count + 1, (frame.pixels.shape[1], frame.pixels.shape[0]), frame.seconds
    return count, size, (count - 1) / last if last > 0 else 1.0


def find_subject(
    path: Path, count: int, size: tuple[int, int], crop: str, boxes: Path | None, progress: bool = True
) -> Float[np.ndarray, "t 4"] | None:
    """Boxes (left, top, width, height in pixels), one a frame: a box track's, or what moves (crop "subject"); None means whole frames
    (square ones, or crop "frame").

    KpError for frames that are not square if nothing says where to look.
    """
    if boxes:
        return read_boxes(boxes, count)
    if crop == "subject":
        return find_boxes(path, count, progress)
    if crop == "frame" or size[0] == size[1]:
        return None
    raise KpError(
        f"{path}: {size[0]}×{size[1]} pixels, but models see squares with the subject in the middle; say where it is: --boxes FILE, "
        "--crop subject (finds what moves before a static camera) or --crop frame (whole frames between black bars)"
    )


def choose_squares(path: Path, count: int, size: tuple[int, int], crop: str, boxes: Path | None, progress: bool = True) -> Squares:
    """The squares that a model sees, one a frame: around the subject, or whole frames. KpError as :func:`find_subject`."""
    return squares_around(find_subject(path, count, size, crop, boxes, progress), count, size)


def squares_around(found: Float[np.ndarray, "t 4"] | None, count: int, size: tuple[int, int]) -> Squares:
    """Squares around what :func:`find_subject` found: boxes, or None for whole frames."""
    return whole_frames(count, size) if found is None else around(found)


@dataclass(frozen=True)
class View:
    """A video (or image) and the squares of it that a model sees; ``masks``: a file that is white where the subject is, or None."""

    path: Path
    count: int
    size: tuple[int, int]
    rate: float
    squares: Squares
    masks: Path | None

    def chunks(self, size: int, progress: bool = True) -> Iterator[tuple[int, UInt8[np.ndarray, "n s s 3"]]]:
        """(number of the first frame, its squares and the next ones') of up to 64 frames, resized to ``size``; in order, one at a time."""
        chunk = []
        frames = tqdm(each_picture(self.path), self.path.name, self.count, unit="frame", disable=not progress or self.count == 1)
        for t, (frame, mask) in enumerate(zip_longest(frames, each_picture(self.masks) if self.masks else ())):
            visible = black_out(frame.pixels[None], mask.pixels[None])[0] if self.masks else frame.pixels
            chunk.append(shrink(self.squares.cut(visible, t)[None], size)[0])
            if len(chunk) == CHUNK or t == self.count - 1:
                yield t + 1 - len(chunk), np.stack(chunk)
                chunk = []


def look(path: Path, crop: str = "", boxes: Path | None = None, masks: Path | None = None, progress: bool = True) -> View:
    """Read a video (or image) once to see how long and large it is and where its subject is.

    crop: "subject", "frame" or "" (see :func:`choose_squares`); boxes: a CSV of boxes (:func:`kp.crops.read_boxes`); masks: a video or
    image of the same size, white where the subject is. KpError names the file that cannot be read or does not fit.
    """
    count, size, rate = measure(path)
    squares = choose_squares(path, count, size, crop, boxes, progress)
    if masks and (of_masks := measure(masks)[:2]) != (count, size):
        frames, (width, height) = of_masks
        raise KpError(f"{masks}: {frames} frames of {width}×{height}, but {path} has {count} of {size[0]}×{size[1]}; make them equal")
    return View(path, count, size, rate, squares, masks)


def track(predictor: Predictor, view: View, progress: bool = True) -> Track:
    """Find the keypoints in every frame. KpError if a background shows and the model learnt from subjects on black."""
    shown = set(np.unique(np.linspace(0, view.count - 1, GLIMPSES).astype(int)).tolist())
    found, sure, glimpses = [], [], []
    for first, frames in view.chunks(predictor.size, progress):
        predictor.check_background(frames, str(view.path))
        images = to_images(torch.from_numpy(frames))
        keypoints, confidence = read_surely(predictor, images)
        end = first + len(frames)
        found.append(view.squares.part(first, end).to_frame(to_pixels(keypoints, predictor.size), predictor.size))
        sure.append(confidence)
        glimpses.extend((images[t - first], keypoints[t - first]) for t in sorted(shown) if first <= t < end)
    return Track(view.path, view.size, view.rate, predictor.skeleton, torch.cat(found).numpy(), torch.cat(sure).numpy(), glimpses)
