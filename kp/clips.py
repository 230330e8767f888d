"""Unlabelled videos: a folder of clips → frame pairs. Nothing here can read ground truth.

A video set is a folder::

    videos/<split>/<clip>.mp4     square frames, one subject, static camera
    masks/<split>/<clip>.mp4      optional: white where the subject is (kp/foreground.py can make them)
    clips.csv                     optional: split,clip,source,... one line a clip

Further sets (faces, other cameras, your own footage) are further folders of this shape.
"""

import csv
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from kp.errors import KpError
from kp.whole import whole


def read_video(path: Path) -> UInt8[np.ndarray, "t h w 3"]:
    """All frames of a video, RGB. KpError names the file if it is missing, damaged, or has under two frames."""
    if not path.is_file():
        raise KpError(f"{path}: no such video; check the folder, or restore it with 'git checkout' or 'make data'")
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            promised = container.streams.video[0].frames
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    except (av.error.FFmpegError, IndexError) as error:
        raise KpError(f"{path}: not a readable video ({error}); it may be cut short: copy or render it again") from error
    if promised and len(frames) != promised:
        raise KpError(f"{path}: only {len(frames)} of {promised} frames can be read; the file is cut short: copy or render it again")
    if len(frames) < 2:
        raise KpError(f"{path}: has {len(frames)} frame; a clip needs at least 2, since frames are compared in pairs")
    return np.stack(frames)


