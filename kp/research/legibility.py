"""Is y still a skeleton? Whether someone who never saw Φ's drawings could read the pose off them.

η learns beside Φ, so the two may agree on a hand of their own: η's points stay right while y turns into a scribble.
Two things tell: how well η₀, which learnt on perfect drawings and then stopped, reads y; and how much y looks like the
drawing of the true pose.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from kp.geometry import joint_errors
from kp.inference.predictor import Prediction, Predictor
from kp.method.leakage import rms_amplitude
from kp.method.networks import evaluating


def likeness(a: Float[Tensor, "n c s s"], b: Float[Tensor, "n c s s"]) -> float:
    """Correlation of the brightness of pictures in [-1, 1], pixel by pixel, then the mean over n: 1 if alike, 0 if
    unrelated. Values beyond [-1, 1] count as -1 and 1, as a picture shows them.
    """
    a, b = (pictures.clamp(-1, 1).flatten(1) for pictures in (a, b))
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    return torch.nn.functional.cosine_similarity(a, b, dim=1).mean().item()


@torch.no_grad()
def legibility(predictor: Predictor, made: Prediction, true: Float[Tensor, "n k 2"]) -> dict[str, float]:
    """How much of a skeleton Φ's drawings ``made.skeleton`` are. true: the true keypoints (x, y) in [-1, 1].

    ``first_regressor``: the error, % of the image size, of η₀'s reading of y (``error``: of the reading that the model
    predicts with). ``like_redrawn``, ``like_true``: likeness of y to y* and to the drawing of the true pose.
    ``off_skeleton``: RMS of y − y* away from every bone, in shares of full brightness.
    """
    skeleton, drawn = made.skeleton, predictor.model.draw(true)
    with evaluating(predictor.first_regressor):
        first = torch.cat([predictor.first_regressor(y.to(predictor.device)).cpu() for y in skeleton.split(64)])
    return {
        "error": joint_errors(made.keypoints, true).mean().item(),
        "first_regressor": joint_errors(first, true).mean().item(),
        "like_redrawn": likeness(skeleton, made.redrawn),
        "like_true": likeness(skeleton, drawn),
        "off_skeleton": rms_amplitude(skeleton, made.redrawn, predictor.model.config.network.sigma),
    }
