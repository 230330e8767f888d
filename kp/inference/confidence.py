"""How sure is a reading? Three readings of the same joint: where they differ, one at least is wrong.

The readings are of the image, of its mirror image, and of the skeleton redrawn from the first (what the pre-trained η₀
makes of β(p)). The confidence of a joint is the probability that it lies within 5 % of the image size of the truth,
given the distances between the readings: a logistic curve in the logarithms of the two. A published model's weights
hold the curve that was fitted on its validation set; it holds for images like those. Elsewhere it orders joints and
promises no probability.
"""

import json
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from kp.geometry import joint_errors

CLOSE = 5.0  # % of the image size
LEAST = 0.05  # % of the image size: smaller distances count as this one


class Curve(NamedTuple):
    """confidence = sigmoid(bias − mirror · log a − redrawn · log b), a and b the distances in % of the image size: to
    the reading of the mirror image, and to that of the redrawn skeleton.
    """

    bias: float
    mirror: float
    redrawn: float

    @staticmethod
    def of(metadata: dict[str, str]) -> "Curve":
        """The curve in a weight file's metadata; for a model that was never measured, that of the published people."""
        return Curve(*json.loads(metadata["confidence"])) if "confidence" in metadata else UNMEASURED


UNMEASURED = Curve(1.784, 1.008, 0.960)


def confidence(distances: Float[Tensor, "*n 2"], curve: Curve) -> Float[Tensor, "*n"]:
    """Probability that a joint is close to the truth; ``distances`` to the two other readings, % of the image size."""
    return torch.sigmoid(curve.bias - distances.clamp_min(LEAST).log() @ torch.tensor([curve.mirror, curve.redrawn]))


def fit_curve(distances: Float[Tensor, "n 2"], errors: Float[Tensor, " n"], steps: int = 50) -> Curve:
    """The curve of the greatest likelihood for joints with such distances between readings and such errors, both in %
    of the image size.

    Logistic regression by Newton's method.
    """
    x = torch.cat([torch.ones(len(distances), 1), -distances.clamp_min(LEAST).log()], 1).double()
    y, w = (errors <= CLOSE).double(), torch.zeros(3, dtype=torch.float64)
    for _ in range(steps):
        p = torch.sigmoid(x @ w)
        hessian = (x * (p * (1 - p))[:, None]).T @ x + 1e-6 * torch.eye(3, dtype=torch.float64)
        w = w + torch.linalg.solve(hessian, x.T @ (y - p))
    return Curve(*w.tolist())


def jitter(keypoints: Float[Tensor, "t k 2"]) -> Float[Tensor, " u"]:
    """Distance of each inner frame's points from the middle of their neighbours in time, % of the image size, mean over
    joints.

    keypoints: (x, y) in [-1, 1], consecutive frames. Points that move evenly have none; t − 2 values.
    """
    return joint_errors(keypoints[1:-1], (keypoints[:-2] + keypoints[2:]) / 2).mean(1)
