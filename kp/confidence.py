"""How sure is a prediction? Three readings of the same joint: where they differ, one at least is wrong.

The readings are of the image, of its mirror image, and of the skeleton redrawn from the first (what the pre-trained η₀ makes of β(p)). The
confidence of a joint is the probability that it lies within 5 % of the image size of the truth, given how far its readings are apart:
a logistic curve in the logarithms of the two distances. It was fitted on the validation set of each published model and holds for images
like those (``benchmarks/confidence.py`` measures how well); elsewhere it orders joints and promises no probability.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from kp.consistency import mirrored
from kp.metrics import joint_errors, resolve_flips
from kp.predict import Predictor

CLOSE = 5.0  # % of the image size
LEAST = 0.05  # % of the image size: readings closer than this count as so far apart


class Curve(NamedTuple):
    """confidence = sigmoid(bias − mirror · log a − redrawn · log b), a and b the distances of the readings in % of the image size."""

    bias: float
    mirror: float
    redrawn: float


CURVES = {"body": Curve(1.784, 1.008, 0.960), "face": Curve(3.336, 0.584, 1.941)}
"""Skeleton → the curve of its published model."""


def curve_of(skeleton: str) -> Curve:
    """The curve for a skeleton; that of bodies for those which have none of their own."""
    return CURVES.get(skeleton, CURVES["body"])


def confidence(apart: Float[Tensor, "*n 2"], curve: Curve) -> Float[Tensor, "*n"]:
    """Probability that a joint is close to the truth; ``apart``: distances to the mirror image's reading and to the redrawn one's, %."""
    return torch.sigmoid(curve.bias - apart.clamp_min(LEAST).log() @ torch.tensor([curve.mirror, curve.redrawn]))


def fit_curve(apart: Float[Tensor, "n 2"], error: Float[Tensor, " n"], steps: int = 50) -> Curve:
    """The curve of the greatest likelihood for joints with such distances between readings and such errors, both in % of the image size.

    Logistic regression by Newton's method.
    """
    x = torch.cat([torch.ones(len(apart), 1), -apart.clamp_min(LEAST).log()], 1).double()
    y, w = (error <= CLOSE).double(), torch.zeros(3, dtype=torch.float64)
    for _ in range(steps):
        p = torch.sigmoid(x @ w)
        hessian = (x * (p * (1 - p))[:, None]).T @ x + 1e-6 * torch.eye(3, dtype=torch.float64)
        w = w + torch.linalg.solve(hessian, x.T @ (y - p))
    return Curve(*w.tolist())


def readings(predictor: Predictor, images: Float[Tensor, "n 3 s s"]) -> tuple[Float[Tensor, "n k 2"], Float[Tensor, "n k 2"]]:
    """(keypoints, distances): (x, y) in [-1, 1], the mean of the readings of each image and of its mirror image; and how far the
    image's reading is from its mirror image's and from the redrawn one's, in % of the image size.

    Left and right are resolved without labels (:func:`kp.metrics.resolve_flips`): all readings agree on them.
    """
    made = predictor(images)
    agree = lambda p, reference: resolve_flips(p, reference, predictor.skeleton)
    first = agree(made.keypoints, made.reference)
    second, third = agree(mirrored(predictor, images), first), agree(made.reference, first)
    return (first + second) / 2, torch.stack([joint_errors(first, second), joint_errors(first, third)], -1)


def read_surely(predictor: Predictor, images: Float[Tensor, "n 3 s s"]) -> tuple[Float[Tensor, "n k 2"], Float[Tensor, "n k"]]:
    """Keypoints (x, y) in [-1, 1], the mean of the readings of an image and of its mirror image, and the confidence in each, in [0, 1]."""
    keypoints, apart = readings(predictor, images)
    return keypoints, confidence(apart, curve_of(predictor.skeleton.name))
