"""The one door for films and pictures: a reader that gives what a player shows, and a writer. Both stream.

A file may say that its frames are to be turned (telephones film upright videos lying down), mirrored (front cameras),
widened (camcorders store pixels that are not square), or left out at either end (cuts without recoding). Players obey;
so does :func:`read_frames`. Pictures obey their EXIF orientation; 16-bit pictures become 8-bit ones; a TIFF stack or a
GIF is a film.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
import torch.nn.functional as F
from av.video.reformatter import VideoReformatter
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from kp.errors import KpError
from kp.files import atomic_write

FILMS = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm")
SMALL = 256 * 256  # pixels: frames up to this size are decoded faster by one thread than by several
DEPTHS = (8, 10, 12, 14, 16)  # bits that cameras store in 16
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


def is_video(path: Path) -> bool:
    """Whether the file's ending is that of a film."""
    return path.suffix.lower() in FILMS


def find_videos(paths: list[Path]) -> list[Path]:
    """Films among ``paths`` and, sorted by name, in the folders among them.

    KpError if one is neither, or a folder has none.
    """
    videos, endings = [], ", ".join(ending[1:] for ending in FILMS)
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if is_video(p) and not p.name.startswith("."))
            if not inside:
                raise KpError(f"{path}: holds no video ({endings})")
            videos += inside
        elif not path.exists():
            raise KpError(f"{path}: no such file or folder; check the path")
        elif not is_video(path):
            raise KpError(f"{path}: not a video ({endings}); convert it first")
        else:
            videos.append(path)
    return videos


def read_frames(path: Path) -> Iterator[Frame]:
    """The frames of a film, a stack or a picture in order, decoded one at a time, as a player shows them.

    Times are the file's own, also where the frame rate varies. KpError names the file if it is missing, is neither film
    nor picture, or is damaged: then it says after how many frames.
    """
    if not path.is_file():
        raise KpError(f"{path}: no such image or video; check the path")
    yield from _film(path) if is_video(path) else _pictures(path)


def read_video(path: Path) -> UInt8[np.ndarray, "t h w 3"]:
    """All frames of a film, a stack or a picture, RGB. KpError as from :func:`read_frames`."""
    return np.stack([frame.pixels for frame in read_frames(path)])


def read_image(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """One picture, RGB; of a stack its first. KpError as from :func:`read_frames`."""
    return next(read_frames(path)).pixels


def read_header(path: Path) -> Header:
    """What a film or picture says of itself, without decoding more than its first frame. KpError as from
    :func:`read_frames`.
    """
    if not path.is_file():
        raise KpError(f"{path}: no such image or video; check the path")
    if not is_video(path):
        with _open_picture(path) as image:
            height, width = _as_rgb(image, path, 0).shape[:2]
            return Header(getattr(image, "n_frames", 1), (width, height), _picture_rate(image))
    try:
        with _open_film(path) as container:
            stream = _picture_stream(container, path)
            first = next(container.decode(stream), None)
            if first is None:
                raise KpError(f"{path}: not one frame can be read; the file is cut short: copy or convert it again")
            aspect = _aspect(stream)
            shape = _as_shown(first, aspect, VideoReformatter()).shape
            stretch = (1.0, float(aspect)) if _turns(first) else (float(aspect), 1.0)
            rate = stream.average_rate or stream.guessed_rate or STILL
            return Header(stream.frames or None, (shape[1], shape[0]), rate, stretch)
    except (av.error.FFmpegError, IndexError) as error:
        raise _unreadable(path, 0, error) from error


def write_video(
    path: Path, frames: Iterable[np.ndarray], crf: int, rate: float | Fraction = 20, preset: str = "veryslow"
) -> None:
    """H.264 mp4 of RGB frames (h, w, 3), uint8, of even sides, ``rate`` a second. Equal frames give equal bytes.

    crf: from 0 (nearly exact) to 51. preset: x264's trade of time for size. The file is written as the frames come, and
    appears whole at the end. KpError if it cannot be written; then it is not there.
    """
    with atomic_write(path) as part, av.open(str(part), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1001))
        stream.pix_fmt, stream.thread_count = "yuv420p", 1  # more threads, other bytes
        stream.options = {"crf": str(crf), "preset": preset}
        for number, frame in enumerate(frames):
            if number == 0:
                stream.height, stream.width = frame.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def shrink(frames: UInt8[np.ndarray, "t h w c"], size: int) -> UInt8[np.ndarray, "t {size} {size} c"]:
    """Resize whole frames with antialiasing."""
    if frames.shape[1:3] == (size, size):
        return frames
    return _resize(frames, (size, size))


def black_out(
    frames: UInt8[np.ndarray, "t h w 3"], masks: UInt8[np.ndarray, "t h w 3"]
) -> UInt8[np.ndarray, "t h w 3"]:
    """Frames with all but the subject black; masks are white (255) where the subject is."""
    return (frames * (masks[..., :1] / np.float32(255))).astype(np.uint8)


