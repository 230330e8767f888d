"""Footage and poses before a training: what is there, what the crops keep of it, whether both agree, and what to change
if not.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from kp.errors import KpError, printable
from kp.figures import MIDDLE, grid, overlay
from kp.formats.poses import PoseFile
from kp.geometry import evenly, from_pixels
from kp.inference.batch import LITTLE, LONG, RIVALS
from kp.inference.crops import MARGIN, BoxTrack, Squares
from kp.inference.subject import find_boxes
from kp.inference.view import look
from kp.own_video.prepare import BODY_MARGIN, LENGTH, as_prior, still
from kp.skeletons import Skeleton
from kp.video import read_frames, shrink

SAMPLES = 8  # frames of each video that are looked at closely
FEW_FRAMES, FEW_POSES = 1500, 500
# share of the subject's box outside the square; of the square that the subject goes within a clip
CUT, MOVES = 0.1, 0.3
# how far footage and poses may differ: size (a factor), place (share of the square), height/width
SCALE, PLACE, SHAPE = 1.3, 0.12, 1.7
SMALL, STEADY = 1.8, 1.6  # how much smaller what moves may be than poses; how far a lying subject's shape may vary
UPSIDE_DOWN = "The poses stand on their heads: y must point down, as pixels do. Turn them over, or the model will."
MANY = 0.5  # share of the frames that may show a second subject before a training stops
# grey levels: a pixel that differs by more has changed; a subject that moves changes by more in the mean
CHANGE, STILL = 25, 2.0
UNSTEADY = 0.2  # share of the background that may change before a static camera


class Grave(str):
    """Advice that a training should not begin without: what it says would spoil it."""


@dataclass(frozen=True)
class Footage:
    """One video as it will be cropped.

    ``boxes`` (left, top, width, height) and ``squares`` in pixels of its frames; ``clips``: how many it gives;
    ``samples``: the numbers of some frames, and the frames; ``track``: where the subject was found, None for whole
    frames; ``moving``: then what moves in them, None if nothing is found.
    """

    path: Path
    size: tuple[int, int]
    rate: float
    every: int
    boxes: Float[np.ndarray, "t 4"]
    squares: Squares
    samples: tuple[list[int], list[UInt8[np.ndarray, "h w 3"]]]
    track: BoxTrack | None = None
    moving: BoxTrack | None = None

    @property
    def clips(self) -> int:
        frames = -(-len(self.boxes) // self.every)
        return frames // LENGTH + (frames % LENGTH >= LENGTH // 2)

    @property
    def kept(self) -> float:
        """Share of the frames' area within the squares."""
        corner, (width, height) = self.squares.corner, self.size

        def overlap(axis, length):
            return np.clip(
                np.minimum(corner[:, axis] + self.squares.side, length) - np.maximum(corner[:, axis], 0), 0, None
            )

        return float((overlap(0, width) * overlap(1, height)).mean() / (width * height))

    @property
    def black(self) -> float:
        """Share of the squares that lies outside the frames."""
        return 1 - self.kept * self.size[0] * self.size[1] / self.squares.side**2

    @property
    def in_square(self) -> Float[np.ndarray, "t 4"]:
        """The boxes as shares of their clip's square: it stands still while a clip lasts."""
        span, count = LENGTH * self.every, len(self.boxes)
        corner = np.concatenate([still(self.squares, a, min(a + span, count)).corner for a in range(0, count, span)])
        return np.concatenate([self.boxes[:, :2] - corner, self.boxes[:, 2:]], 1) / self.squares.side

    @property
    def moves(self) -> float:
        """The farthest that the subject's middle goes within a clip, as a share of the square."""
        boxes, span = self.in_square, LENGTH * self.every
        middle = boxes[:, :2] + boxes[:, 2:] / 2
        return max(float(np.ptp(middle[a : a + span], 0).max()) for a in range(0, len(middle), span))

    @property
    def cut(self) -> float:
        """The largest share of the subject's box that sticks out of its clip's square, at the worst twentieth of the
        frames.
        """
        boxes = self.in_square
        low, size = boxes[:, :2], boxes[:, 2:]
        out = np.clip(-low, 0, None) + np.clip(low + size - 1, 0, None)
        return float(np.quantile((out / size).max(1), 0.95))

    @property
    def crowded(self) -> bool:
        """Whether there is something else, nearly as large as the subject, in many frames."""
        return self.track is not None and self.track.second > RIVALS

    def changes(self) -> tuple[float, float]:
        """(share of pixels outside both boxes that change between successive samples, mean change within the squares in
        grey levels).
        """
        numbers, frames = self.samples
        outside, inside = [], []
        for (a, one), (b, other) in pairwise(zip(numbers, frames, strict=True)):
            difference = np.abs(one.astype(int) - other).mean(2)
            free = np.ones(difference.shape, bool)
            for left, top, width, height in self.boxes[[a, b]].round().astype(int):
                free[max(top, 0) : top + height, max(left, 0) : left + width] = False
            outside.append((difference[free] > CHANGE).mean() if free.any() else 0.0)
            inside.append(np.abs(self.squares.cut(one, a).astype(int) - self.squares.cut(other, a)).mean())
        return (float(np.median(outside)), float(np.median(inside))) if outside else (0.0, 0.0)


