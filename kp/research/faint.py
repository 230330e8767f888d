"""How faint is the message? What Ψ still paints right when the faint part of y is cut away, or drowned in noise."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from kp.inference.predictor import Predictor
from kp.research.probes import decode_all, painted_r2


def without_faint(drawing: Float[Tensor, "n c s s"], amplitude: float) -> Float[Tensor, "n c s s"]:
    """A drawing in [-1, 1] with all that is darker than ``amplitude``, a share of full brightness, made black."""
    return torch.where((drawing + 1) / 2 < amplitude, torch.full_like(drawing, -1.0), drawing)


def with_noise(drawing: Float[Tensor, "n c s s"], amplitude: float, seed: int = 0) -> Float[Tensor, "n c s s"]:
    """A drawing in [-1, 1] with Gaussian noise of that standard deviation, a share of full brightness."""
    return drawing + 2 * amplitude * torch.randn(drawing.shape, generator=torch.Generator().manual_seed(seed))


def painted_through(
    predictor: Predictor,
    drawing: Float[Tensor, "n c s s"],
    images: Float[Tensor, "n 3 s s"],
    others: Float[Tensor, "n 3 s s"],
    keypoints: Float[Tensor, "n k 2"],
    amplitudes: Sequence[float],
) -> dict[str, list[dict[str, float]]]:
    """R² of light and hue (:func:`kp.research.probes.painted_r2`) of what Ψ paints from damaged drawings: for each of
    ``amplitudes``, with the faint part "cut" and with "noise".

    others: second frames, for a Ψ that takes one; keypoints: true joints (x, y) in [-1, 1]. Light is the control: as
    long as it is right, Ψ still understands the drawing.
    """
    damages = {"cut": without_faint, "noise": with_noise}
    return {
        name: [
            painted_r2(decode_all(predictor, damage(drawing, amplitude), others), images, keypoints)
            for amplitude in amplitudes
        ]
        for name, damage in damages.items()
    }
