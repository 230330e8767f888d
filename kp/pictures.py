"""Pictures as frames: photos, stacks, GIFs and folders of pictures; and what a frame is.

Pictures obey their EXIF orientation; 16-bit pictures become 8-bit ones.
"""

import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
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
BROKEN = "Corrupt EXIF data|Truncated File Read"  # what Pillow only warns of
CUT_SHORT = "not a readable image; it may be cut short: copy it again"
DAMAGED = (
    UnidentifiedImageError, OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, struct.error,
)  # fmt: skip
KIND, BITS, PHOTOMETRIC, DESCRIPTION, PLANES = 254, 258, 262, 270, 284  # tags of TIFF
STILL = Fraction(1)  # frames a second of pictures, which have no time


@dataclass(frozen=True)
class Frame:
    """``pixels`` RGB, as a player shows them; ``seconds`` from the start of the film."""

    pixels: UInt8[np.ndarray, "h w 3"]
    seconds: float


@dataclass(frozen=True)
class Header:
    """What a file says of itself: ``count`` of stored frames, None if it does not say; ``size`` (width, height) as
    shown; ``rate``, frames a second; ``stretch``: shown pixels per stored pixel, across and down, 1 where pixels are
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
        pages = _pages(image, path)
        height, width = _as_rgb(_page(image, pages[0], path), path, 0).shape[:2]
        seconds = sum(_seconds(_page(image, page, path)) for page in pages) if _is_animation(image) else len(pages)
        return Header(len(pages), (width, height), Fraction(len(pages) / seconds).limit_denominator(1000))


def count_pages(path: Path) -> int:
    """How many pictures a file holds: more than one in stacks and animations. KpError if it cannot be read."""
    with _open_picture(path) as image:
        return len(_pages(image, path))


def read_folder(folder: Path) -> Iterator[Frame]:
    """The pictures of a folder as the frames of a film. KpError if there are none, if they differ in size, or if one is
    a stack.
    """
    pictures, size = _some_pictures(folder), None
    largest = max(map(_largest, pictures))  # one depth for the whole folder
    for number, path in enumerate(pictures):
        pixels, *more = (frame.pixels for frame in islice(read_pictures(path, largest), 2))
        if more:
            raise KpError(f"{path}: holds several pictures, and so is a film of its own; name it by itself")
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
    """The picture of a file, or the pages of a stack or an animation. KpError if it cannot be read.

    largest: the greatest value of the 16-bit pictures that belong to it; its own counts too.
    """
    largest, seconds, size = max(largest, _largest(path)), 0.0, None  # one depth for a whole stack
    with _open_picture(path) as image:
        for number in _pages(image, path):
            page = _page(image, number, path)
            pixels = _as_rgb(page, path, largest)
            if size not in (None, pixels.shape):
                raise KpError(f"{path}: its pages differ in size from number {number} on; save each size by itself")
            size = pixels.shape
            yield Frame(pixels, seconds)
            seconds += _seconds(page)


def _largest(path: Path) -> int:
    """The greatest value of a 16-bit file, which tells how many bits its camera has; 0 for any other."""
    with _open_picture(path) as image:
        if not image.mode.startswith("I"):
            return 0
        return max(int(np.asarray(_page(image, page, path)).max()) for page in _pages(image, path))


def _open_picture(path: Path) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            warnings.filterwarnings("error", BROKEN, UserWarning)
            image = Image.open(path)
    except Image.DecompressionBombError as error:
        raise KpError(f"{path}: {TOO_LARGE}") from error
    except (*DAMAGED, UserWarning) as error:
        raise KpError(f"{path}: no image that kp can read; convert it to PNG, or copy it again if it broke") from error
    try:
        if image.width * image.height > LARGEST:
            raise KpError(f"{path}: {TOO_LARGE}")
        if image.format == "TIFF":
            _check_tiff(image, path)
        if image.format == "GIF" and b";" not in path.read_bytes()[-64:]:
            raise KpError(f"{path}: is cut short, its end is missing; copy it again")
    except KpError:
        image.close()
        raise
    return image


def _check_tiff(image: Image.Image, path: Path) -> None:
    """KpError for stacks that Pillow reads wrongly: colours in planes, and ImageJ's that list one page of many."""
    tags, pages = image.tag_v2, _pages(image, path)
    if tags.get(PLANES) == 2 and 16 in tags.get(BITS, (0,)):
        raise KpError(
            f"{path}: stores 16-bit colours in planes, as three frames of a stack saved as one picture are, too; save "
            "frames as pages, and the colours of a pixel together"
        )
    told = dict(re.findall(r"^(images|channels)=(\d+)", str(tags.get(DESCRIPTION, "")), re.MULTILINE))
    if int(told.get("images", len(pages))) > len(pages):
        raise KpError(f"{path}: ImageJ promises {told['images']} images, its list has {len(pages)}; save it as a film")
    if int(told.get("channels", 1)) > 1:
        raise KpError(f"{path}: holds {told['channels']} channels of each image; save one of them, or frames as slices")


