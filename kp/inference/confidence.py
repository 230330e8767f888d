"""How sure is a reading? What is known of a joint without labels, weighed so that the sum ranks right before wrong.

Six cues of every joint of every image: the distances between its reading and those of the mirror image, of the image
moved, and of the skeleton redrawn (what the pre-trained η₀ makes of β(p)); how far Φ's drawing y and β's y* differ
around it; and contrast and brightness of the image there. In a film there is a seventh, the distance from the middle
between the frames before and after, and each cue counts twice: at the moment, and in the mean over five frames.

The confidence of a joint is the probability that it lies within 5 % of the image size of the truth: a logistic curve in
the logarithms of the cues. It was fitted on rendered validation people in rooms, as they are and made unlike the
training set (other colours, light, lens and speed, hidden in part, cut off), and ranks such test people
(kp/research/scripts/confidence.py). Elsewhere it orders joints; how probable they are it promises only for such images.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from kp.errors import KpError
from kp.geometry import Similarity, draw_similarity, joint_errors

CLOSE = 5.0  # % of the image size
LEAST = 0.05  # smaller cues count as this
CUES = ("mirrored", "moved", "redrawn", "drawing", "contrast", "brightness")
SMOOTH = 5  # frames
AROUND, POINTS = 0.12, 7  # half a side of the window that is looked at, in kp's coordinates, and its points a side
DARK = -0.9  # of [-1, 1]
FLAT, NOISE = 0.02, 0.33  # standard deviation of grey levels in [-1, 1]; correlation of neighbouring pixels


@dataclass(frozen=True)
class Curve:
    """Weights of a constant and of the logarithms of the cues, for single images (``still``: 1 + 6) and for films
    (``film``: 1 + 7 + 7, at the moment and smoothed).
    """

    still: tuple[float, ...]
    film: tuple[float, ...]

    @staticmethod
    def of(text: str | None) -> "Curve":
        """The curve in a weight file's metadata; for a model that was never measured, that of the published people."""
        try:
            stored = json.loads(text or "")
            curve = Curve(tuple(map(float, stored["still"])), tuple(map(float, stored["film"])))
        except (ValueError, TypeError, KeyError):  # nothing, or what earlier versions wrote
            return UNMEASURED
        return curve if (len(curve.still), len(curve.film)) == (1 + len(CUES), 3 + 2 * len(CUES)) else UNMEASURED

    @staticmethod
    def read(path: Path) -> "Curve":
        """The curve in a file beside published weights. KpError if it is not there."""
        if not path.is_file():
            raise KpError(f"{path}: missing; install kp again")
        return Curve.of(path.read_text())

    def text(self) -> str:
        """As weight files keep it."""
        return json.dumps(asdict(self))


UNMEASURED = Curve(
    (-5.8563, -0.845, -0.3327, -0.5846, -1.8114, -0.2388, 4.0969),
    (
        -4.1501,
        -0.3873,
        -0.1249,
        -0.2163,
        -1.285,
        0.5339,
        2.0746,
        -0.1245,
        -0.7012,
        -0.5716,
        -0.5087,
        -0.4919,
        -1.0419,
        1.5309,
        0.1398,
    ),
)
"""That of the published people."""


def moves(first: int, count: int) -> Similarity:
    """How the images from number ``first`` on are moved before they are read again: eight maps, in turn."""
    eight = draw_similarity(8, torch.Generator().manual_seed(0), angle=0.2, scale=0.15, shift=0.15)
    turn = torch.arange(first, first + count) % 8
    return Similarity(eight.matrix[turn], eight.shift[turn])


def look_around(
    keypoints: Float[Tensor, "n k 2"],
    images: Float[Tensor, "n d s s"],
    drawn: Float[Tensor, "n c s s"],
    redrawn: Float[Tensor, "n c s s"],
) -> Float[Tensor, "n k 3"]:
    """In a window around each joint: the mean difference of y and y*, the contrast of the image (its standard
    deviation, mean over colours), and the share of it that is not black. All in tenths.
    """
    side = torch.linspace(-AROUND, AROUND, POINTS)
    window = torch.stack(torch.meshgrid(side, side, indexing="xy"), -1).view(1, 1, -1, 2)

    def at(picture):
        return F.grid_sample(picture, keypoints[:, :, None] + window, align_corners=True, padding_mode="border")

    differing = at((drawn - redrawn).abs().sum(1, keepdim=True)).mean(-1)[:, 0]
    contrast = at(images).std(-1).mean(1)
    bright = at((images > DARK).any(1, keepdim=True).float()).mean(-1)[:, 0]
    return torch.stack([differing, contrast, bright], -1) * 10


