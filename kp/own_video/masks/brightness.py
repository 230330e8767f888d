"""Masks by brightness: a subject that is brighter or darker than all that lies around it, in one frame.

For insects and mice in an arena of one tone, seen from above or below, and for all that was filmed before a plain wall.
"""

from types import ModuleType

import numpy as np
from jaxtyping import Bool, UInt8

from kp.errors import KpError
from kp.inference.region import largest_region

RIM = 1 / 16  # of a frame's height, on each side: hardly any of it is the subject
OTHERS = 0.9  # share of the rim that is surely background; the rest may be the subject's limbs
MARGIN = 1.5  # how much more than the rim a pixel must differ
FAINT = 10  # of 255: no subject differs less from its background
PLAIN = 100  # of 255: a background that varies more is not of one brightness


def brightness_mask(frames: UInt8[np.ndarray, "t h w 3"], cv2: ModuleType) -> Bool[np.ndarray, "t h w"]:
    """Where a clip's frames differ from the colour of their rim, more than the rim itself does; of each frame the
    largest region. cv2: the module OpenCV.

    KpError if the rim is not of one brightness.
    """
    rim = np.ones(frames.shape[1:3], bool)
    inner = max(1, round(RIM * frames.shape[1]))
    rim[inner:-inner, inner:-inner] = False
    background = np.median(frames[:, rim], axis=(0, 1))
    differs = np.abs(frames.astype(np.float32) - background).max(-1)
    varies = float(np.quantile(differs[:, rim], OTHERS))
    if varies > PLAIN:
        raise KpError(
            f"the frames' rim varies by {varies:.0f} of 255; masks by brightness need a background of one brightness"
        )
    return np.stack([largest_region(mask, cv2) for mask in differs > max(FAINT, MARGIN * varies)])