def _resize(frames: UInt8[np.ndarray, "t h w c"], size: tuple[int, int]) -> UInt8[np.ndarray, "t h2 w2 c"]:
    """Bilinear, with antialiasing; size: (height, width)."""
    x = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
    x = F.interpolate(x, size, mode="bilinear", antialias=True, align_corners=False)
    return x.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()


# Films


def _film(path: Path) -> Iterator[Frame]:
    """Packets are counted beside frames: a file that is cut short lacks packets; one with hidden ends has them all."""
    count, packets, size, last = 0, 0, None, None
    to_rgb = VideoReformatter()  # one for all frames: far faster
    try:
        with _open_film(path) as container:
            stream = _picture_stream(container, path)
            promised, timeless = stream.frames, container.format.name == "avi"  # AVI numbers its frames, and times none
            numbered = timeless and not stream.codec_context.has_b_frames
            for packet in container.demux(stream):
                packets += packet.dts is not None
                for decoded in packet.decode():
                    pixels = _as_shown(decoded, _aspect(stream), to_rgb)
                    if size not in (None, pixels.shape):
                        raise KpError(f"{path}: frames change their size after {count} frames; cut the video there")
                    while numbered and last is not None and decoded.pts is not None and count < decoded.pts:
                        yield Frame(last, float(count / stream.average_rate))  # dropped while filming: the one before
                        count += 1
                    seconds = count / stream.average_rate if timeless else decoded.time
                    yield Frame(pixels, float(seconds or 0.0))
                    size, last, count = pixels.shape, pixels, count + 1
    except (av.error.FFmpegError, IndexError) as error:
        raise _unreadable(path, count, error) from error
    if not count or max(packets, count) < promised:
        raise KpError(
            f"{path}: only {count} of {promised} frames can be read; the file is cut short: copy or convert it again"
        )


def _open_film(path: Path) -> av.container.InputContainer:
    if path.stat().st_size == 0:
        raise KpError(f"{path}: is empty (0 bytes); copy it again")
    return av.open(str(path), metadata_errors="replace")


def _picture_stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    """The film's pictures. KpError if it holds only sound."""
    if not container.streams.video:
        raise KpError(f"{path}: holds no pictures{', only sound' if container.streams.audio else ''}; give a video")
    stream = container.streams.video[0]
    if stream.codec_context:  # a damaged file may have none
        if stream.width * stream.height <= SMALL:
            stream.codec_context.thread_count = 1
        else:
            stream.codec_context.thread_type = "AUTO"
    return stream


def _unreadable(path: Path, count: int, error: Exception) -> KpError:
    return KpError(
        f"{path}: not a readable video after {count} frames ({error}); it may be cut short: copy or convert it again"
    )


def _aspect(stream: av.VideoStream) -> Fraction:
    """Width of a stored pixel as a multiple of its height; 1 where the file says nothing or nonsense."""
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    return aspect if aspect and Fraction(1, 10) < aspect < 10 else Fraction(1)


def _display_matrix(frame: av.VideoFrame) -> Float[np.ndarray, "2 2"] | None:
    """The turn that a player makes: the shown place of a stored pixel (x, y) is (x, y) · matrix, but for a shift."""
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            return np.frombuffer(bytes(data), np.int32)[[0, 1, 3, 4]].reshape(2, 2) / 65536
    return None


def _turns(frame: av.VideoFrame) -> bool:
    """Whether a player exchanges width and height."""
    matrix = _display_matrix(frame)
    return matrix is not None and bool(abs(matrix[0, 1]) > abs(matrix[0, 0]))


def _as_shown(frame: av.VideoFrame, aspect: Fraction, to_rgb: VideoReformatter) -> UInt8[np.ndarray, "h w 3"]:
    """RGB, pixels made square, turned by quarters and mirrored as the display matrix says."""
    pixels = to_rgb.reformat(frame, format="rgb24").to_ndarray()
    if aspect != 1:
        pixels = _resize(pixels[None], (pixels.shape[0], round(pixels.shape[1] * aspect)))[0]
    matrix = _display_matrix(frame)
    if matrix is None:
        return pixels
    if _turns(frame):
        pixels, matrix = pixels.swapaxes(0, 1), matrix[::-1]
    across, down = (1 if matrix[i, i] >= 0 else -1 for i in (0, 1))
    return np.ascontiguousarray(pixels[::down, ::across])


# Pictures


def _pictures(path: Path) -> Iterator[Frame]:
    with _open_picture(path) as image:
        rate, largest = _picture_rate(image), 0
        count = getattr(image, "n_frames", 1)
        if image.mode.startswith("I"):  # one depth for a whole stack
            largest = max(int(np.asarray(_page(image, number, path)).max()) for number in range(count))
        for number in range(count):
            yield Frame(_as_rgb(_page(image, number, path), path, largest), float(number / rate))


def _open_picture(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        kinds = ", ".join(ending[1:] for ending in FILMS)
        raise KpError(f"{path}: neither a readable image nor a video ({kinds}): convert it first") from error


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

    largest: the greatest value of a 16-bit file, which tells how many bits its camera has.
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
