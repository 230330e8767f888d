"""The commands that turn your own footage into something to learn from, or into a model: ``kp fit | prepare | masks``."""

from pathlib import Path
from typing import Literal

import tyro

from kp.errors import KpError


def fit(
    videos: tyro.conf.Positional[tuple[Path, ...]],
    poses: str,
    out: Path,
    skeleton: str = "",
    crop: Literal["", "subject", "frame"] = "",
    boxes: tuple[Path, ...] = (),
    masks: bool = True,
    start: str = "",
    every: int = 1,
    size: int = 64,
    steps: int = 1000,
    student_steps: int = 1000,
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Train a model on ordinary videos of one subject, without labels. Started again, it goes on where it was stopped.

    What it takes: one subject in the picture, a camera that stands still, all seen from much the same side (a drawn skeleton has no left
    and right of its own), and 2-D poses of other subjects. What it does: square clips around the subject, masks from motion, training
    on the subject on black, and a student of that model that needs no masks: RUN/model.safetensors. While it trains, RUN/report.html shows
    whether it learns, with pictures. Then: kp predict RUN VIDEO

    Args:
        videos: Videos (mp4, m4v, mov, avi, mkv, webm; any size), or folders of videos.
        poses: people or faces (the poses that ship with kp), or a file of poses of other subjects: kp's .csv or .npz, DeepLabCut's .csv
            or .h5, COCO's .json, SLEAP's .slp.
        out: Folder RUN: video set, masks, checkpoint, report, model.
        skeleton: Name or .json file of the skeleton; empty takes the shipped one with these joints, else the edges in the file.
        crop: Where the subject is, if frames are not square: "subject" finds what moves before a static camera, "frame" takes
            whole frames between black bars.
        boxes: One box track for each video instead: CSV files with the columns frame, x, y, width, height, in pixels.
        masks: Find masks from motion and learn from the subject on black; --no-masks learns from whole frames, which goes less far.
        start: Go on from a published model (people, faces), a run or a .safetensors file with this skeleton; empty starts afresh.
        every: Take every so many frames: neighbours of fast cameras are nearly equal.
        size: Resolution of the model, pixels a side (with --start that of the model).
        steps: Steps of the main training.
        student_steps: Steps of the student's.
        seed: Seed of every random choice.
        device: Where the main training computes: cpu, cuda, cuda:1, ...
    """
    from kp.own_video import Fit, find_poses
    from kp.own_video import fit as run
    from kp.watch import Watch

    if size < 64 or size % 8 or every < 1 or min(steps, student_steps) < 1:
        raise KpError(f"--size {size} --every {every}: a side is a multiple of 8, 64 at least; every and the steps are at least 1")
    absolute = lambda paths: tuple(path.absolute() for path in paths)
    asked = Fit(
        absolute(videos),
        find_poses(poses).absolute(),
        skeleton,
        crop,
        absolute(boxes),
        every,
        start,
        masks,
        size,
        steps=steps,
        student_steps=student_steps,
        seed=seed,
    )
    with Watch(out) as watch:
        run(asked, out, device, on_step=watch)
    print(f"trained: {out / 'model.safetensors'}\nreport:  {out / 'report.html'}\nnext:    kp predict {out} VIDEO")


def masks(
    videos: tyro.conf.Positional[Path],
    out: tyro.conf.Positional[Path],
    size: int = 64,
    steps: int = 600,
    seed: int = 0,
) -> None:
    """Make masks for videos that have none, from motion alone: static camera, moving subject.

    Then train with them: kp train laptop --data.videos VIDEOS --data.masks OUT

    Args:
        videos: Folder of the video set.
        out: Folder for the masks, <split>/<clip>.mp4.
        size: Resolution at which the subject is found.
        steps: Steps of the training of the network that finds it.
        seed: Its seed.
    """
    from kp.foreground import write_masks

    print(f"wrote {write_masks(videos, out, size, steps, seed)} masks to {out}/")


def prepare(
    videos: tyro.conf.Positional[tuple[Path, ...]],
    poses: Path,
    out: Path,
    skeleton: str = "",
    crop: Literal["", "subject", "frame"] = "",
    boxes: tuple[Path, ...] = (),
    size: int = 128,
    every: int = 1,
) -> None:
    """Make a video set from your own footage of one subject and poses of others.

    Then: kp masks OUT MASKS (static camera), and kp train laptop --data.videos OUT --data.prior own --data.masks MASKS

    Args:
        videos: Videos (mp4, m4v, mov, avi, mkv, webm; any size), or folders of videos.
        poses: 2-D poses of other subjects: kp's .csv or .npz, DeepLabCut's .csv or .h5, COCO's .json, SLEAP's .slp.
        out: Folder for the video set.
        skeleton: Name or .json file of the skeleton; empty takes the shipped one with these joints, else the edges in the file.
        crop: Where the subject is, if frames are not square: "subject" finds what moves before a static camera, "frame" takes
            whole frames between black bars.
        boxes: One box track for each video instead: CSV files with the columns frame, x, y, width, height, in pixels.
        size: Pixels of a side of the clips.
        every: Take every so many frames: neighbours of fast cameras are nearly equal.
    """
    from kp.footage import find_videos
    from kp.prepare import prepare as write
    from kp.skeleton import find_skeleton

    if size < 16 or every < 1:
        raise KpError(f"--size {size} --every {every}: a side has at least 16 pixels, and every is at least 1")
    named = find_skeleton(skeleton) if skeleton else None
    clips, count, chosen = write(find_videos(list(videos)), poses, out, named, size, crop, boxes, every)
    own = out / "skeleton.json"
    extra = f" --data.skeleton {own if own.is_file() else chosen.name}" if chosen.name != "body" else ""
    print(f"{out}: {clips} clips, {count} poses of the skeleton '{chosen.name}'")
    print(f"next:    kp masks {out} {out}_masks")
    print(f"then:    kp train --out runs/own laptop --data.videos {out} --data.prior own --data.masks {out}_masks{extra}")
