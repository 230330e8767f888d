"""Masks of people against the true ones, and how well poses cover silhouettes: ``python -m
kp.research.scripts.silhouettes``.

On validation clips of data/people, and, if there is footage of people, by masks by person in each film of it
(book/own_video.ipynb fetches some to runs/footage).
"""

from pathlib import Path

import numpy as np
import torch
import tyro

from kp.config import laptop
from kp.datasets.clips import load_clips, to_images
from kp.datasets.priors import load_prior
from kp.datasets.retrieval import silhouettes
from kp.errors import library
from kp.inference.person import PersonFinder
from kp.own_video.check import look_through
from kp.own_video.coverage import judge_poses, silhouettes_of
from kp.own_video.fit import find_poses, open_poses
from kp.own_video.prepare import in_squares
from kp.provenance import command_line, data_checksum, write_record
from kp.skeletons import BODY
from kp.video import read_video

FRAMES = [3, 17, 29]  # of each clip


def main(
    videos: Path = Path("data/people"),
    footage: Path = Path("runs/footage/Demo_SinglePerson/videos"),
    out: Path = Path("results/silhouettes.json"),
) -> None:
    """Measure on the validation clips, and on footage.

    Args:
        videos: Folder of the video set, with true masks.
        footage: Folder of films of one person; left out if there is none.
        out: Where to write the record.
    """
    cv2 = library("cv2", "video", videos)
    finders = {"selfie": PersonFinder(cv2, close=True), "person": PersonFinder(cv2)}
    overlaps: dict[str, list[float]] = {way: [] for way in finders}
    for path in sorted((videos / "videos/val").glob("*.mp4")):
        frames, true = (read_video(p)[FRAMES] for p in (path, videos / "masks/val" / path.name))
        for way, find in finders.items():
            pairs = zip(find(frames), true[..., 0] > 127, strict=True)
            overlaps[way] += [float((a & b).sum() / (a | b).sum()) for a, b in pairs]
    size = laptop().data.size
    clips = load_clips(videos, "val", size)
    shapes = silhouettes(torch.cat([to_images(frames[FRAMES]) for frames in clips.frames]))
    priors = ("matched", "other")
    covered = {
        prior: judge_poses(shapes, load_prior(laptop().but(**{"data.prior": prior}).data), BODY) for prior in priors
    }
    if footage.is_dir():
        pose_file, skeleton = open_poses(find_poses("people"))
        poses = in_squares(pose_file, skeleton, size)
        for film in sorted(footage.glob("*.mp4")):
            seen = silhouettes_of([look_through(film, "subject")], size, finders["person"])
            covered[film.stem] = judge_poses(seen, poses, skeleton)
    record = {
        "overlap": {way: float(np.mean(values)) for way, values in overlaps.items()},
        "coverage": {name: {"plain": c.plain, "turned": c.turned} for name, c in covered.items()},
        "frames": len(shapes),
        "command": command_line(),
        "data_checksum": data_checksum(videos),
    }
    write_record(out, record)
    for part in ("overlap", "coverage"):
        print(part, record[part])


if __name__ == "__main__":
    tyro.cli(main)
