"""Masks by brightness: a subject that is brighter or darker than all that lies around it, in one frame.

For insects and mice in an arena of one tone, seen from above or below, and for all that was filmed before a plain wall.
"""

from types import ModuleType

import numpy as np
from jaxtyping import Bool, Float, UInt8

from kp.errors import KpError
from kp.inference.region import largest_region

RIM = 1 / 16  # of a frame's height, on each side: hardly any of it is the subject
OTHERS = 0.9  # share of the rim that is surely background; the rest may be the subject's limbs
MARGIN = 1.5  # how much more than the rim a pixel must differ
FAINT = 10  # of 255: no subject differs less from its background
FILM = 0.25  # share of a frame that lies between black bars at least
PLAIN = 100  # of 255: a background that varies more is not of one brightness


def brightness_mask(frames: UInt8[np.ndarray, "t h w 3"], cv2: ModuleType) -> Bool[np.ndarray, "t h w"]:
    """Where a clip's frames differ from the colour of their rim, more than the rim itself does; of each frame the
    largest region. Black bars, which crops have where they reach beyond the film, are no part of the rim or of the
    subject. cv2: the module OpenCV.

    KpError if the rim is not of one brightness.
    """
    place = without_bars(frames)
    differs, varies, background = against_rim(frames[:, *place])
    if background.max() <= FAINT or differs[0].size < FILM * frames[0, ..., 0].size:  # a black background, not bars
        place = np.s_[:, :]
        differs, varies, background = against_rim(frames)
    if varies > PLAIN:
        raise KpError(
            f"the frames' rim varies by {varies:.0f} of 255; masks by brightness need a background of one brightness"
        )
    masks = np.zeros(frames.shape[:3], bool)
    masks[:, *place] = [largest_region(mask, cv2) for mask in differs > max(FAINT, MARGIN * varies)]
    return masks


def without_bars(frames: UInt8[np.ndarray, "t h w 3"]) -> tuple[slice, slice]:
    """The rows and columns between those at the edges that are black in all frames."""
    bright = (frames > FAINT).any((0, 3))
    places = []
    for axis in (1, 0):
        lines = np.flatnonzero(bright.any(axis))
        places.append(slice(lines[0], lines[-1] + 1) if len(lines) else slice(None))
    return places[0], places[1]


def against_rim(
    frames: UInt8[np.ndarray, "t h w 3"],
) -> tuple[Float[np.ndarray, "t h w"], float, Float[np.ndarray, "3"]]:
    """(how far each pixel differs from the colour of the rim; how far most of the rim does; that colour)."""
    rim = np.ones(frames.shape[1:3], bool)
    inner = max(1, round(RIM * frames.shape[1]))
    rim[inner:-inner, inner:-inner] = False
    background = np.median(frames[:, rim], axis=(0, 1))
    differs = np.abs(frames.astype(np.float32) - background.astype(np.float32)).max(-1)
    return differs, float(np.quantile(differs[:, rim], OTHERS)), background
