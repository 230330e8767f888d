"""Where is the one thing that moves? Boxes around it by background subtraction (OpenCV), for a static camera."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8
from tqdm import tqdm

from kp.errors import KpError, library, printable
from kp.inference.crops import BoxTrack
from kp.inference.once import once_a_film
from kp.video import read_frames, read_header

HEIGHT = 240  # pixels: larger frames are shrunk before the search
SAMPLES = 300  # frames, spread over the film, that the background is learnt from
LEAST = 0.003  # share of the frame that a subject covers at least
WINDOW = 5  # frames to either side: who stands still for a moment has not gone
SEEN = 0.2  # share of frames in which something must be found
RIVAL = 0.5  # size of a second region, as a share of the largest, that may be taken for it
QUALITY = 95  # of the small frames that wait in a temporary file


@once_a_film
def find_boxes(path: Path, progress: bool = True) -> BoxTrack:
    """A box (left, top, width, height in pixels) a frame around the largest thing that moves in a film.

    The film is decoded once; its frames, made small, wait in a temporary file. A mixture of Gaussians learns the
    background (Zivkovic 2004, OpenCV's MOG2) from some of them in random order, so that no place counts as background
    because someone stood there first; then each is compared with it. The largest region counts; a frame's box holds
    what was found within five frames, but for outliers. Where nothing moves the last box stays, and the subject
    counts as not seen. KpError if the film cannot be read, or if nothing large enough is found in a fifth of the
    frames.
    """
    cv2 = library("cv2", "video", path)
    with tempfile.TemporaryFile() as spool:
        film = _SmallFilm(path, spool, cv2, progress)
        model = cv2.createBackgroundSubtractorMOG2(detectShadows=True)
        chosen = np.unique(np.linspace(0, len(film) - 1, SAMPLES).astype(int))
        for number, sample in enumerate(np.random.default_rng(0).permutation(chosen).tolist()):
            model.apply(film[sample], learningRate=1 / (number + 1))
        regions = [largest(model.apply(frame, learningRate=0) == 255, cv2) for frame in film]
    edges, rivals = np.stack([edge for edge, _ in regions]), np.array([rival for _, rival in regions])
    if np.isfinite(edges[:, 0]).mean() < SEEN:
        raise KpError(
            f"{path}: nothing that moves is found in most frames; it takes a static camera and a moving subject: try "
            "--crop person for people, or --boxes"
        )
    return steady_track(edges * film.scale, rivals, film.size)


class _SmallFilm:
    """A film decoded once, at most 240 pixels high, kept as JPEG in a temporary file. ``size`` (width, height) of the
    film's own frames; ``scale``: one pixel of these in its own pixels.
    """

    def __init__(self, path: Path, spool, cv2, progress: bool):
        self.spool, self.cv2, self.ends = spool, cv2, [0]
        count = read_header(path).count
        for frame in tqdm(
            read_frames(path), printable(f"{path.name}: subject"), count, unit="frame", disable=not progress
        ):
            height, width = frame.pixels.shape[:2]
            small = min(1.0, HEIGHT / height)
            shrunk = cv2.resize(frame.pixels, None, fx=small, fy=small, interpolation=cv2.INTER_AREA)
            _, code = cv2.imencode(".jpg", shrunk, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
            self.ends.append(self.ends[-1] + spool.write(code.tobytes()))
        self.size, self.scale = (width, height), height / shrunk.shape[0]

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __getitem__(self, number: int) -> UInt8[np.ndarray, "h w 3"]:
        self.spool.seek(self.ends[number])
        code = np.frombuffer(self.spool.read(self.ends[number + 1] - self.ends[number]), np.uint8)
        return self.cv2.imdecode(code, self.cv2.IMREAD_COLOR)

    def __iter__(self) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        return (self[number] for number in range(len(self)))


def largest(moving: Bool[np.ndarray, "h w"], cv2) -> tuple[Float[np.ndarray, "4"], float]:
    """(left, top, right, bottom) of the region with the most moving pixels, NaN if they are too few; and how many
    pixels the second region has, as a share of that.

    Pixels up to a sixteenth of the height apart belong to one region: a body rarely differs from the background
    everywhere. The box leaves out the outermost hundredth of the region's pixels on each side.
    """
    reach = moving.shape[0] // 16 | 1
    near = cv2.dilate(moving.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    _, region = cv2.connectedComponents(near)
    counts = np.bincount(region[moving], minlength=1)
    if counts.max() < LEAST * moving.size:
        return np.full(4, np.nan), 0.0
    places = np.argwhere(moving & (region == counts.argmax()))[:, ::-1]
    second = float(np.sort(counts)[-2] / counts.max()) if len(counts) > 1 else 0.0
    return np.concatenate([np.quantile(places, 0.01, axis=0), np.quantile(places, 0.99, axis=0) + 1]), second


def steady_track(edges: Float[np.ndarray, "t 4"], rivals: Float[np.ndarray, " t"], size: tuple[int, int]) -> BoxTrack:
    """Boxes whose edges (left, top, right, bottom, in pixels of a film of ``size``; NaN where nothing was found) are
    those found within five frames, but for outliers. Where nothing was found the last box stays, and the subject counts
    as not seen. rivals: how large a second region was, as a share of the one that counts.
    """
    seen = np.isfinite(edges[:, 0])
    left, top, right, bottom = (
        _steady(edge, high) for edge, high in zip(edges.T, (False, False, True, True), strict=True)
    )
    low = np.clip(np.stack([left, top], 1), 0, np.array(size) - 1)
    boxes = np.concatenate([low, np.clip(np.stack([right, bottom], 1), low + 1, np.array(size)) - low], 1)
    return BoxTrack(boxes, seen, float((rivals[seen] > RIVAL).mean()))


def _steady(edge: Float[np.ndarray, " t"], high: bool) -> Float[np.ndarray, " t"]:
    """One edge of the boxes over time: the outermost tenth of its window; in a gap the edge before it stays."""
    known = np.flatnonzero(np.isfinite(edge))
    held = edge[known[np.maximum(np.searchsorted(known, np.arange(len(edge)), "right") - 1, 0)]]
    padded = np.pad(held, WINDOW, "edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * WINDOW + 1)
    return np.quantile(windows, 0.9 if high else 0.1, axis=1)
