"""The one door for films and pictures: a reader that gives what a player shows, and a writer. Both stream.

A file may say that its frames are to be turned (telephones film upright videos lying down), mirrored (front cameras),
widened (camcorders store pixels that are not square), or left out at either end (cuts without recoding). Players obey;
so does :func:`read_frames`. Pictures obey their EXIF orientation; 16-bit pictures become 8-bit ones; a TIFF stack or a
GIF is a film.
"""

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import torch
import torch.nn.functional as F
from av.video.reformatter import VideoReformatter
from jaxtyping import Float, UInt8

from kp.errors import KpError
from kp.files import atomic_write
from kp.pictures import (
    STILL,
    Frame,
    Header,
    count_pages,
    is_picture,
    picture_header,
    pictures_in,
    read_folder,
    read_pictures,
)  # fmt: skip

FILMS = (
    ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".asf", ".flv",
    ".3gp", ".ogv", ".mxf", ".vob", ".dv", ".y4m", ".mjpeg", ".mjpg", ".h264", ".264", ".hevc", ".265", ".mod", ".qt",
)  # fmt: skip
"""Endings that are looked for in folders; a file that is named is read whatever its ending."""

STACKS = (".tif", ".tiff", ".gif", ".webp")  # pictures that may be films
MATROSKA_PARTS = tuple(map(bytes.fromhex, ("1c53bb6b", "1254c367", "1941a469", "1043a770", "1f43b675", "114d9b74")))
"""How a Matroska file's index, tags, attachments, chapters, clusters and lists of parts begin (RFC 9559)."""
FASTEST = 1000  # frames a second: a header that says more counts ticks of a clock
SMALL = 256 * 256  # pixels: frames up to this size are decoded faster by one thread than by several


def find_videos(paths: list[Path]) -> list[Path]:
    """Films among ``paths`` and, sorted by name, in the folders among them and below. A folder that holds pictures and
    no films is a film itself: its pictures are the frames, in the order of the numbers in their names.

    KpError if a path is not there or is a picture, or if a folder holds neither films nor pictures.
    """
    videos = []
    for path in paths:
        if path.is_dir():
            inside = _films_below(path)
            if not inside and (alone := pictures_in(path)):
                raise KpError(f"{path}: holds one picture and no film; name the picture itself: {alone[0]}")
            if not inside:
                raise KpError(
                    f"{path}: holds no video ({', '.join(ending[1:] for ending in FILMS[:6])}, …), no pictures"
                )
            videos += inside
        elif not path.exists():
            raise KpError(f"{path}: no such file or folder; check the path")
        elif is_picture(path) and path.suffix.lower() not in STACKS:
            raise KpError(f"{path}: a picture, not a video; give a video, or a folder of pictures")
        else:
            videos.append(path)
    return videos


def _films_below(folder: Path) -> list[Path]:
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and not _hidden(p, folder)]
    films = [p for p in files if p.suffix.lower() in FILMS]
    films += [p for p in files if p.suffix.lower() in STACKS and _is_stack(p)]
    if films:
        return sorted(films)
    below = [folder, *(p for p in sorted(folder.rglob("*")) if p.is_dir() and not _hidden(p, folder))]
    return [p for p in below if len(pictures_in(p)) > 1]


def _is_stack(path: Path) -> bool:
    """Whether a picture file is a film of its own; one that cannot be read is, so that it is named when it is read, and
    does not stop the others.
    """
    try:
        return count_pages(path) > 1
    except KpError:
        return True


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def read_frames(path: Path) -> Iterator[Frame]:
    """The frames of a film, a stack, a folder of pictures or a picture, decoded one at a time, as a player shows them.

    Times are the file's own, also where the frame rate varies. KpError names the file if it is missing, is neither film
    nor picture, or is damaged: then it says after how many frames.
    """
    if path.is_dir():
        yield from read_folder(path)
        return
    if not path.is_file():
        raise KpError(f"{path}: no such image or video; check the path")
    yield from read_pictures(path) if is_picture(path) else _film(path)


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
    if path.is_dir() or (path.is_file() and is_picture(path)):
        return picture_header(path)
    if not path.is_file():
        raise KpError(f"{path}: no such image or video; check the path")
    try:
        with _open_film(path) as container:
            stream = _picture_stream(container, path)
            first = next(container.decode(stream), None)
            if first is None:
                raise _without_frames(path)
            aspect = _aspect(stream)
            shape = _as_shown(first, aspect, VideoReformatter()).shape
            stretch = (1.0, float(aspect)) if _turns(first) else (float(aspect), 1.0)
            clock = _Clock.of(path) if container.format.name == "avi" else None
            count, rate = (clock.count, clock.rate) if clock else (_count(stream), _rate(stream))
            return Header(count or None, (shape[1], shape[0]), rate, stretch)
    except (av.error.FFmpegError, IndexError) as error:
        raise _unreadable(path, 0, error) from error


