"""Ordinary videos and a file of poses → a video set that kp trains on: short square clips around the subject, and its prior."""

import csv
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
from tqdm import tqdm

from kp.clips import shrink, write_video
from kp.crops import MARGIN, Squares
from kp.errors import KpError
from kp.footage import each_frame
from kp.pose_files import as_prior, choose_skeleton, read_pose_file
from kp.skeleton import SHIPPED, Skeleton
from kp.tracking import choose_squares, measure

LENGTH = 32  # frames of a clip: the square stands still, so the subject must not go far


def still(squares: Squares, first: int, end: int) -> Squares:
    """The mean of the squares of frames ``first`` to ``end``, for all of them: what stands still in the video stands still in the clip."""
    corner = np.round(squares.corner[first:end].mean(0)).astype(int)
    return Squares(np.tile(corner, (end - first, 1)), squares.side)


def cut_clips(video: Path, out: Path, number: int, size: int, crop: str, boxes: Path | None, every: int) -> list[str]:
    """Write <out>/<number>.mp4 and so on: square clips of 32 frames, one in ``every`` of the video's; returns their names.

    A rest of fewer than half as many frames is left out. KpError as from :func:`kp.tracking.choose_squares`, or if the video is too short.
    """
    count, frame_size, rate = measure(video)
    squares = choose_squares(video, count, frame_size, crop, boxes)
    names, clip = [], []
    frames = tqdm(each_frame(video), desc=f"{video.name}: clips", total=count, unit="frame")
    for t, frame in enumerate(frames):
        first = t // (LENGTH * every) * LENGTH * every
        if t % every == 0:
            place = still(squares, first, min(first + LENGTH * every, count))
            clip.append(shrink(place.cut(frame.pixels, t - first)[None], size)[0])
        if len(clip) == LENGTH or (clip and t == count - 1):
            if len(clip) >= LENGTH // 2:
                names.append(f"{number + len(names):05d}")
                write_video(out / f"{names[-1]}.mp4", clip, crf=12, rate=rate / every)
            clip = []
    if not names:
        raise KpError(f"{video}: gives {-(-count // every)} frames, a clip needs {LENGTH // 2}; take a longer video or a smaller --every")
    return names


def write_prior(poses: Path, named: Skeleton | None, size: int, out: Path) -> tuple[Skeleton, int]:
    """Write priors/own.npz and, for a skeleton that kp does not ship, skeleton.json below ``out``; returns (skeleton, complete poses)."""
    found = read_pose_file(poses)
    skeleton = choose_skeleton(found, named)
    keypoints = as_prior(found, skeleton, size, MARGIN)
    (out / "priors").mkdir(parents=True)
    source = np.full(len(keypoints), poses.stem)
    np.savez_compressed(out / "priors/own.npz", keypoints=keypoints, joint_names=skeleton.joints, frame_size=size, source=source)
    if skeleton not in SHIPPED:
        told = asdict(skeleton) | {"regions": dict(skeleton.regions)}
        (out / "skeleton.json").write_text(json.dumps(told, indent=1) + "\n")
    return skeleton, len(keypoints)


def prepare(
    videos: list[Path],
    poses: Path,
    out: Path,
    skeleton: Skeleton | None = None,
    size: int = 128,
    crop: str = "",
    boxes: tuple[Path, ...] = (),
    every: int = 1,
) -> tuple[int, int, Skeleton]:
    """Write a video set (:mod:`kp.clips`) to ``out``: ``videos/train/*.mp4``, clips.csv, priors/own.npz; returns (clips, poses, skeleton).

    crop, boxes: as :func:`kp.tracking.track` takes them, boxes one a video. ``out`` appears whole, at the end; until then it is in
    <out>.part. KpError names the file that does not fit, or ``out`` if it is in use or cannot be written.
    """
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise KpError(f"{out}: is in use already; delete it or choose another folder")
    if boxes and len(boxes) != len(videos):
        raise KpError(f"{len(videos)} videos but {len(boxes)} box tracks; give one for each, in the same order")
    part, rows = out.with_name(out.name + ".part"), []
    try:
        shutil.rmtree(part, ignore_errors=True)
        chosen, count = write_prior(poses, skeleton, size, part)
        for number, video in enumerate(videos):
            names = cut_clips(video, part / "videos/train", len(rows), size, crop, boxes[number] if boxes else None, every)
            rows += [("train", name, video.stem) for name in names]
        with open(part / "clips.csv", "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([("split", "clip", "source"), *rows])
        if out.is_dir():
            out.rmdir()
        part.rename(out)
    except OSError as error:
        raise KpError(f"{out}: cannot be written ({error.strerror}); choose another folder") from error
    return len(rows), count, chosen
