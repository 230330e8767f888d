"""People on film, found by their outlines: ``kp.load("people_on_film")``. Nothing is fitted to the film.

A network that others trained finds the outline (kp/inference/person.py). A reader finds the joints in it: η's own
network, taught by figures of cardboard alone (kp/own_video/reader.py) in the poses that ship, with every limb turned at
random. It has seen no film and no label; the network that finds outlines was trained on masks and joints of people.
``python -m kp.research.scripts.people_reader`` makes the reader.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from kp.errors import KpError, library
from kp.files import atomic_write
from kp.geometry import Similarity, draw_similarity, regrid
from kp.inference.confidence import UNMEASURED, Curve
from kp.inference.person import PersonFinder
from kp.inference.predictor import Prediction, Predictor
from kp.method.model import Model
from kp.method.networks import UNetRegressor
from kp.skeletons import BODY

NAME = "people_on_film"
READER = Path(__file__).parents[1] / "models/outlines/people.safetensors"
WIDTH = 16  # channels of the reader's first stage
SIZE = 64  # pixels a side of the outlines that the reader was taught by
FINER = 2  # outlines are taken at so many times the size, since thin arms are lost in small frames
RIM = 1 / 16  # of the image side: a black margin around what a reader sees, for joints just outside the image
LOOKS = 7  # times that an outline is read once more, turned, scaled and moved a little
MOVES = {"angle": 0.2, "scale": 0.1, "shift": 0.06}  # of these looks


Finder = Callable[[UInt8[np.ndarray, "n h w 3"]], Bool[np.ndarray, "n h w"]]
"""Frames → where the person is in each."""


class OutlinePredictor(Predictor):
    """Keypoints of people in images of 128 × 128 pixels, the person in the middle, by their outlines alone.

    ``kp predict`` asks it like any other model. It has no Φ, so it cannot be exported, painted with or trained further:
    KpError says so. people: the published model, which draws skeletons and re-reads them for the confidence. finder:
    finds the person in frames.
    """

    crop = "person"

    def __init__(self, people: Predictor, reader: nn.Module, finder: Finder, curve: Curve = UNMEASURED):
        self._people, self.reader, self.finder = people, reader, finder
        self.first_regressor, self.curve = people.first_regressor, curve
        self.size, self.skeleton, self.device = FINER * SIZE, BODY, torch.device("cpu")

    @property
    def model(self) -> Model:
        """None: KpError."""
        raise KpError(f"{NAME}: reads outlines and has no Φ, Ψ or D; for this, take people, or fit a model to the film")

    def outlines(self, images: Float[Tensor, "n d s s"]) -> Float[Tensor, "n 1 64 64"]:
        """What the reader looks at; images that are outlines already (of one channel) stay as they are."""
        if images.shape[1] == 1:
            return images
        frames = ((images + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()
        return as_outlines(self.finder(frames))

    @torch.no_grad()
    def __call__(self, images: Float[Tensor, "n d s s"], batch: int = 64) -> Prediction:
        """Predict for images in [-1, 1], 128 a side, or for :meth:`outlines` of them. The skeleton image is the drawing
        of what was found.
        """
        keypoints = torch.cat([read_outlines(self.reader, seen) for seen in self.outlines(images).split(batch)])
        drawn = self._people.model.draw(keypoints)
        found, reread = (regrid(p, SIZE, self.size) for p in (keypoints, self.first_regressor(drawn)))
        return Prediction(found, drawn, drawn, reread)

    def both(self, images: Float[Tensor, "n d s s"]) -> tuple[Prediction, Tensor, Tensor]:
        """As :meth:`kp.inference.predictor.Predictor.both`; the person is looked for once."""
        return super().both(self.outlines(images))

    def readings(
        self, images: Float[Tensor, "n d s s"], first: int = 0
    ) -> tuple[Float[Tensor, "n k 2"], Float[Tensor, "n k 6"]]:
        """As :meth:`kp.inference.predictor.Predictor.readings`, of the outlines: a frame in which nobody is found shows
        nothing. The person is looked for once.
        """
        return super().readings(self.outlines(images), first)

    def reread(self, keypoints: Float[Tensor, "n k 2"]) -> Float[Tensor, "n k 2"]:
        """As :meth:`kp.inference.predictor.Predictor.reread`, by the published model."""
        return regrid(self._people.reread(regrid(keypoints, self.size, SIZE)), SIZE, self.size)

    def check_background(self, frames: UInt8[np.ndarray, "n h w 3"], name: str) -> None:
        """Any background will do."""


def as_outlines(masks: Bool[np.ndarray, "n h w"]) -> Float[Tensor, "n 1 s s"]:
    """Masks as the reader looks at them: white on black, in [-1, 1], 64 a side."""
    return F.interpolate(torch.from_numpy(masks)[:, None].float(), (SIZE, SIZE), mode="area") * 2 - 1


def rim_of(size: int) -> tuple[int, float]:
    """(pixels of the rim around an image of ``size`` a side; factor from a coordinate in the image to that in what a
    reader sees of it).
    """
    rim = round(RIM * size)
    return rim, (size - 1) / (size + 2 * rim - 1)


@torch.no_grad()
def read_outlines(reader: Callable[[Tensor], Tensor], outlines: Float[Tensor, "n 1 s s"]) -> Float[Tensor, "n k 2"]:
    """Keypoints (x, y) in [-1, 1] of outlines in [-1, 1], white on black; some may lie just outside.

    The mean of eight readings: of the outline as it is, and of the same seven small moves of it, moved back. A hole in
    an outline, or an arm that is missing, misleads the reader less in the mean.
    """
    rim, inside = rim_of(outlines.shape[-1])
    seen = F.pad(outlines, 4 * [rim], value=-1.0)
    moves = draw_similarity(LOOKS, torch.Generator().manual_seed(0), **MOVES)
    found = reader(seen)
    for matrix, shift in zip(moves.matrix, moves.shift, strict=True):
        move = Similarity(matrix.expand(len(seen), 2, 2), shift.expand(len(seen), 2))
        found = found + move.inverse_points(reader(move.images(seen)))
    return found / ((1 + LOOKS) * inside)


def save_reader(reader: nn.Module, path: Path) -> None:
    """Write a reader's weights, in half precision, to a .safetensors file. KpError if it cannot be written."""
    weights = reader.state_dict()
    half = {name: w.to(torch.float16 if w.ndim > 1 else w.dtype).contiguous() for name, w in weights.items()}
    with atomic_write(path) as part:
        save_file(half, part)


def load_reader(path: Path | None = None) -> nn.Module:
    """The reader in a file, or the one that ships: outlines with a rim, in [-1, 1] (n, 1, 72, 72) → keypoints
    (n, 17, 2) of ``kp.skeletons.BODY``, in the frame of what it sees. KpError if the file is damaged.
    """
    net, path = UNetRegressor(len(BODY), WIDTH, 1), path or READER
    try:
        net.load_state_dict(load_file(path))
    except (SafetensorError, OSError, RuntimeError) as error:
        raise KpError(f"{path}: not readable; install kp again, or restore a copy") from error
    return net.eval().requires_grad_(False)


def load_people_on_film(people: Predictor) -> OutlinePredictor:
    """The reader that ships with what finds outlines; ``people``: the published model. KpError if OpenCV is missing."""
    finder, curve = PersonFinder(library("cv2", "video", Path(NAME))), READER.parents[1] / f"{NAME}.json"
    return OutlinePredictor(people, load_reader(), finder, Curve.read(curve) if curve.is_file() else UNMEASURED)
