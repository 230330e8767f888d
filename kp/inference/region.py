"""The largest of a mask's regions."""

from types import ModuleType

import numpy as np
from jaxtyping import Bool


def largest_region(mask: Bool[np.ndarray, "h w"], cv2: ModuleType) -> Bool[np.ndarray, "h w"]:
    """The largest of the connected regions of a mask, the others taken away. cv2: the module OpenCV."""
    _, regions = cv2.connectedComponents(mask.astype(np.uint8))
    return mask & (regions == np.bincount(regions[mask], minlength=1).argmax())
