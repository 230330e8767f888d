"""Landmarks from photographs: samples of the shape model that ``clmtrackr`` (MIT) learnt from the MUCT photographs of
real people.
"""

import json
import re
from pathlib import Path

import numpy as np

MODEL = Path(__file__).parent / "inputs/clmtrackr/package/models/model_pca_20_svm.js"
JAW, RIGHT_BROW, LEFT_BROW = range(15), (19, 20, 21, 22), (18, 17, 16, 15)
BRIDGE, BASE = (33, 41, 62), (36, 37, 38)
EYES = (23, 63, 64, 25, 65, 66, 30, 68, 67, 28, 70, 69)
LIPS = (44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 44, 61, 60, 59, 50, 58, 57, 56)


def _along(points: np.ndarray, chain, count: int) -> np.ndarray:
    """``count`` points evenly along a chain of the model's points, by number: (n, 71, 2) → (n, count, 2)."""
    at = np.linspace(0, len(chain) - 1, count)
    low = np.minimum(at.astype(int), len(chain) - 2)
    chosen, share = points[:, list(chain)], (at - low)[:, None]
    return chosen[:, low] * (1 - share) + chosen[:, low + 1] * share


def to_300w(points: np.ndarray) -> np.ndarray:
    """The model's 71 points → the 68 of 300-W: jaw, brows and nose interpolated along their chains, eyes and lips one
    to one.

    The model has no inner corners of the mouth; it gets the outer ones.
    """
    nose = [_along(points, BRIDGE, 4), _along(points, BASE, 5)]
    brows = [_along(points, RIGHT_BROW, 5), _along(points, LEFT_BROW, 5)]
    return np.concatenate([_along(points, JAW, 17), *brows, *nose, points[:, list(EYES)], points[:, list(LIPS)]], 1)


def load_model() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean shape (71, 2), modes (71, 2, 20) and their standard deviations (20,), from the package's JavaScript; y
    points down.
    """
    text = MODEL.read_text()
    found, _ = json.JSONDecoder().raw_decode(
        re.sub(r"//[^\n]*", "", text[text.index("{", text.index('"shapeModel"')) :])
    )
    return (
        np.array(found["meanShape"]),
        np.array(found["eigenVectors"]).reshape(71, 2, -1),
        np.sqrt(found["eigenValues"]),
    )


def sample_photographs(count: int, size: int, rng: np.random.Generator) -> tuple[list, list]:
    """(landmarks (68, 2) in pixel indices of a frame of ``size``, sources).

    Normal weights of the modes, cut at 2.5 deviations; rolled by up to ±12°; the box of the landmarks fills 52–78 % of
    the frame, its middle up to 6 % off the frame's: our guess at how the videos are framed, the same for all poses.
    """
    mean, modes, deviation = load_model()
    weights = rng.standard_normal((count, len(deviation))).clip(-2.5, 2.5) * deviation
    points = to_300w(mean + np.einsum("nm,pcm->npc", weights, modes))
    angle = np.radians(rng.uniform(-12, 12, count))
    c, s = np.cos(angle), np.sin(angle)
    points = np.einsum("nij,npj->npi", np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], 1), points)
    low, high = points.min(1, keepdims=True), points.max(1, keepdims=True)
    fill = rng.uniform(0.52, 0.78, (count, 1, 1)) * size / (high - low).max(2, keepdims=True)
    middle = (size - 1) / 2 + rng.uniform(-0.06, 0.06, (count, 1, 2)) * size
    return list((points - (low + high) / 2) * fill + middle), ["photographs"] * count