def shows_something(images: Float[Tensor, "n d s s"]) -> Bool[Tensor, " n"]:
    """Which images are neither of one colour nor noise: their grey levels differ, and those of neighbours less.

    The limits lie between validation images (0.045 and more; correlations of neighbours of 0.36 and more, but for dark
    ones with noise) and films of noise (0.30 and less).
    """
    grey = images.mean(1)
    grey = grey - grey.mean((1, 2), keepdim=True)
    power = grey.square().mean((1, 2))
    alike = (grey[:, 1:] * grey[:, :-1]).mean((1, 2)) + (grey[:, :, 1:] * grey[:, :, :-1]).mean((1, 2))
    return (power.sqrt() > FLAT) & (alike / 2 > NOISE * power)


def still_cues(cues: Float[Tensor, "*n c"]) -> Float[Tensor, "*n d"]:
    """What the curve for single images weighs."""
    return cues.clamp_min(LEAST).log()


def film_cues(cues: Float[Tensor, "t k c"], keypoints: Float[Tensor, "t k 2"]) -> Float[Tensor, "t k d"]:
    """What the curve for films weighs; cues and keypoints ((x, y) in [-1, 1]) of consecutive frames."""
    before, after = keypoints[[0, *range(len(keypoints) - 1)]], keypoints[[*range(1, len(keypoints)), -1]]
    jumps = joint_errors(keypoints, (before + after) / 2)
    logs = torch.cat([cues, jumps[..., None]], -1).clamp_min(LEAST).log()
    flat = logs.flatten(1).T[None]
    smooth = F.avg_pool1d(flat, SMOOTH, 1, SMOOTH // 2, count_include_pad=False)[0].T.unflatten(1, logs.shape[1:])
    return torch.cat([logs, smooth], -1)


def confidence(
    cues: Float[Tensor, "t k c"], keypoints: Float[Tensor, "t k 2"], curve: Curve, film: bool
) -> Float[Tensor, "t k"]:
    """Probability that each joint is close to the truth, of single images or of the consecutive frames of a film (of
    fewer than three frames there is no film).
    """
    moving = film and len(keypoints) > 2
    weights = torch.tensor(curve.film if moving else curve.still)
    return torch.sigmoid(weights[0] + (film_cues(cues, keypoints) if moving else still_cues(cues)) @ weights[1:])


def fit_weights(features: Float[Tensor, "n d"], right: Bool[Tensor, " n"], steps: int = 50) -> tuple[float, ...]:
    """The weights (a constant first) of the greatest likelihood: logistic regression by Newton's method."""
    x = torch.cat([torch.ones(len(features), 1), features], 1).double()
    y, w = right.double(), torch.zeros(x.shape[1], dtype=torch.float64)
    for _ in range(steps):
        p = torch.sigmoid(x @ w)
        hessian = (x * (p * (1 - p))[:, None]).T @ x + 1e-3 * torch.eye(len(w), dtype=torch.float64)
        w = w + torch.linalg.solve(hessian, x.T @ (y - p))
    return tuple(round(value, 4) for value in w.tolist())


def fit_still_curve(cues: Float[Tensor, "n c"], right: Bool[Tensor, " n"]) -> Curve:
    """The curve of the greatest likelihood for single images, from joints' cues and whether each is right. A film is
    weighed like its single frames.
    """
    constant, *weights = fit_weights(still_cues(cues), right)
    return Curve((constant, *weights), (constant, *weights, *[0.0] * (len(CUES) + 2)))


def jitter(keypoints: Float[Tensor, "t k 2"]) -> Float[Tensor, " u"]:
    """Distance of each inner frame's points from the middle of their neighbours in time, % of the image size, mean over
    joints.

    keypoints: (x, y) in [-1, 1], consecutive frames. Points that move evenly have none; t − 2 values.
    """
    return joint_errors(keypoints[1:-1], (keypoints[:-2] + keypoints[2:]) / 2).mean(1)
