"""Pictures as frames: photos, stacks, GIFs and folders of pictures; and what a frame is.

Pictures obey their EXIF orientation; 16-bit pictures become 8-bit ones.
"""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from kp.errors import KpError

PICTURES = (
    ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".pgm", ".ppm", ".pnm", ".jp2", ".jfif", ".tga",
)  # fmt: skip
DEPTHS = (8, 10, 12, 14, 16)  # bits that cameras store in 16
LARGEST = 100_000_000  # pixels of a picture
TOO_LARGE = "has more than 100 million pixels; make it smaller, or cut out the subject"
STILL = Fraction(1)  # frames a second of pictures, which have no time


@dataclass(frozen=True)
class Frame:
    """``pixels`` RGB, as a player shows them; ``seconds`` from the start of the film."""

    pixels: UInt8[np.ndarray, "h w 3"]
    seconds: float


@dataclass(frozen=True)
class Header:
    """What a file says of itself: ``count`` of stored frames, None if it does not say; ``size`` (width, height) as
    shown; ``rate``, frames a second; ``stretch``: shown pixels a stored pixel, across and down, 1 where pixels are
    square.
    """

    count: int | None
    size: tuple[int, int]
    rate: Fraction
    stretch: tuple[float, float] = (1.0, 1.0)


def is_picture(path: Path) -> bool:
    """Whether the file's ending is that of a picture, a stack or a GIF, which are read as such."""
    return path.suffix.lower() in PICTURES


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder in the order of the numbers in their names: img2.png comes before img10.png."""
    inside = [p for p in folder.iterdir() if is_picture(p) and not p.name.startswith(".")]
    return sorted(inside, key=lambda p: [int(s) if s.isdecimal() else s.lower() for s in re.split(r"(\d+)", p.name)])


def picture_header(path: Path) -> Header:
    """What a picture, a stack or a folder of pictures says of itself. KpError names what cannot be read."""
    if path.is_dir():
        pictures = _some_pictures(path)
        return Header(len(pictures), picture_header(pictures[0]).size, STILL)
    with _open_picture(path) as image:
        height, width = _as_rgb(image, path, 0).shape[:2]
        return Header(getattr(image, "n_frames", 1), (width, height), _picture_rate(image))


def read_folder(folder: Path) -> Iterator[Frame]:
    """The pictures of a folder as the frames of a film. KpError if there are none, or if they differ in size."""
    pictures, size = _some_pictures(folder), None
    largest = max(map(_largest, pictures))  # one depth for the whole folder
    for number, path in enumerate(pictures):
        pixels = next(read_pictures(path, largest)).pixels
        if size not in (None, pixels.shape):
            raise KpError(f"{folder}: its pictures differ in size from {path.name} on; to read them singly, name each")
        size = pixels.shape
        yield Frame(pixels, float(number / STILL))


def _some_pictures(folder: Path) -> list[Path]:
    pictures = pictures_in(folder)
    if not pictures:
        raise KpError(f"{folder}: holds no pictures; give a video, or a folder of pictures")
    return pictures


def read_pictures(path: Path, largest: int = 0) -> Iterator[Frame]:
    """The picture of a file, or the pages of a stack or a GIF. KpError if it cannot be read.

    largest: the greatest value of the 16-bit pictures that belong to it; its own counts too.
    """
    largest = max(largest, _largest(path))  # one depth for a whole stack
    with _open_picture(path) as image:
        rate = _picture_rate(image)
        for number in range(getattr(image, "n_frames", 1)):
            yield Frame(_as_rgb(_page(image, number, path), path, largest), float(number / rate))


def _largest(path: Path) -> int:
    """The greatest value of a 16-bit file, which tells how many bits its camera has; 0 for any other."""
    with _open_picture(path) as image:
        if not image.mode.startswith("I"):
            return 0
        return max(int(np.asarray(_page(image, page, path)).max()) for page in range(getattr(image, "n_frames", 1)))


def _open_picture(path: Path) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path)
    except Image.DecompressionBombError as error:
        raise KpError(f"{path}: {TOO_LARGE}") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise KpError(f"{path}: not a readable image; copy it again, or convert it") from error
    if image.width * image.height > LARGEST:
        image.close()
        raise KpError(f"{path}: {TOO_LARGE}")
    return image


def _page(image: Image.Image, number: int, path: Path) -> Image.Image:
    try:
        if number or getattr(image, "n_frames", 1) > 1:
            image.seek(number)
        image.load()
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise KpError(f"{path}: not a readable image; it may be cut short: copy it again") from error
    return image


def _as_rgb(image: Image.Image, path: Path, largest: int) -> UInt8[np.ndarray, "h w 3"]:
    """RGB in 8 bits, upright.

    largest: the greatest value of the 16-bit pictures that belong together.
    """
    upright = ImageOps.exif_transpose(_page(image, image.tell(), path))
    if upright.mode == "F":
        raise KpError(
            f"{path}: holds numbers with a decimal point, whose black and white kp cannot know: save 8 or 16 bits"
        )
    if not upright.mode.startswith("I"):
        return np.array(upright.convert("RGB"))  # a copy: torch wants to be able to write
    values = np.asarray(upright).astype(np.int64)
    if values.min() < 0 or max(largest, values.max()) >= 1 << DEPTHS[-1]:
        raise KpError(f"{path}: holds values below 0 or above 65,535; save it with 8 or 16 bits")
    bits = next(depth for depth in DEPTHS if max(largest, int(values.max())) < 1 << depth)
    return np.repeat((values >> (bits - 8)).astype(np.uint8)[..., None], 3, -1)


def _picture_rate(image: Image.Image) -> Fraction:
    """Frames a second of a GIF; 1 for a stack or a picture."""
    milliseconds = image.info.get("duration", 0)
    return Fraction(1000, round(milliseconds)) if getattr(image, "n_frames", 1) > 1 and milliseconds >= 1 else STILL
