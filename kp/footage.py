"""Ordinary videos, one frame after the other: any size and frame rate, turned by a flag or not; nothing is held in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from jaxtyping import UInt8

from kp.errors import KpError

ENDINGS = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm")


@dataclass(frozen=True)
class Frame:
    """``pixels`` RGB, upright as a player shows them; ``seconds`` from the start of the video."""

    pixels: UInt8[np.ndarray, "h w 3"]
    seconds: float


def is_video(path: Path) -> bool:
    """Whether the file's ending is that of a video."""
    return path.suffix.lower() in ENDINGS


def each_frame(path: Path) -> Iterator[Frame]:
    """The frames of a video in order, decoded one at a time.

    A rotation flag is obeyed (telephones film upright videos lying down), so pixels are those that a player shows. Times are the
    file's own, also where the frame rate varies. KpError names the file if it is missing, is no video, or is damaged: then it says
    after how many frames.
    """
    if not path.is_file():
        raise KpError(f"{path}: no such video; check the path")
    count, size, to_rgb = 0, None, av.video.reformatter.VideoReformatter()  # one for all frames: far faster
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            stream = container.streams.video[0]
            promised, timeless = stream.frames, container.format.name == "avi"  # no times in the file, only a rate
            for frame in container.decode(video=0):
                pixels = np.rot90(to_rgb.reformat(frame, format="rgb24").to_ndarray(), round(frame.rotation / 90))
                if size not in (None, pixels.shape):
                    raise KpError(f"{path}: frames change their size after {count} frames; cut the video there")
                size = pixels.shape
                seconds = count / stream.average_rate if timeless else frame.time
                yield Frame(np.ascontiguousarray(pixels), float(seconds or 0.0))
                count += 1
    except (av.error.FFmpegError, IndexError) as error:
        raise KpError(
            f"{path}: not a readable video after {count} frames ({error}); it may be cut short: copy or convert it again"
        ) from error
    if not count or count < promised:
        raise KpError(f"{path}: only {count} of {promised} frames can be read; the file is cut short: copy or convert it again")


def find_videos(paths: list[Path]) -> list[Path]:
    """Video files among ``paths`` and, sorted by name, in the folders among them. KpError if one is neither, or a folder has none."""
    found = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if is_video(p) and not p.name.startswith("."))
            if not inside:
                raise KpError(f"{path}: holds no video ({', '.join(e[1:] for e in ENDINGS)})")
            found += inside
        elif not path.exists():
            raise KpError(f"{path}: no such file or folder; check the path")
        elif not is_video(path):
            raise KpError(f"{path}: not a video ({', '.join(e[1:] for e in ENDINGS)}); convert it first")
        else:
            found.append(path)
    return found
