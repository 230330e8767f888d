"""The one coordinate convention, and the only place where pixels turn into it.

Inside kp a keypoint is (x, y), x to the right, y down, in [-1, 1]: -1 and +1 are the *centres* of
the first and the last pixel (``align_corners=True`` in torch's words). Files hold pixel indices:
0 is the centre of the first pixel, ``size - 1`` that of the last.
"""

from jaxtyping import Float
from torch import Tensor


def from_pixels(pixels: Float[Tensor, "*b 2"], size: int) -> Float[Tensor, "*b 2"]:
    """Pixel indices in a size × size image → [-1, 1]."""
    return pixels * (2 / (size - 1)) - 1


def to_pixels(keypoints: Float[Tensor, "*b 2"], size: int) -> Float[Tensor, "*b 2"]:
    """[-1, 1] → pixel indices in a size × size image."""
    return (keypoints + 1) * ((size - 1) / 2)


def resize_pixels(pixels: Float[Tensor, "*b 2"], old: int, new: int) -> Float[Tensor, "*b 2"]:
    """Where a pixel index lands when the *whole* image, borders included, is resized from old to new pixels a side."""
    return (pixels + 0.5) * (new / old) - 0.5