def write_video(
    path: Path, frames: Iterable[np.ndarray], crf: int, rate: float | Fraction = 20, preset: str = "veryslow"
) -> None:
    """H.264 mp4 of RGB frames (h, w, 3), uint8, of even sides, ``rate`` a second. Equal frames give equal bytes.

    crf: from 0 (nearly exact) to 51. preset: x264's trade of time for size. The file is written as the frames come, and
    appears whole at the end. KpError if it cannot be written; then it is not there.
    """
    try:
        with atomic_write(path) as part, av.open(f"file:{part}", "w") as container:
            stream = container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1001))
            stream.pix_fmt, stream.thread_count = "yuv420p", 1  # more threads, other bytes
            stream.options = {"crf": str(crf), "preset": preset}
            for number, frame in enumerate(frames):
                if number == 0:
                    stream.height, stream.width = frame.shape[:2]
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
    except av.error.ExternalError as error:
        raise KpError(f"{path}: frames of this size cannot be written as H.264; shrink them first") from error


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


def _film(path: Path) -> Iterator[Frame]:
    """Packets are counted beside frames: a file that is cut short lacks packets; one with hidden ends has them all."""
    count, packets, size, last, first, late, latest, end = 0, 0, None, None, None, 0.0, float("-inf"), 0
    to_rgb = VideoReformatter()  # one for all frames: far faster
    try:
        with _open_film(path) as container:
            stream = _picture_stream(container, path)
            promised, clock = stream.frames, _Clock.of(path) if container.format.name == "avi" else None
            rate = clock.rate if clock else _rate(stream)
            for packet in container.demux():
                end = max(end, (packet.pos or 0) + packet.size)
                if packet.stream_index != stream.index:
                    continue
                packets += packet.dts is not None
                for decoded in packet.decode():
                    if decoded.is_corrupt:
                        raise _damaged(path, count, "its data are damaged")
                    pixels = _as_shown(decoded, _aspect(stream), to_rgb)
                    if size not in (None, pixels.shape):
                        raise KpError(f"{path}: frames change their size after {count} frames; cut the video there")
                    first = decoded.pts if first is None else first
                    while clock and clock.numbered and last is not None and clock.lacks(count, decoded.pts, first):
                        yield Frame(last, float(count / rate))  # dropped while filming: the one before
                        count += 1
                    seconds = float(count / rate) if clock or decoded.time is None else float(decoded.time)
                    if seconds + late < latest:  # films joined one after the other: each begins its clock anew
                        late = latest + float(1 / rate) - seconds
                    latest = seconds + late
                    yield Frame(pixels, latest)
                    size, last, count = pixels.shape, pixels, count + 1
            if count and container.format.name.startswith("matroska") and not _ends_at(path, end):
                raise _damaged(path, count, "what follows cannot be read")
    except (av.error.FFmpegError, IndexError) as error:
        raise _unreadable(path, count, error) from error
    if not count:
        raise _without_frames(path)
    if max(packets, count) < promised and not (clock and _is_whole(path)):
        raise KpError(
            f"{path}: only {count} of {promised} frames can be read; the file is cut short: copy or convert it again"
        )
    if max(packets, count) < promised:
        warnings.warn(
            f"{path}: its header promises {promised} frames, but the file is whole with {count}: these are used",
            stacklevel=2,
        )


