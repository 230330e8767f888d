"""Models by name: the published ones in kp/models, with a card each, and those of run folders and files."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from kp.errors import KpError
from kp.inference.confidence import Curve
from kp.inference.outlines import NAME as ON_FILM
from kp.inference.outlines import load_people_on_film
from kp.inference.predictor import Predictor
from kp.method.checkpoint import load_weights

MODELS = Path(__file__).parents[1] / "models"


def load(name: str | Path) -> Predictor:
    """The published model called ``name``, or the one in a .safetensors file or run folder, ready to predict on the
    CPU.

    ``kp.load("people")`` finds the 17 joints of ``kp.skeletons.BODY`` in people, ``kp.load("faces")`` the 68 landmarks
    of ``kp.skeletons.FACE`` in faces, both on black or before a background; ``kp.load("flies")`` finds 24 joints of a
    fruit fly that is seen from above, upright, on black; ``kp.load("people_on_film")`` finds the joints of people on
    film by their outlines (:mod:`kp.inference.outlines`). A published name is never a folder: write
    ./people for a folder of that name. KpError lists the published models if there is none of that name, and names the
    file if it is missing or damaged.
    """
    path, published = Path(name), {file.stem: file for file in MODELS.glob("*.safetensors")}
    if str(name) == ON_FILM:
        return load_people_on_film(load("people"))
    if str(name) in published:
        path = published[str(name)]
    elif (path / "model.safetensors").is_file():  # what kp fit leaves
        path = path / "model.safetensors"
    if path.is_dir() or path.suffix == ".pt":
        return Predictor.load(path)
    if path.suffix != ".safetensors":
        known = ", ".join(sorted([*published, ON_FILM]))
        raise KpError(
            f"{name}: no run folder, no .safetensors file and no published model (there are: {known}); check it"
        )
    model, first, metadata = load_weights(path)
    published_curve = path.with_suffix(".json") if path in published.values() else None
    return Predictor(
        model, first, Curve.read(published_curve) if published_curve else Curve.of(metadata.get("confidence"))
    )


def examples() -> Float[Tensor, "8 3 64 64"]:
    """Eight frames of test people on black, in [-1, 1], to try ``kp.load("people")`` on: it has never seen them."""
    row = np.asarray(Image.open(MODELS / "people.png").convert("RGB"), np.float32)  # (64, 8 · 64, 3), side by side
    frames = torch.from_numpy(row / 127.5 - 1).unflatten(1, (8, 64))
    return frames.permute(1, 3, 0, 2).contiguous()