def _pages(image: Image.Image, path: Path) -> list[int]:
    """Numbers of a file's pictures: all but thumbnails, and what an animation shows to those that know none."""
    with _strict(path):
        pages = [*range(getattr(image, "n_frames", 1))]
        if image.format == "TIFF" and len(pages) > 1:
            kinds = [_page(image, page, path, load=False).tag_v2.get(KIND, 0) for page in pages]
            pages = [page for page, kind in zip(pages, kinds, strict=True) if not kind & 1] or pages
            image.seek(0)
    return pages[1:] if image.info.get("default_image") and len(pages) > 1 else pages


def _page(image: Image.Image, number: int, path: Path, load: bool = True) -> Image.Image:
    with _strict(path):
        if number or getattr(image, "n_frames", 1) > 1:
            image.seek(number)
        if load:
            image.load()
    return image


@contextmanager
def _strict(path: Path) -> Iterator[None]:
    """KpError for whatever Pillow raises, or only warns of, where a file is damaged."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of odd tags, which change no pixel
            warnings.filterwarnings("error", BROKEN, UserWarning)
            yield
    except (*DAMAGED, UserWarning) as error:
        raise KpError(f"{path}: {CUT_SHORT}") from error


def _as_rgb(image: Image.Image, path: Path, largest: int) -> UInt8[np.ndarray, "h w 3"]:
    """RGB in 8 bits, upright.

    largest: the greatest value of the 16-bit pictures that belong together.
    """
    upright = ImageOps.exif_transpose(image)
    if upright.mode == "F":
        raise KpError(
            f"{path}: holds numbers with a decimal point, whose black and white kp cannot know: save 8 or 16 bits"
        )
    if not upright.mode.startswith("I"):
        pixels = np.array(upright.convert("RGB"))  # a copy: torch must be able to write
        if _is_deep(image, path) and pixels.max() < 64:  # Pillow keeps the upper eight bits
            raise KpError(
                f"{path}: holds 16-bit colours whose upper bits are empty, as cameras of 10 or 12 bits store them; "
                "save 8 bits, or grey"
            )
        return pixels
    values = np.asarray(upright).astype(np.int64)
    if values.min() < 0 or max(largest, values.max()) >= 1 << DEPTHS[-1]:
        raise KpError(f"{path}: holds values below 0 or above 65,535; save it with 8 or 16 bits")
    bits = next(depth for depth in DEPTHS if max(largest, int(values.max())) < 1 << depth)
    if image.format == "TIFF" and image.tag_v2.get(PHOTOMETRIC) == 0:  # 0 is white
        values = (1 << bits) - 1 - values
    return np.repeat((values >> (bits - 8)).astype(np.uint8)[..., None], 3, -1)


def _is_deep(image: Image.Image, path: Path) -> bool:
    """Whether a picture in colours has 16 bits of each."""
    if image.format == "TIFF":
        return 16 in image.tag_v2.get(BITS, (8,)) and image.mode in ("RGB", "RGBA")
    with open(path, "rb") as file:
        depth, kind = file.read(26)[24:26] or (0, 0)
    return image.format == "PNG" and depth == 16 and kind in (2, 6)  # 2 and 6: in colours


def _is_animation(image: Image.Image) -> bool:
    return image.format in ("GIF", "WEBP", "PNG") and getattr(image, "n_frames", 1) > 1


def _seconds(page: Image.Image) -> float:
    """How long an animation shows the page that was read last; a second for others, which have no time."""
    milliseconds = page.info.get("duration", 0) if _is_animation(page) else 0
    return milliseconds / 1000 if milliseconds >= 1 else float(1 / STILL)