def look_through(path: Path, crop: str = "", boxes: Path | None = None, every: int = 1) -> Footage:
    """Read a film as ``kp prepare`` would, and keep some frames.

    KpError as :func:`kp.inference.view.look`, or for a damaged file.
    """
    view = look(path, crop, boxes)
    count, track = view.count, view.track
    numbers = evenly(count, SAMPLES)
    frames = [frame.pixels for t, frame in enumerate(read_frames(path)) if t in numbers]
    whole = np.tile(np.array([[0.0, 0.0, *view.size]]), (count, 1))
    areas = whole if track is None else track.boxes
    moving = what_moves(path) if track is None else None
    return Footage(path, view.size, view.rate, every, areas, view.squares, (numbers, frames), track, moving)


def what_moves(path: Path) -> BoxTrack | None:
    """The largest thing that moves in a film, if there is one in most frames."""
    try:
        track = find_boxes(path, progress=False)
    except KpError:
        return None
    return track if track.seen.mean() > 0.5 else None


@dataclass(frozen=True)
class Extent:
    """Where subjects are in their squares, medians: ``size`` (longer side), ``middle`` (x, y), both as shares of the
    square; ``shape``, height/width, and whether it stays ``steady``.
    """

    size: float
    middle: tuple[float, float]
    shape: float
    steady: bool = True

    @staticmethod
    def of(boxes: Float[np.ndarray, "n 4"]) -> "Extent":
        """From boxes (left, top, width, height), as shares of their squares."""
        middle = np.median(boxes[:, :2] + boxes[:, 2:] / 2, 0)
        shapes = boxes[:, 3] / np.maximum(boxes[:, 2], 1e-6)
        low, shape, high = np.quantile(shapes, (0.25, 0.5, 0.75))
        size = float(np.median(boxes[:, 2:].max(1)))
        return Extent(size, (float(middle[0]), float(middle[1])), float(shape), bool(high < STEADY * low))


def outlines(poses: Float[np.ndarray, "n k 2"], size: int) -> Float[np.ndarray, "n 4"]:
    """Boxes (left, top, width, height) that subjects in these poses fill, as shares of squares of ``size`` pixels;
    poses: pixel indices.
    """
    low, span = poses.min(1), np.ptp(poses, 1)
    return np.concatenate([low - (BODY_MARGIN - 1) / 2 * span + 0.5, BODY_MARGIN * span], 1) / size


def upside_down(poses: Float[np.ndarray, "n k 2"], skeleton: Skeleton) -> bool:
    """Whether heads lie below feet in most poses (y points down); False for skeletons without such names."""

    def height(words):
        return [poses[:, i, 1] for i, joint in enumerate(skeleton.joints) if any(w in joint.lower() for w in words)]

    heads, feet = height(("head", "nose", "eye")), height(("ankle", "foot", "toe"))
    return bool(heads and feet and np.median(np.mean(heads, 0) - np.mean(feet, 0)) > 0)


