"""What a model sees of a film: one square a frame, around the subject. Length costs no memory."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, UInt8
from tqdm import tqdm

from kp.errors import KpError, printable
from kp.inference.crops import BoxTrack, Squares, around, read_boxes, whole_frames
from kp.inference.person import find_person
from kp.inference.subject import find_boxes
from kp.video import Frame, Header, black_out, read_frames, read_header, shrink

Crop = Literal["", "person", "subject", "frame"]
"""Where the subject is: "person" finds a person whatever the camera does, "subject" what moves before a static camera,
"frame" takes whole frames, "" square frames."""
CHUNK, CHUNK_BYTES = 64, 256_000_000  # frames that are predicted at once, and the most that they take


@dataclass(frozen=True)
class View:
    """A film (or picture) and the squares of it that a model sees, both in pixels as a player shows them.

    ``count``: its frames, as its header has it; ``size`` (width, height); ``rate``, frames a second; ``stretch``: shown
    pixels per stored pixel, across and down; ``masks``: a file that is white where the subject is, or None.
    """

    path: Path
    count: int
    size: tuple[int, int]
    rate: float
    stretch: tuple[float, float]
    squares: Squares
    masks: Path | None = None
    track: BoxTrack | None = None

    @property
    def stored_size(self) -> tuple[int, int]:
        """(width, height) of the stored frames, turned upright."""
        return round(self.size[0] / self.stretch[0]), round(self.size[1] / self.stretch[1])

    def stored(self, points: Float[np.ndarray, "t k 2"]) -> Float[np.ndarray, "t k 2"]:
        """Pixel indices of frames as shown → those of the stored frames: the same, unless pixels are not square."""
        return (points + 0.5) / np.asarray(self.stretch, points.dtype) - 0.5 if self.stretch != (1, 1) else points

    def chunks(
        self, size: int, progress: bool = True
    ) -> Iterator[tuple[int, list[Frame], UInt8[np.ndarray, "n s s 3"]]]:
        """(number of the first frame, frames as shown, their squares resized to ``size``) of up to 64 frames at a time.

        Subjects stand on black in the squares if there are masks. KpError if masks do not fit, or a file is damaged.
        """
        most = max(1, min(CHUNK, CHUNK_BYTES // (3 * self.size[0] * self.size[1])))
        first, frames, squares = 0, [], []
        quiet = not progress or self.count == 1
        films = tqdm(read_frames(self.path), printable(self.path.name), self.count, unit="frame", disable=quiet)
        for t, (frame, mask) in enumerate(zip_longest(films, read_frames(self.masks) if self.masks else ())):
            if self.masks:
                if frame is None or mask is None or frame.pixels.shape != mask.pixels.shape:
                    raise KpError(
                        f"{self.masks}: does not fit {self.path} from frame {t} on; both need the same frames"
                    )
                visible = black_out(frame.pixels[None], mask.pixels[None])[0]
            else:
                visible = frame.pixels
            frames.append(frame)
            squares.append(shrink(self.squares.cut(visible, t)[None], size)[0])
            if len(frames) == most:
                yield first, frames, np.stack(squares)
                first, frames, squares = t + 1, [], []
        if frames:
            yield first, frames, np.stack(squares)


def look(
    path: Path, crop: str = "", boxes: Path | None = None, masks: Path | None = None, progress: bool = True
) -> View:
    """Find out how large a film (or picture) is and where its subject is: from its header, or with crop "subject" or
    "person" by decoding it once.

    crop: "subject" finds what moves before a static camera, "person" a person whatever the camera does, "frame" takes
    whole frames, "" takes square frames; boxes:
    a CSV of boxes instead (:func:`kp.inference.crops.read_boxes`); masks: a film or picture of the same size, white
    where the subject is. KpError names the file that cannot be read or does not fit.
    """
    header = read_header(path)
    if masks:
        of_masks = read_header(masks)
        counts, (width, height), size = (of_masks.count, header.count), of_masks.size, header.size
        if (width, height) != size or (None not in counts and counts[0] != counts[1]):
            raise KpError(
                f"{masks}: {counts[0] or 'some'} frames of {width}×{height}, but {path} has {counts[1] or 'some'} of "
                f"{size[0]}×{size[1]}; make them equal"
            )
    track = locate(path, header, crop, boxes, progress)
    squares = whole_frames(count_frames(path, header), header.size) if track is None else around(track.boxes)
    return View(path, len(squares), header.size, float(header.rate), header.stretch, squares, masks, track)


def locate(
    path: Path, header: Header, crop: str = "", boxes: Path | None = None, progress: bool = True
) -> BoxTrack | None:
    """Boxes in pixels as shown, one per frame: a box track's, what moves (crop "subject"), or a person's
    (crop "person").

    None means whole frames (square ones, or crop "frame"). KpError for frames that are not square if nothing says where
    to look.
    """
    (width, height), (across, down) = header.size, header.stretch
    if crop not in get_args(Crop):
        raise KpError(f"crop is '{crop}'; it must be one of: {', '.join(get_args(Crop)[1:])}, or empty")
    if boxes:
        stored = read_boxes(boxes, count_frames(path, header))
        return replace(stored, boxes=stored.boxes * np.array([across, down, across, down]))
    if crop == "subject":
        return find_boxes(path, progress)
    if crop == "person":
        return find_person(path, progress)
    if crop == "frame" or width == height:
        return None
    raise KpError(
        f"{path}: {width}×{height} pixels, but models see squares with the subject in the middle; say where it is: "
        "--crop person (finds a person), --crop subject (finds what moves before a static camera), --boxes FILE or "
        "--crop frame (whole frames between black bars)"
    )


def count_frames(path: Path, header: Header) -> int:
    """The header's count; where it has none (mkv, webm, or a film that was trimmed), by decoding the film once."""
    return header.count or sum(1 for _ in read_frames(path))
