"""Where is the one thing that moves? Boxes around it by background subtraction (OpenCV), for a static camera."""

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from tqdm import tqdm

from kp.errors import KpError
from kp.footage import each_frame
from kp.libraries import library

HEIGHT = 240  # pixels: larger frames are shrunk before the search
SAMPLES = 300  # frames, spread over the video, that the background is learnt from
LEAST = 0.003  # share of the frame that a subject covers at least
WINDOW = 5  # frames to either side: who stands still for a moment has not gone
SEEN = 0.2  # share of frames in which something must be found


def find_boxes(path: Path, count: int, progress: bool = True) -> Float[np.ndarray, "t 4"]:
    """A box (left, top, width, height in pixels) a frame around the largest thing that moves in a video of ``count`` frames.

    Two passes: a mixture of Gaussians learns the background (Zivkovic 2004, OpenCV's MOG2) from frames in random order, so that no place
    counts as background because someone stood there first; then each frame is compared with it. The largest region counts; a frame's
    box holds what was found within five frames, but for outliers. KpError if the video cannot be read, or if nothing large
    enough is found in a fifth of the frames.
    """
    cv2 = library("cv2", "video", path)

    def shrunk(frame):
        small = min(1.0, HEIGHT / frame.pixels.shape[0])
        return cv2.resize(frame.pixels, None, fx=small, fy=small, interpolation=cv2.INTER_AREA)

    frames = lambda name: tqdm(each_frame(path), desc=f"{path.name}: {name}", total=count, unit="frame", disable=not progress)
    chosen = set(np.linspace(0, count - 1, SAMPLES).astype(int).tolist())
    samples = [shrunk(frame) for t, frame in enumerate(frames("background")) if t in chosen]
    model = cv2.createBackgroundSubtractorMOG2(detectShadows=True)
    for number, which in enumerate(np.random.default_rng(0).permutation(len(samples))):
        model.apply(samples[which], learningRate=1 / (number + 1))
    found = np.full((count, 4), np.nan)
    for t, frame in enumerate(frames("subject")):
        found[t] = largest(model.apply(shrunk(frame), learningRate=0) == 255, cv2)
    size = np.array(frame.pixels.shape[1::-1])
    if np.isfinite(found[:, 0]).mean() < SEEN:
        raise KpError(f"{path}: nothing that moves is found in most frames; it takes a static camera and a moving subject: try --boxes")
    left, top, right, bottom = (_steady(column, high) for column, high in zip(found.T, (False, False, True, True), strict=True))
    scale = size[1] / samples[0].shape[0]
    low = np.clip(np.stack([left, top], 1) * scale, 0, size - 1)
    return np.concatenate([low, np.clip(np.stack([right, bottom], 1) * scale, low + 1, size) - low], 1)


def largest(moving: Bool[np.ndarray, "h w"], cv2) -> Float[np.ndarray, "4"]:
    """(left, top, right, bottom) of the region with the most moving pixels; NaN if they are too few.

    Pixels up to a sixteenth of the height apart belong to one region: a body rarely differs from the background everywhere. The box
    leaves out the outermost hundredth of the region's pixels on each side.
    """
    reach = moving.shape[0] // 16 | 1
    near = cv2.dilate(moving.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    _, region = cv2.connectedComponents(near)
    counts = np.bincount(region[moving], minlength=1)
    if counts.max() < LEAST * moving.size:
        return np.full(4, np.nan)
    places = np.argwhere(moving & (region == counts.argmax()))[:, ::-1]
    return np.concatenate([np.quantile(places, 0.01, axis=0), np.quantile(places, 0.99, axis=0) + 1])


def _steady(edge: Float[np.ndarray, " t"], high: bool) -> Float[np.ndarray, " t"]:
    """One edge of the boxes over time: the outermost tenth of its window; gaps are filled from either side."""
    known = np.flatnonzero(np.isfinite(edge))
    filled = np.interp(np.arange(len(edge)), known, edge[known])
    padded = np.pad(filled, WINDOW, "edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * WINDOW + 1)
    return np.quantile(windows, 0.9 if high else 0.1, axis=1)
