"""Films and a file of poses → a video set that kp trains on: square clips around the subject, and its prior."""

import csv
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from tqdm import tqdm

from kp.datasets.priors import Poses
from kp.errors import KpError, printable
from kp.files import atomic_folder
from kp.formats.poses import PoseFile
from kp.geometry import from_pixels
from kp.inference.crops import MARGIN, Squares, side_around
from kp.inference.view import look
from kp.skeletons import SHIPPED, Skeleton
from kp.video import read_frames, shrink, write_video

LENGTH = 32  # frames of a clip: the square stands still, so the subject must not go far


def still(squares: Squares, first: int, end: int) -> Squares:
    """The mean of the squares of frames ``first`` to ``end``, for all of them: what stands still in the film stands
    still in the clip.
    """
    corner = np.round(squares.corner[first:end].mean(0)).astype(int)
    return Squares(np.tile(corner, (end - first, 1)), squares.side)


def cut_clips(video: Path, out: Path, number: int, size: int, crop: str, boxes: Path | None, every: int) -> list[str]:
    """Write <out>/<number>.mp4 and so on: square clips of 32 frames, one in ``every`` of the video's; returns their
    names.

    A rest of fewer than half as many frames is left out. KpError as from :func:`kp.inference.view.look`,
    or if the video is too short.
    """
    view = look(video, crop, boxes)
    squares, count = view.squares, view.count
    names, clip = [], []
    frames = tqdm(read_frames(video), desc=printable(f"{video.name}: clips"), total=count, unit="frame")
    for t, frame in enumerate(frames):
        first = t // (LENGTH * every) * LENGTH * every
        if t % every == 0:
            place = still(squares, first, min(first + LENGTH * every, count))
            clip.append(shrink(place.cut(frame.pixels, t - first)[None], size)[0])
        if len(clip) == LENGTH or (clip and t == count - 1):
            if len(clip) >= LENGTH // 2:
                names.append(f"{number + len(names):05d}")
                write_video(out / f"{names[-1]}.mp4", clip, crf=12, rate=view.rate / every)
            clip = []
    if not names:
        raise KpError(
            f"{video}: gives {-(-count // every)} frames, a clip needs {LENGTH // 2}; take a longer video or a smaller "
            "--every"
        )
    return names


def write_prior(poses: PoseFile, skeleton: Skeleton, size: int, out: Path) -> int:
    """Write priors/own.npz and, for a skeleton that kp does not ship, skeleton.json below ``out``; returns how many
    poses are complete.
    """
    keypoints = as_prior(poses, skeleton, size, MARGIN)
    (out / "priors").mkdir(parents=True)
    source = np.full(len(keypoints), poses.path.stem)
    np.savez_compressed(
        out / "priors/own.npz", keypoints=keypoints, joint_names=skeleton.joints, frame_size=size, source=source
    )
    if skeleton not in SHIPPED:
        record = asdict(skeleton) | {"regions": dict(skeleton.regions)}
        (out / "skeleton.json").write_text(json.dumps(record, indent=1) + "\n")
    return len(keypoints)


def prepare(
    videos: list[Path],
    poses: PoseFile,
    skeleton: Skeleton,
    out: Path,
    size: int = 128,
    crop: str = "",
    boxes: tuple[Path, ...] = (),
    every: int = 1,
) -> tuple[int, int]:
    """Write a video set (:mod:`kp.datasets.clips`) to ``out``: ``videos/train/*.mp4``, clips.csv, priors/own.npz;
    returns (clips, poses).

    poses, skeleton: as :func:`kp.formats.read.fit_skeleton` gives them. crop, boxes: as
    :func:`kp.inference.view.look` takes them, boxes one a video. ``out`` appears whole, at the end; until then it is in
    <out>.part. KpError names the file that does not fit, or ``out`` if it is in use or cannot be written.
    """
    if boxes and len(boxes) != len(videos):
        raise KpError(f"{len(videos)} videos but {len(boxes)} box tracks; give one for each, in the same order")
    rows = []
    with atomic_folder(out) as part:
        count = write_prior(poses, skeleton, size, part)
        for number, video in enumerate(videos):
            names = cut_clips(
                video, part / "videos/train", len(rows), size, crop, boxes[number] if boxes else None, every
            )
            rows += [("train", name, video.stem) for name in names]
        with open(part / "clips.csv", "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([("split", "clip", "source"), *rows])
    return len(rows), count


BODY_MARGIN = 1.1  # a subject's outline is about so much larger than the box around its joints


def as_prior(pose_file: PoseFile, skeleton: Skeleton, size: int, margin: float) -> Float[np.ndarray, "n k 2"]:
    """Complete poses of the skeleton's joints, as pixel indices of squares of ``size`` pixels that surround the subject
    as crops do.

    A square's side is ``margin`` times the longer side of the outline, taken to be a tenth larger than the joints' box.
    Poses that one camera saw share one side, as its crops would; others have one each. KpError if no pose is complete.
    """
    complete = pose_file.complete(skeleton)
    poses = pose_file.keypoints[complete][:, pose_file.order(skeleton)]
    if not len(poses):
        raise KpError(
            f"{pose_file.path}: no pose has all joints of the skeleton '{skeleton.name}' ({pose_file.counts(skeleton)})"
        )
    low, span = poses.min(1), np.ptp(poses, 1)
    if (span.max(1) == 0).any():
        raise KpError(f"{pose_file.path}: in {(span.max(1) == 0).sum()} poses all joints lie in one point; remove them")
    side = span.max(1) * margin * BODY_MARGIN
    cameras = np.zeros(len(poses), int) if pose_file.cameras is None else pose_file.cameras[complete]
    for camera in np.unique(cameras[cameras >= 0]):
        of_it = cameras == camera
        side[of_it] = side_around(np.concatenate([low, span], 1)[of_it], margin * BODY_MARGIN)
    corner = low + span / 2 - side[:, None] / 2
    return ((poses - corner[:, None] + 0.5) * (size / side)[:, None, None] - 0.5).astype(np.float32)


def in_squares(pose_file: PoseFile, skeleton: Skeleton, size: int) -> Poses:
    """The poses of :func:`as_prior` as (x, y) in [-1, 1] of their squares."""
    keypoints = from_pixels(torch.from_numpy(as_prior(pose_file, skeleton, size, MARGIN)), size)
    return Poses(keypoints, [pose_file.path.stem] * len(keypoints))