def write_video(path: Path, frames: Iterable[np.ndarray], crf: int, rate: float = 20.0, preset: str = "veryslow") -> None:
    """H.264 mp4 of RGB frames (h, w, 3), uint8, ``rate`` a second; ``crf`` from 0 (nearly exact) to 51. Equal frames give equal bytes.

    preset: x264's trade of time for size. KpError if the file cannot be written; then, too, it is whole or not there.
    """
    with whole(path) as part, av.open(str(part), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1001))
        stream.pix_fmt, stream.thread_count = "yuv420p", 1  # more threads, other bytes
        stream.options = {"crf": str(crf), "preset": preset}
        for number, frame in enumerate(frames):
            if number == 0:
                stream.height, stream.width = frame.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def read_image(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """One image, RGB; grey and black-and-white ones in three equal channels. KpError names the file if it is missing or damaged."""
    if not path.is_file():
        raise KpError(f"{path}: no such image; check the folder, or unpack the set again")
    try:
        with Image.open(path) as image:
            return np.array(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise KpError(f"{path}: not a readable image; it may be cut short: copy or unpack it again") from error


def shrink(frames: UInt8[np.ndarray, "t h w c"], size: int) -> UInt8[np.ndarray, "t {size} {size} c"]:
    """Resize whole frames with antialiasing."""
    if frames.shape[1:3] == (size, size):
        return frames
    x = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
    x = F.interpolate(x, (size, size), mode="bilinear", antialias=True, align_corners=False)
    return x.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()


def black_out(frames: UInt8[np.ndarray, "t h w 3"], masks: UInt8[np.ndarray, "t h w 3"]) -> UInt8[np.ndarray, "t h w 3"]:
    """Frames with all but the subject black; masks are white (255) where the subject is."""
    return (frames * (masks[..., :1] / np.float32(255))).astype(np.uint8)


@dataclass(frozen=True)
class Clips:
    """Clips of one split in memory. ``frames``: one (t, s, s, 3) uint8 tensor a clip; ``sources``: a label a clip."""

    names: list[str]
    sources: list[str]
    frames: list[Tensor]

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def size(self) -> int:
        return self.frames[0].shape[1]

    def pairs(self, count: int, generator: torch.Generator) -> tuple[Float[Tensor, "b 3 s s"], Float[Tensor, "b 3 s s"]]:
        """``count`` random pairs (x, x') of two different frames of one clip, in [-1, 1]."""
        clip = torch.randint(len(self), (count,), generator=generator).tolist()
        draw = torch.rand(count, 2, generator=generator).tolist()
        first, second = [], []
        for c, (a, b) in zip(clip, draw, strict=True):
            n = len(self.frames[c])
            i = int(a * n)
            j = (i + 1 + int(b * (n - 1))) % n  # never i itself: from the frame itself Ψ could copy
            first.append(self.frames[c][i])
            second.append(self.frames[c][j])
        return to_images(torch.stack(first)), to_images(torch.stack(second))


def augment_pairs(
    frames: tuple[Float[Tensor, "b 3 s s"], Float[Tensor, "b 3 s s"]], generator: torch.Generator, mirror: bool = True
) -> tuple[Float[Tensor, "b 3 s s"], Float[Tensor, "b 3 s s"]]:
    """Frame pairs in [-1, 1] with new colours and, if ``mirror``, half of them mirrored; both frames of a pair alike. Black stays black.

    Not in the paper. Colours are mixed by a random matrix near the identity, then raised to a power between 0.7 and 1.4.
    """
    n = len(frames[0])
    draw = lambda *shape: torch.rand(n, *shape, generator=generator)
    mix = torch.eye(3) * (0.6 + 0.8 * draw(3, 1)) + 0.5 * (draw(3, 3) - 0.5)
    power = 2 ** (draw(1, 1, 1) - 0.5)
    mirrored = draw(1, 1, 1) < 0.5 * mirror

    def change(x):
        x = torch.einsum("bij,bjhw->bihw", mix, (x + 1) / 2).clamp(1e-4, 1) ** power
        return (torch.where(mirrored, x.flip(3), x) * 2 - 1).contiguous(memory_format=torch.channels_last)

    return change(frames[0]), change(frames[1])


def to_images(frames: UInt8[Tensor, "b h w 3"]) -> Float[Tensor, "b 3 h w"]:
    """uint8 frames → what the networks read: channels first, in [-1, 1], ``channels_last`` in memory."""
    return frames.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def read_labels(root: Path) -> dict[tuple[str, str], str]:
    """(split, clip) → motion source, from clips.csv; empty if there is none."""
    path = root / "clips.csv"
    if not path.is_file():
        return {}
    try:
        with open(path, newline="") as file:
            return {(row["split"], row["clip"]): row["source"] for row in csv.DictReader(file)}
    except KeyError as error:
        raise KpError(f"{path}: has no column {error}; expected: split, clip, source") from error


def load_clips(
    root: Path, split: str, size: int, background: bool = False, source: str = "", progress: bool = True, masks: Path | None = None
) -> Clips:
    """Read the clips of a split, shrink them to ``size`` and, unless ``background``, black out all but the subject.

    ``source`` keeps the clips of one motion source only ("" = all); ``masks`` is the folder of masks (None: <root>/masks).
    KpError names the file when a video or mask is missing or damaged, frames are not square, smaller than ``size`` or of mixed sizes.
    """
    folder = root / "videos" / split
    labels = read_labels(root)
    listed = sorted(clip for (s, clip) in labels if s == split)
    names = listed or sorted(p.stem for p in folder.glob("*.mp4"))
    names = [n for n in names if source in ("", labels.get((split, n), ""))]
    if not names:
        wanted = f" of source '{source}'" if source else ""
        raise KpError(f"{folder}: no clips{wanted}; expected videos/{split}/*.mp4 below {root}")

    def load(name: str) -> tuple[tuple[int, ...], Tensor]:
        path = folder / f"{name}.mp4"
        frames = read_video(path)
        if frames.shape[1] != frames.shape[2] or frames.shape[1] < size:
            h, w = frames.shape[1:3]
            raise KpError(f"{path}: frames are {w}×{h}; kp needs square frames of at least {size} pixels: crop around the subject")
        if not background:
            mask_path = (masks or root / "masks") / split / f"{name}.mp4"
            mask = read_video(mask_path)
            if mask.shape != frames.shape:
                raise KpError(f"{mask_path}: {mask.shape[:3]} frames × height × width, its video has {frames.shape[:3]}; make them equal")
            frames = black_out(frames, mask)
        return frames.shape[1:3], torch.from_numpy(shrink(frames, size))

    with ThreadPoolExecutor(2) as pool:
        bar = tqdm(pool.map(load, names), total=len(names), desc=f"reading {split} clips", unit="clip", disable=not progress, leave=False)
        loaded = list(bar)
    shapes = {shape for shape, _ in loaded}
    if len(shapes) > 1:
        odd = next(n for n, (shape, _) in zip(names, loaded, strict=True) if shape != loaded[0][0])
        raise KpError(f"{folder / odd}.mp4: its frame size differs from {names[0]}.mp4; bring all clips of a set to one size")
    return Clips(names, [labels.get((split, n), "") for n in names], [frames for _, frames in loaded])
