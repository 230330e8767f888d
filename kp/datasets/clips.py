"""Unlabelled videos: a folder of clips → frame pairs. Nothing here can read ground truth.

A video set is a folder::

    videos/<split>/<clip>.mp4     square frames, one subject, static camera
    masks/<split>/<clip>.mp4      optional: white where the subject is (kp/own_video/masks can make them)
    clips.csv                     optional: split,clip,source,... one line per clip

Further sets (faces, other cameras, your own footage) are further folders of this shape.
"""

import csv
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from kp.datasets.cache import ClipCache, hold_clips
from kp.errors import KpError
from kp.files import is_below
from kp.video import black_out, read_frames, read_header, read_video, shrink

LOOKED_AT = 32  # clips whose lengths tell how much memory all of them need


@dataclass(frozen=True)
class Clips:
    """Clips of one split. ``frames``: one (t, s, s, 3) uint8 tensor each, in memory or a
    :class:`kp.datasets.cache.ClipCache`; ``sources``: labels.
    """

    names: list[str]
    sources: list[str]
    frames: list[Tensor] | ClipCache

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def size(self) -> int:
        return self.frames[0].shape[1]

    def on(self, device: torch.device) -> "Clips":
        """With all frames in the memory of a device, so that no step waits for them; a window stays where it is."""
        return (
            self
            if isinstance(self.frames, ClipCache)
            else replace(self, frames=[frames.to(device) for frames in self.frames])
        )

    def pick(self, numbers: Sequence[int]) -> "Clips":
        """These clips of them, in memory."""
        return Clips(*([column[i] for i in numbers] for column in (self.names, self.sources, self.frames)))

    def some(self, count: int) -> "Clips":
        """``count`` of them in memory, evenly spaced; all of them, as they are held, if there are no more."""
        return self if len(self) <= count else self.pick([i * len(self) // count for i in range(count)])

    def draw(self, count: int, generator: torch.Generator, step: int = 0) -> list[int]:
        """Numbers of ``count`` random clips; of those in the window of that step, if not all are in memory."""
        if not isinstance(self.frames, ClipCache):
            return torch.randint(len(self), (count,), generator=generator).tolist()
        present = self.frames.at(step)
        drawn = [present[i] for i in torch.randint(len(present), (count,), generator=generator).tolist()]
        self.frames.ask(drawn)
        return drawn

    def pairs(
        self, count: int, generator: torch.Generator, step: int = 0, ordered: bool = False
    ) -> tuple[Float[Tensor, "b 3 s s"], Float[Tensor, "b 3 s s"]]:
        """``count`` random pairs (x, x') of two different frames of one clip, in [-1, 1]; ``step`` of the training, as
        :meth:`draw`. ordered: x' comes later than x, as in the official code.
        """
        clip = self.draw(count, generator, step)
        draw = torch.rand(count, 2, generator=generator).tolist()
        first, second = [], []
        for c, (a, b) in zip(clip, draw, strict=True):
            frames = self.frames[c]
            n = len(frames)
            i = int(a * (n - 1 if ordered else n))
            # never i itself: from the frame itself Ψ could copy
            j = i + 1 + int(b * (n - 1 - i)) if ordered else (i + 1 + int(b * (n - 1))) % n
            first.append(frames[i])
            second.append(frames[j])
        return to_images(torch.stack(first)), to_images(torch.stack(second))


def augment_pairs(
    frames: tuple[Float[Tensor, "b 3 s s"], Float[Tensor, "b 3 s s"]], generator: torch.Generator, mirror: bool = True
) -> tuple[Float[Tensor, "b 3 s s"], Float[Tensor, "b 3 s s"]]:
    """Frame pairs in [-1, 1] with new colours and, if ``mirror``, half of them mirrored; both frames of a pair alike.
    Black stays black.

    Not in the paper. Colours are mixed by a random matrix near the identity, then raised to a power between 0.7 and
    1.4.
    """
    n = len(frames[0])

    def draw(*shape):
        return torch.rand(n, *shape, generator=generator)

    mix = torch.eye(3) * (0.6 + 0.8 * draw(3, 1)) + 0.5 * (draw(3, 3) - 0.5)
    power = 2 ** (draw(1, 1, 1) - 0.5)
    mirrored = draw(1, 1, 1) < 0.5 * mirror
    mix, power, mirrored = (x.to(frames[0].device) for x in (mix, power, mirrored))

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
        with open(path, newline="", encoding="utf-8-sig") as file:
            labels = {(row["split"] or "", row["clip"] or ""): row["source"] or "" for row in csv.DictReader(file)}
    except KeyError as error:
        raise KpError(f"{path}: has no column {error}; expected: split, clip, source") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise KpError(f"{path}: is not a table in UTF-8; write it again") from error
    wrong = [clip for name in labels for clip in name if not clip or not is_below(clip) or "/" in clip]
    if wrong:
        raise KpError(f"{path}: '{wrong[0] or ''}' is not the name of a clip or a split; write names without folders")
    return labels


def of_source(root: Path, sources: list[str], source: str) -> list[int]:
    """Numbers of the clips with that source; of all with "". KpError lists the sources there are."""
    numbers = [i for i, label in enumerate(sources) if source in ("", label)]
    if not numbers:
        raise KpError(f"{root}: no clips of source '{source}'; it has: {', '.join(sorted(set(sources)))}")
    return numbers


def clip_frames(path: Path) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """The frames of a clip, as :func:`kp.video.read_frames` gives them. KpError, too, if there are fewer than two."""
    count = 0
    for frame in read_frames(path):
        count += 1
        yield frame.pixels
    if count < 2:
        raise KpError(f"{path}: has {count} frame; a clip needs at least 2, since frames are compared in pairs")


def masked(frames: Iterator[np.ndarray], path: Path, mask_path: Path) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """The frames of a video with all but the subject black, by the video of its masks. KpError if they do not fit."""
    for frame, mask in itertools.zip_longest(frames, clip_frames(mask_path)):
        if frame is None or mask is None or mask.shape != frame.shape:
            sizes = [read_video(p).shape[:3] for p in (mask_path, path)]
            raise KpError(f"{mask_path}: {sizes[0]} frames × height × width, its video has {sizes[1]}; make them equal")
        yield black_out(frame[None], mask[None])[0]


def load_clips(
    root: Path,
    split: str,
    size: int,
    background: bool = False,
    source: str = "",
    progress: bool = True,
    masks: Path | None = None,
    every: int = 1,
    memory: float = math.inf,
) -> Clips:
    """Read the clips of a split, shrink them to ``size`` and, unless ``background``, black out all but the subject.

    ``source`` keeps the clips of one motion source only ("" = all); ``masks`` is the folder of masks (None:
    <root>/masks); ``every``: one frame in so many is kept; ``memory``: gigabytes that frames may take. A set that needs
    more (were all its clips as long as the longest of 32 of them) is read clip by clip, when asked for
    (:mod:`kp.datasets.cache`); its errors are found then, too. KpError names the file when a video or mask is missing
    or damaged, frames are not square, smaller than ``size`` or of mixed sizes.
    """
    folder = root / "videos" / split
    labels = read_labels(root)
    listed = sorted(clip for (s, clip) in labels if s == split)
    names = listed or sorted(p.stem for p in folder.glob("*.mp4"))
    names = [n for n in names if source in ("", labels.get((split, n), ""))]
    if not names:
        wanted = f" of source '{source}'" if source else ""
        raise KpError(f"{folder}: no clips{wanted}; expected videos/{split}/*.mp4 below {root}")
    looked_at = [names[i * len(names) // LOOKED_AT] for i in range(LOOKED_AT)] if len(names) > LOOKED_AT else names
    headers = [read_header(folder / f"{name}.mp4") for name in looked_at]
    longest = max(
        header.count or sum(1 for _ in read_frames(folder / f"{name}.mp4"))
        for header, name in zip(headers, looked_at, strict=True)
    )

    def square_frames(path: Path) -> Iterator[np.ndarray]:
        for frame in clip_frames(path):
            h, w = frame.shape[:2]
            if h != w or h < size:
                raise KpError(
                    f"{path}: frames are {w}×{h}; kp needs square frames of at least {size} pixels: crop around the "
                    "subject"
                )
            if (w, h) != headers[0].size:
                raise KpError(
                    f"{path}: its frame size differs from {names[0]}.mp4; bring all clips of a set to one size"
                )
            yield frame

    def load(number: int) -> Tensor:
        path, mask_path = folder / f"{names[number]}.mp4", (masks or root / "masks") / split / f"{names[number]}.mp4"
        frames = square_frames(path) if background else masked(square_frames(path), path, mask_path)
        return torch.from_numpy(
            np.stack([shrink(frame[None], size)[0] for t, frame in enumerate(frames) if t % every == 0])
        )

    frames = hold_clips(load, len(names), -(-longest // every), size, memory, f"{split} clips", progress)
    return Clips(names, [labels.get((split, n), "") for n in names], frames)
