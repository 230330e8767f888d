"""The same frame in other colours. Whatever changes in what a model makes of it, the colours changed.

No probe and no training: a picture x_a, its copy x_b with other colours, and what Φ, η, β and Ψ make of both. The pose
is the same in both, so a drawing that holds the pose and nothing else would be the same, too.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kp.inference.predictor import Prediction, Predictor
from kp.research.probes import at_joints, decode_all

FAINT = 1e-3  # of full brightness: a drawn line is over where it is no brighter


def exchange_hues(images: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 3 s s"]:
    """Red becomes blue, green red, blue green. Light, the mean of the three, stays; grey and black stay."""
    return images[:, [1, 2, 0]]


def darken(images: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 3 s s"]:
    """Half as bright, in [-1, 1] as before. Black stays black."""
    return (images + 1) / 2 - 1


def brighten(images: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 3 s s"]:
    """Brightness to the power 0.6. Black and white stay."""
    return ((images + 1) / 2).clamp_min(0) ** 0.6 * 2 - 1


CHANGES = {"hues exchanged": exchange_hues, "darker": darken, "brighter": brighten}


@dataclass(frozen=True)
class Pair:
    """Frames x_a and their copies x_b in other colours, what the model makes of both, and what Ψ paints; a second
    frame, where Ψ takes one, is the same for both, in the old colours.
    """

    images: tuple[Float[Tensor, "n 3 s s"], Float[Tensor, "n 3 s s"]]
    made: tuple[Prediction, Prediction]
    painted: tuple[Float[Tensor, "n 3 s s"], Float[Tensor, "n 3 s s"]]

    @property
    def of_drawing(self) -> Float[Tensor, "n c s s"]:
        """y_a − y_b in shares of full brightness."""
        return (self.made[0].skeleton - self.made[1].skeleton) / 2

    @property
    def of_redrawing(self) -> Float[Tensor, "n c s s"]:
        """y*_a − y*_b in shares of full brightness."""
        return (self.made[0].redrawn - self.made[1].redrawn) / 2

    @property
    def off_strokes(self) -> Bool[Tensor, "n c s s"]:
        """Where neither y*_a nor y*_b is brighter than a thousandth of full brightness: moved lines do not reach it."""
        return torch.maximum(self.made[0].redrawn, self.made[1].redrawn) < 2 * FAINT - 1


def recoloured(
    predictor: Predictor,
    images: Float[Tensor, "n 3 s s"],
    others: Float[Tensor, "n 3 s s"],
    change: Callable[[Tensor], Tensor] = exchange_hues,
) -> Pair:
    """``images`` in [-1, 1] and ``change`` of them, through a model. others: the second frames, for a Ψ that takes
    one.
    """
    both = images, change(images)
    made = predictor(both[0]), predictor(both[1])
    painted = [decode_all(predictor, predictor.model.decoder_input(m.skeleton, m.redrawn), others) for m in made]
    return Pair(both, made, (painted[0], painted[1]))


def measures(pair: Pair, keypoints: Float[Tensor, "n k 2"]) -> dict[str, float]:
    """What the change of colours does. keypoints: true joints (x, y) in [-1, 1].

    ``drawing``, ``redrawing``: RMS of y_a − y_b and of y*_a − y*_b off the strokes, in shares of full brightness;
    ``points``: how far the keypoints move, % of the image size; ``hue``: slope of the painted change of hue at the true
    joints on the real one: 1 if Ψ paints the new colours, 0 if it paints the old ones.
    """
    far = pair.off_strokes.to(pair.images[0].dtype)

    def rms(difference):
        return ((difference**2 * far).sum() / far.sum().clamp_min(1)).sqrt().item()

    real, painted = (at_joints(a, keypoints)[1] - at_joints(b, keypoints)[1] for a, b in (pair.images, pair.painted))
    moved = (pair.made[0].keypoints - pair.made[1].keypoints).norm(dim=-1).mean().item() * 50
    return {
        "drawing": rms(pair.of_drawing),
        "redrawing": rms(pair.of_redrawing),
        "points": moved,
        "hue": ((painted * real).sum() / (real**2).sum().clamp_min(1e-12)).item(),
    }