def advise(footage: list[Footage], pose_file: PoseFile, skeleton: Skeleton, size: int, moving: bool) -> list[str]:
    """What to change before a training at ``size`` pixels, in plain words, the gravest first; empty if nothing is
    amiss.

    moving: whether the subject was found by its motion or by boxes (else whole frames are seen, and their background is
    not judged).
    """
    poses = as_prior(pose_file, skeleton, size, MARGIN)
    crowd = any(f.crowded for f in footage)
    advice = [
        *([Grave(UPSIDE_DOWN)] if upside_down(poses, skeleton) else []),
        *(
            compare(Extent.of(np.concatenate([f.in_square for f in footage])), Extent.of(outlines(poses, size)), crowd)
            if moving
            else ()
        ),
        *(() if moving else too_small(footage, Extent.of(outlines(poses, size)))),
        *(type(words)(f"{f.path.name}: {words}") for f in footage for words in judge(f, size, moving)),
    ]
    if all(f.changes()[1] < STILL and not f.crowded for f in footage):
        advice.insert(
            0, Grave("Nothing moves in any of the films, and the method learns from motion: film the subject.")
        )
    frames = sum(-(-len(f.boxes) // f.every) for f in footage)
    if frames < FEW_FRAMES:
        advice.append(
            f"{frames} frames are few: a model that starts from nothing needs thousands. Go on from published weights "
            "(--start)."
        )
    if len(poses) < FEW_POSES:
        advice.append(
            f"{len(poses)} poses are few: in the book's ablations 500 were enough and 50 were not. Add poses of anyone."
        )
    return advice


def too_small(footage: list[Footage], poses: Extent) -> list[str]:
    """Whether what moves in whole frames fills much less of them than poses fill of their squares."""
    advice = []
    for f in footage:
        if f.moving is not None:
            size = float(np.median(f.moving.boxes[f.moving.seen, 2:].max(1)) / f.squares.side)
            if size * SMALL < poses.size:
                advice.append(
                    f"{f.path.name}: what moves fills {size:.0%} of the square, poses fill {poses.size:.0%} of theirs: "
                    "crop closer, with --crop subject or --boxes."
                )
    return advice


def compare(here: Extent, there: Extent, crowd: bool = False) -> list[str]:
    """Where subjects (``here``) and poses (``there``) differ in their squares: way up, shape, size, place.

    crowd: whether more than one thing moves: then boxes may hold several subjects.
    """
    advice, (x, y) = [], np.subtract(here.middle, there.middle)
    shapes = f"height/width {here.shape:.2f}, poses {there.shape:.2f}"
    turned = max(here.shape * there.shape, 1 / (here.shape * there.shape)) < SHAPE
    if here.shape < 1 / 1.1 and there.shape > 1.1 and here.steady and turned and not crowd:
        advice.append(Grave(f"Subjects lie and poses stand ({shapes}): turn the videos, or the poses, by 90°."))
    elif max(here.shape / there.shape, there.shape / here.shape) > SHAPE and here.shape < there.shape:
        advice.append(
            f"Boxes are wider than poses ({shapes}): do they hold several subjects, a shadow, or a subject seen from "
            "another side? Look at the picture; give one subject's boxes (--boxes), or like movements as poses."
        )
    elif max(here.shape / there.shape, there.shape / here.shape) > SHAPE:
        advice.append(
            f"Subjects have another shape than poses ({shapes}): are these like movements, seen from the same side?"
        )
    if max(here.size / there.size, there.size / here.size) > SCALE:
        advice.append(
            f"Subjects fill {here.size:.0%} of their squares, poses {there.size:.0%}: cut videos in which the subject "
            "comes nearer."
        )
    if max(abs(x), abs(y)) > PLACE:
        advice.append(
            f"Subjects lie {x:+.0%} of the square to the right of the poses and {y:+.0%} below them: check the boxes."
        )
    return advice


def judge(footage: Footage, size: int, moving: bool) -> list[str]:
    """What to change about one video."""
    advice, (background, change) = [], footage.changes()
    track = footage.track
    if footage.crowded:
        words = (
            f"there is a second subject in {track.second:.0%} of the frames, and kp follows one: cut the film to one, "
            "or give its boxes (--boxes)."
        )
        advice.append(Grave(words) if track.second > MANY else words)
    if track is not None and track.seen.mean() < LITTLE:
        advice.append(
            f"the subject was found in {track.seen.mean():.0%} of the frames only: correct its boxes (--save-boxes, "
            "then --boxes), or cut the rest out."
        )
    elif track is not None and track.longest_gap > LONG * footage.rate:
        advice.append(f"the subject was gone for {track.longest_gap / footage.rate:.1f} s: cut that out.")
    if moving and background > UNSTEADY:
        advice.append(
            f"{background:.0%} of the background changes: does the camera move? Masks by motion will fail; take "
            "--crop person and --masks person for people, --masks brightness for what is brighter or darker than all "
            "around it."
        )
    if change < STILL and not footage.crowded:
        advice.append("hardly anything moves, and the method learns from motion: leave it out.")
    if moving and footage.moves > MOVES and not footage.crowded:
        advice.append(
            f"the subject goes {footage.moves:.0%} of its square within a clip: film wider or faster, or take a "
            "smaller --every."
        )
    if moving and footage.cut > CUT:
        advice.append(
            f"up to {footage.cut:.0%} of the subject are cut off: its clip's square stands still. Take a smaller "
            "--every."
        )
    if footage.squares.side < size:
        advice.append(f"squares of {footage.squares.side} pixels are enlarged to {size}: take larger footage.")
    if not footage.clips:
        advice.append(Grave(f"too short: a clip needs {LENGTH // 2} frames. Leave it out, or take a smaller --every."))
    return advice


def as_table(footage: list[Footage], moving: bool) -> list[str]:
    """Two lines a video: what it is, and what its squares keep of it."""
    lines = []
    for f in footage:
        inside, seconds = f.in_square[:, 2:].max(1), len(f.boxes) / f.rate
        name, (width, height), count = printable(f.path.name), f.size, len(f.boxes)
        lines.append(
            f"{name}: {width}×{height}, {count} frames, {f.rate:.3g} a second, {seconds:.1f} s → clips: {f.clips}"
        )
        line = f"  squares of {f.squares.side} pixels keep {f.kept:.0%} of the frame"
        line += f", {f.black:.0%} of them is black" if f.black >= 0.005 else ""
        if moving:
            line += (
                f"; the subject fills {inside.min():.0%} to {inside.max():.0%} of them and goes {f.moves:.0%} of their "
                "side within a clip"
            )
        if f.track is not None:
            line += f"; seen in {f.track.seen.mean():.0%} of the frames, longest gap {f.track.longest_gap} frames"
        lines.append(line)
    return lines


def contact_sheet(footage: list[Footage], pose_file: PoseFile, skeleton: Skeleton, size: int) -> Figure:
    """The contact sheet: of each video a frame with its square, and crops as a model of ``size`` pixels sees them;
    poses as large.
    """
    poses = torch.from_numpy(as_prior(pose_file, skeleton, size, MARGIN))
    chosen = from_pixels(poses[torch.linspace(0, len(poses) - 1, SAMPLES + 1).long()], size)
    rows = []
    for f in footage:
        numbers, frames = f.samples
        crops = [shrink(f.squares.cut(frame, t)[None], size)[0] for t, frame in zip(numbers, frames, strict=True)]
        rows.append(
            (f.path.stem[:14], [framed(frames[len(frames) // 2], f.squares, numbers[len(frames) // 2]), *crops])
        )
    black = -torch.ones(3, size, size)
    return grid([*rows, ("poses", [overlay(black, pose, skeleton) for pose in chosen])], 1.2, ["frame"])


def framed(frame: UInt8[np.ndarray, "h w 3"], squares: Squares, t: int):
    """A grid cell: a whole frame and the square that is cut from it."""

    def paint(axis):
        axis.imshow(frame)
        axis.add_patch(Rectangle(squares.corner[t] - 0.5, squares.side, squares.side, fill=False, color=MIDDLE, lw=1.5))
        axis.autoscale()

    return paint