@dataclass(frozen=True)
class _Clock:
    """What the packets of an AVI say: it numbers its frames, and times none.

    ``rate``: frames a second; ``count``: of frames, dropped ones included; ``tick``: what the number grows by from
    frame to frame, more than 1 where a film was copied from another kind of file; ``numbered``: whether numbers are
    those of frames as shown, in which gaps are dropped frames.
    """

    rate: Fraction
    count: int
    tick: int
    numbered: bool

    @staticmethod
    def of(path: Path) -> "_Clock":
        with _open_film(path) as container:
            stream = _picture_stream(container, path)
            numbers = sorted({p.dts for p in container.demux(stream) if p.dts is not None})
            steps = Counter(b - a for a, b in pairwise(numbers))
            tick = min((step for step, times in steps.items() if times > len(numbers) // 20), default=1)
            numbered = not stream.codec_context.has_b_frames
            count = 1 + (numbers[-1] - numbers[0]) // tick if numbered and numbers else len(numbers)
            base = stream.time_base or Fraction(1)
            return _Clock(1 / (tick * base), count, tick, numbered)

    def lacks(self, count: int, number: int | None, first: int | None) -> bool:
        """Whether frame ``count`` was dropped before the one of this number."""
        return number is not None and first is not None and count < round((number - first) / self.tick)


def _count(stream: av.VideoStream) -> int:
    """Frames by the header, or 0 where it does not say how many a player shows: where the film was trimmed without
    being coded again, the frames that it holds last longer than the film.
    """
    if stream.duration and stream.average_rate:
        shown = round(stream.duration * stream.time_base * stream.average_rate)
        return stream.frames if shown == stream.frames else 0
    return stream.frames


def _rate(stream: av.VideoStream) -> Fraction:
    """Frames a second; a header that counts ticks of a clock instead is not believed."""
    rates = (stream.average_rate, stream.guessed_rate, stream.base_rate)
    return next((rate for rate in rates if rate and rate <= FASTEST), STILL)


def _is_whole(path: Path) -> bool:
    """Whether an AVI is as long as it says; one whose recorder was stopped says nothing, and counts as whole."""
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8)[4:], "little")
    return size + 8 <= path.stat().st_size


def _ends_at(path: Path, end: int) -> bool:
    """Whether a Matroska file's pictures and sound end at byte ``end``: it ends there, or another part of it begins.
    Where its data are damaged, FFmpeg stops without a word.
    """
    with open(path, "rb") as file:
        file.seek(max(0, end - 16))  # a position is that of a block's head
        rest = file.read(256)
    return len(rest) < 128 or any(part in rest for part in MATROSKA_PARTS)


def _without_frames(path: Path) -> KpError:
    """Why not one frame came out of a film: it is empty of pictures, or no frame stands by itself."""
    with suppress(av.error.FFmpegError), _open_film(path) as container:
        packets = [packet for packet in container.demux(container.streams.best("video")) if packet.dts is not None]
        if packets and not any(packet.is_keyframe for packet in packets):
            return KpError(
                f"{path}: holds no key frame, so none of its {len(packets)} frames can be decoded; cut the "
                "original anew, at a key frame"
            )
    return KpError(f"{path}: not one frame can be read; the file is cut short: copy or convert it again")


def _open_film(path: Path) -> av.container.InputContainer:
    if path.stat().st_size == 0:
        raise KpError(f"{path}: is empty (0 bytes); copy it again")
    return av.open(f"file:{path}", metadata_errors="replace")  # a name with a colon is no address


def _picture_stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    """The film's pictures. KpError if it holds only sound."""
    stream = container.streams.best("video")
    if stream is None or stream.disposition & av.stream.Disposition.attached_pic:  # the cover of a record
        raise KpError(f"{path}: holds no pictures{', only sound' if container.streams.audio else ''}; give a video")
    if stream.codec_context:  # a damaged file may have none
        if stream.width * stream.height <= SMALL:
            stream.codec_context.thread_count = 1
        else:
            stream.codec_context.thread_type = "AUTO"
    return stream


def _unreadable(path: Path, count: int, error: Exception) -> KpError:
    why = getattr(error, "strerror", None) or error
    if count:
        return _damaged(path, count, str(why))
    return KpError(
        f"{path}: cannot be opened as a video ({why}); if it is one, its beginning, end or index is missing: copy or "
        "convert it again"
    )


def _damaged(path: Path, count: int, why: str) -> KpError:
    return KpError(f"{path}: is damaged at frame {count} ({why}); copy it again, or cut it there")


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
