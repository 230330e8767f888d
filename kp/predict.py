"""One image or one video → keypoints, with a trained run."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, UnidentifiedImageError
from torch import Tensor, nn

from kp.clips import read_video, shrink, to_images
from kp.config import from_json
from kp.coordinates import resize_pixels, to_pixels
from kp.errors import KpError
from kp.footage import is_video
from kp.metrics import resolve_flips
from kp.model import Model
from kp.state import State, read_checkpoint

DARK, BLACK_SHARE = 16, 0.3  # a removed background: at least this share of pixels is darker than this


@dataclass(frozen=True)
class Prediction:
    """For n images: keypoints p (n, k, 2) in [-1, 1], Φ's skeleton image y and its redrawing y* (n, c, s, s).

    ``reference`` is η₀(β(p)), the label-free reading that resolves left and right (kp.metrics.resolve_flips).
    """

    keypoints: Float[Tensor, "n k 2"]
    skeleton: Float[Tensor, "n c s s"]
    redrawn: Float[Tensor, "n c s s"]
    reference: Float[Tensor, "n k 2"]


class Predictor:
    """A trained model ready for images. BatchNorm uses its running statistics; no gradients."""

    def __init__(self, model: Model, first_regressor: nn.Module):
        self.model, self.first_regressor = model, first_regressor
        self.size, self.skeleton = model.config.data.size, model.skeleton
        self.device = next(model.parameters()).device  # images may come from the CPU; predictions return to it

    @staticmethod
    def of(state: State) -> "Predictor":
        """From a training state: its averaged weights, or the last ones if it averages nothing."""
        return Predictor(state.average if state.config.optimizer.average else state.model, state.first_regressor)

    @staticmethod
    def load(run: Path) -> "Predictor":
        """From a run folder, or a checkpoint file. KpError if there is no readable checkpoint."""
        saved = read_checkpoint(run / "checkpoint.pt" if run.is_dir() else run)
        config = from_json(saved["config"])
        model, first = Model(config), Model(config).regressor
        model.load_state_dict(saved["modules"]["average" if config.optimizer.average else "model"])
        first.load_state_dict(saved["modules"]["first_regressor"])
        return Predictor(model.requires_grad_(False), first.requires_grad_(False))

    @torch.no_grad()
    def __call__(self, images: Float[Tensor, "n 3 s s"], batch: int = 64) -> Prediction:
        """Predict for images in [-1, 1] at the training size."""
        nets = (self.model, self.first_regressor)
        before = [net.training for net in nets]
        for net in nets:
            net.eval()
        parts = []
        for x in images.split(batch):
            y = self.model.encoder(x.to(self.device, memory_format=torch.channels_last))
            p = self.model.regressor(y)
            redrawn = self.model.draw(p)
            parts.append((p, y, redrawn, self.first_regressor(redrawn)))
        for net, mode in zip(nets, before, strict=True):
            net.train(mode)
        return Prediction(*(torch.cat(column).cpu() for column in zip(*parts, strict=True)))

    @torch.no_grad()
    def decode(self, skeleton: Float[Tensor, "n c s s"], other: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 3 s s"]:
        """x̂ = Ψ(skeleton, other): what the decoder paints, on the CPU."""
        before = self.model.training
        painted = self.model.eval().decoder(skeleton.to(self.device), other.to(self.device)).cpu()
        self.model.train(before)
        return painted

    def pixels(self, frames: UInt8[np.ndarray, "n h w 3"], name: str = "frames") -> Float[Tensor, "n k 2"]:
        """Keypoints of square RGB frames of any size, as pixel indices (x, y) of those frames, left and right resolved.

        KpError, about ``name``, if frames are not square, or show a background to a model that learnt from
        subjects on black.
        """
        if frames.shape[1] != frames.shape[2]:
            raise KpError(
                f"{name}: {frames.shape[2]}×{frames.shape[1]} pixels; kp needs square frames with the subject centred: crop first"
            )
        self.check_background(frames, name)
        made = self(to_images(torch.from_numpy(shrink(frames, self.size))))
        resolved = resolve_flips(made.keypoints, made.reference, self.skeleton)
        return resize_pixels(to_pixels(resolved, self.size), self.size, frames.shape[1])

    def check_background(self, frames: UInt8[np.ndarray, "n h w 3"], name: str) -> None:
        """KpError, about ``name``, if frames show a background to a model that learnt from subjects on black."""
        if not self.model.config.data.background and (frames.max(-1) < DARK).mean() < BLACK_SHARE:
            raise KpError(
                f"{name}: shows a background, but this model learnt from subjects on black; give --masks, or train with --data.background"
            )


def read_frames(path: Path) -> UInt8[np.ndarray, "n h w 3"]:
    """Frames of a video, or an image as one frame. KpError names the file if it is neither."""
    if is_video(path):
        return read_video(path)
    if not path.is_file():
        raise KpError(f"{path}: no such image or video; check the path")
    try:
        with Image.open(path) as image:
            return np.array(image.convert("RGB"))[None]  # a copy: torch wants to be able to write
    except (UnidentifiedImageError, OSError) as error:
        raise KpError(f"{path}: neither a readable image nor a video (mp4, avi, mov, mkv, webm): convert it first") from error
