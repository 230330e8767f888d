"""Masks for a video set that has none: ``kp masks``."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, UInt8
from tqdm import tqdm

from kp.datasets.clips import load_clips
from kp.errors import KpError, library
from kp.files import atomic_folder
from kp.inference.person import PersonFinder
from kp.inference.subject import LEAST
from kp.own_video.masks import By
from kp.own_video.masks.brightness import brightness_mask
from kp.own_video.masks.motion import motion_masks, train_foreground
from kp.video import read_video, write_video

MOST = 1000  # clips to learn from, where there are more
Finder = Callable[[UInt8[np.ndarray, "t h w 3"]], Bool[np.ndarray, "t h w"]]
"""A clip's frames → where the subject is."""
ADVICE = {
    "motion": "the camera must stand still and the subject must move; for people try by person",
    "person": "is the subject a person, and upright? If not, try by motion",
    "selfie": "is the subject a person, within two metres? If not, try by person or by motion",
    "brightness": "the subject must be brighter or darker than all around it; if not, try by motion",
}


def write_masks(
    videos: Path, out: Path, by: By = "motion", size: int = 64, steps: int = 600, seed: int = 0, device: str = "cpu"
) -> int:
    """Write <out>/<split>/<clip>.mp4 for every clip of a video set, white where the subject is, at the size of the
    videos, as :func:`kp.datasets.clips.load_clips` reads them; returns how many.

    by: what tells the subject from its background, see :data:`kp.own_video.masks.By`. size, steps, seed, device: of the
    network that learns from the train clips what moves; the other ways learn nothing. ``out`` appears whole, at the
    end; until then the masks are in <out>.part, which the next call empties, and what was learnt in <out>.1 and
    <out>.2, from which the same call goes on. KpError as from load_clips, if hardly anything moves, if the subject is
    found in less than half of the frames, if ``out`` holds files already, or if it cannot be written.
    """
    paths = sorted((videos / "videos").glob("*/*.mp4"))
    if not paths:
        raise KpError(f"{videos / 'videos'}: no clips; expected videos/<split>/*.mp4 below {videos}")
    with atomic_folder(out) as part:
        find, frame_count, found = finder(videos, out, by, size, steps, seed, device), 0, 0
        for path in tqdm(paths, desc="masks", unit="clip"):
            try:
                mask = find(read_video(path))
            except KpError as error:
                raise KpError(f"{path}: {error}") from error
            frame_count, found = frame_count + len(mask), found + int((mask.mean((1, 2)) > LEAST).sum())
            white = np.repeat(mask[..., None], 3, -1).astype(np.uint8) * 255
            write_video(part / path.parent.name / path.name, white, crf=18)
        if 2 * found < frame_count:
            raise KpError(
                f"{videos}: the subject is found in only {found} of {frame_count} frames by {by}; {ADVICE[by]}"
            )
    for number in (1, 2):
        out.with_name(f"{out.name}.{number}").unlink(missing_ok=True)
    return len(paths)


def finder(videos: Path, out: Path, by: By, size: int, steps: int, seed: int, device: str) -> Finder:
    """Finds the subject in a clip's frames, by one of the ways; by motion after a training on the train clips."""
    if by != "motion":
        return ready_finder(by, videos)
    clips = load_clips(videos, "train", size, background=True, memory=1.0).some(MOST)
    net = train_foreground(clips, steps, seed, device=device, keep=out)
    return lambda frames: motion_masks(net, frames, size)


def ready_finder(by: Literal["person", "selfie", "brightness"], path: Path) -> Finder:
    """Finds the subject in frames, by a way that learns nothing. KpError, about ``path``, if OpenCV is missing."""
    cv2 = library("cv2", "video", path)
    return (lambda frames: brightness_mask(frames, cv2)) if by == "brightness" else PersonFinder(cv2, by == "selfie")
