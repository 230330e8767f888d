"""Weights in, keypoints out: of images, of films, with confidence."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from kp.config import from_json
from kp.datasets.clips import to_images
from kp.errors import KpError
from kp.figures import draw_poses
from kp.formats.track import GLIMPSES, Track, check_target
from kp.geometry import evenly, joint_errors, resize_pixels, to_pixels
from kp.inference.confidence import UNMEASURED, Curve, confidence, look_around, moves, shows_something
from kp.inference.view import View, look
from kp.method.checkpoint import check_weights, read_checkpoint
from kp.method.checkpoint import save_weights as write_weights
from kp.method.model import Model
from kp.method.networks import evaluating
from kp.skeletons import resolve_flips
from kp.video import shrink, write_video

DARK, BLACK_SHARE = 16, 0.3  # a removed background: at least this share of pixels is darker than this


class Interrupted(KeyboardInterrupt):
    """``track``: what was found in the frames before someone stopped the prediction of a film."""

    def __init__(self, track: Track):
        super().__init__()
        self.track = track


@dataclass(frozen=True)
class Prediction:
    """For n images: keypoints p (n, k, 2) in [-1, 1], Φ's skeleton image y and its redrawing y* (n, c, s, s).

    ``reference`` is η₀(β(p)), the label-free reading that resolves left and right (kp.skeletons.resolve_flips).
    """

    keypoints: Float[Tensor, "n k 2"]
    skeleton: Float[Tensor, "n c s s"]
    redrawn: Float[Tensor, "n c s s"]
    reference: Float[Tensor, "n k 2"]


class Predictor:
    """A trained model ready for images. BatchNorm uses its running statistics; no gradients.

    ``size``: side of its images in pixels; ``skeleton``: its joints; ``curve``: of its confidence; ``crop``: where it
    looks for the subject of a film if nobody says (:func:`kp.inference.view.look`).
    """

    crop = ""

    def __init__(self, model: Model, first_regressor: nn.Module, curve: Curve = UNMEASURED):
        self.model, self.first_regressor, self.curve = model, first_regressor, curve
        self.size, self.skeleton = model.config.data.size, model.skeleton
        self.device = next(model.parameters()).device  # images may come from the CPU; predictions return to it

    @staticmethod
    def load(run: Path) -> "Predictor":
        """From a run folder, or a checkpoint file. KpError if there is no readable checkpoint."""
        path = run / "checkpoint.pt" if run.is_dir() else run
        saved = read_checkpoint(path)
        config = from_json(saved["config"], str(path))
        model, first = Model(config), Model(config).regressor
        try:
            weights = saved["modules"]["average" if config.optimizer.average else "model"]
            model.load_state_dict(weights)
            first.load_state_dict(saved["modules"]["first_regressor"])
        except (KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise KpError(
                f"{path}: its weights do not fit its configuration; restore a copy, or train again"
            ) from error
        check_weights(weights, path)
        return Predictor(model.requires_grad_(False), first.requires_grad_(False))

    def save(self, path: Path, half: bool = False, **notes: str) -> None:
        """Write Φ, η, Ψ, η₀ and the curve of their confidence to a .safetensors file, which :func:`load` reads.

        half: in half precision (:func:`kp.method.checkpoint.save_weights`). notes: for its metadata. KpError if the
        file cannot be written.
        """
        curve = {} if self.curve == UNMEASURED else {"confidence": self.curve.text()}
        write_weights(self.model, self.first_regressor, path, half, **curve | notes)

    @torch.no_grad()
    def __call__(self, images: Float[Tensor, "n 3 s s"], batch: int = 64) -> Prediction:
        """Predict for images in [-1, 1] at the training size."""
        parts = []
        with evaluating(self.model, self.first_regressor):
            for x in images.split(batch):
                y = self.model.encoder(x.to(self.device, memory_format=torch.channels_last))
                p = self.model.regressor(y)
                redrawn = self.model.draw(p)
                parts.append((p, y, redrawn, self.first_regressor(redrawn)))
        return Prediction(*(torch.cat(column).cpu() for column in zip(*parts, strict=True)))

    @torch.no_grad()
    def decode(self, skeleton: Float[Tensor, "n c s s"], other: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 3 s s"]:
        """x̂ = Ψ(skeleton, other): what the decoder paints, on the CPU."""
        with evaluating(self.model):
            return self.model.decoder(skeleton.to(self.device), other.to(self.device)).cpu()

    def mirrored(self, images: Float[Tensor, "n d s s"]) -> Float[Tensor, "n k 2"]:
        """Keypoints (x, y) in [-1, 1] of the mirror images, mirrored back: left and right exchanged. A skeleton without
        mirror pairs is not mirrored: those of the images.
        """
        if not self.skeleton.mirror_pairs:
            return self(images).keypoints
        return self.skeleton.mirrored(self(images.flip(3)).keypoints)

    def mirrored_mean(self, images: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n k 2"]:
        """Keypoints (x, y) in [-1, 1], the mean of those of each image and of its mirror image (:meth:`mirrored`)."""
        return (self(images).keypoints + self.mirrored(images)) / 2

    def mirror_disagreement(self, images: Float[Tensor, "n 3 s s"]) -> Float[Tensor, " n"]:
        """Mean distance between the keypoints of an image and those of its mirror image mirrored back, % of its size.

        Whatever the truth, the errors of the two readings add up to at least this.
        """
        return joint_errors(self(images).keypoints, self.mirrored(images)).mean(1)

    def both(self, images: Float[Tensor, "n d s s"]) -> tuple[Prediction, Tensor, Tensor]:
        """(prediction, keypoints of each image, keypoints of its mirror image), (x, y) in [-1, 1].

        Left and right are resolved without labels (:func:`kp.skeletons.resolve_flips`): both agree on them.
        """
        prediction = self(images)
        one = resolve_flips(prediction.keypoints, prediction.reference, self.skeleton)
        return prediction, one, resolve_flips(self.mirrored(images), one, self.skeleton)

    def readings(
        self, images: Float[Tensor, "n d s s"], first: int = 0
    ) -> tuple[Float[Tensor, "n k 2"], Float[Tensor, "n k 6"]]:
        """(keypoints, cues): (x, y) in [-1, 1], the mean of the readings of each image and of its mirror image; and
        what is known of each joint (:mod:`kp.inference.confidence`), distances in % of the image size. Of images that
        show nothing the readings count as far apart.

        first: the number of the first image in its film, which says how each is moved. All readings agree on left and
        right.
        """
        (prediction, one, mirrored), move = self.both(images), moves(first, len(images))
        moved = resolve_flips(move.inverse_points(self(move.images(images)).keypoints), one, self.skeleton)
        others = (mirrored, moved, resolve_flips(prediction.reference, one, self.skeleton))
        distances = torch.stack([joint_errors(one, other) for other in others], -1)
        keypoints = (one + mirrored) / 2
        distances[~shows_something(images)] = 100.0  # no reading of nothing is like another
        surroundings = look_around(keypoints, images, prediction.skeleton, prediction.redrawn)
        return keypoints, torch.cat([distances, surroundings], -1)

    @torch.no_grad()
    def reread(self, keypoints: Float[Tensor, "n k 2"]) -> Float[Tensor, "n k 2"]:
        """η₀(β(p)): what the pre-trained η reads from perfect drawings of ``keypoints``, (x, y) in [-1, 1]."""
        weights = next(self.model.parameters())
        with evaluating(self.first_regressor):
            drawings = (self.model.draw(p.to(weights)) for p in keypoints.split(64))
            return torch.cat([self.first_regressor(y).to(keypoints) for y in drawings])

    def with_confidence(self, images: Float[Tensor, "n 3 s s"]) -> tuple[Float[Tensor, "n k 2"], Float[Tensor, "n k"]]:
        """Keypoints (x, y) in [-1, 1] of single images as :meth:`readings` has them, and the confidence in each, in
        [0, 1].
        """
        keypoints, cues = self.readings(images)
        return keypoints, confidence(cues, keypoints, self.curve, film=False)

    def look(
        self,
        path: Path,
        crop: str = "",
        boxes: Path | None = None,
        masks: Path | None = None,
        progress: bool = True,
    ) -> View:
        """A film as :func:`kp.inference.view.look` sees it; where nothing says where the subject is, as this model
        looks for it (``crop``).
        """
        return look(path, crop or ("" if boxes else self.crop), boxes, masks, progress)

    def track(
        self,
        path: str | Path | View,
        crop: str = "",
        boxes: Path | None = None,
        masks: Path | None = None,
        overlay: Path | None = None,
        progress: bool = True,
    ) -> Track:
        """The keypoints of every frame of a film, a stack or a picture; exactly what ``kp predict`` writes.

        crop, boxes, masks: where the subject is (:func:`kp.inference.view.look`). overlay: also write the film with the
        poses drawn over it, if it has more than one frame. KpError names the file that does not fit, or says that a
        background shows and the model learnt from subjects on black; :class:`Interrupted`, with the track so far, after
        Ctrl-C.
        """
        view = path if isinstance(path, View) else self.look(Path(path), crop, boxes, masks, progress)
        parts, times, glimpses, moments = [], [], {}, set(evenly(view.count, GLIMPSES))
        draws = overlay is not None and view.count > 1
        if draws:
            check_target(overlay, view.path)

        def drawn():
            for first, frames, squares in view.chunks(self.size, progress):
                self.check_background(squares, str(view.path))
                images = to_images(torch.from_numpy(squares))
                keypoints, cues = self.readings(images, first)
                places = view.squares.part(first, first + len(frames))
                shown = places.to_frame(to_pixels(keypoints, self.size), self.size).numpy()
                times.extend(frame.seconds for frame in frames)
                parts.append((view.stored(shown), keypoints, cues, ~shows_something(images)))
                for t, image, pose in zip(range(first, first + len(frames)), images, keypoints, strict=True):
                    if t in moments:
                        glimpses[t] = image, pose
                if draws:
                    for frame, pose in zip(frames, shown, strict=True):
                        yield draw_poses(frame.pixels[None], pose[None], self.skeleton)[0]

        def found() -> Track:
            points = np.concatenate([part[0] for part in parts])
            if not np.isfinite(points).all():
                broken = int(np.flatnonzero(~np.isfinite(points).all((1, 2)))[0])
                raise KpError(f"{view.path}: the model finds no numbers in frame {broken}; its weights are broken")
            keypoints, cues, blank = (torch.cat([part[i] for part in parts]) for i in (1, 2, 3))
            sure = confidence(cues, keypoints, self.curve, film=True).numpy()
            seen = None if view.track is None else np.resize(view.track.seen, len(points))
            second = view.track.second if view.track else 0.0
            return Track(
                view.path, view.stored_size, view.rate, self.skeleton, points, sure, [*glimpses.values()],
                np.array(times[: len(points)]), seen, second, blank.double().mean().item(),
            )  # fmt: skip

        try:
            if draws:
                write_video(overlay, drawn(), crf=20, rate=view.rate, preset="veryfast")
            else:
                list(drawn())
        except KeyboardInterrupt as stop:
            if parts:
                raise Interrupted(found()) from stop
            raise
        return found()

    def pixels(self, frames: UInt8[np.ndarray, "n h w 3"], name: str = "frames") -> Float[Tensor, "n k 2"]:
        """Keypoints of square RGB frames of any size, as pixel indices (x, y) of those frames: those of :meth:`track`.

        KpError, about ``name``, if frames are not RGB or not square, or show a background to a model that learnt from
        subjects on black.
        """
        if frames.ndim != 4 or frames.shape[3] != 3:
            raise KpError(f"{name}: an array {frames.shape}; kp needs RGB frames (n, height, width, 3)")
        if frames.shape[1] != frames.shape[2]:
            raise KpError(
                f"{name}: {frames.shape[2]}×{frames.shape[1]} pixels; kp needs square frames with the subject centred: "
                "crop first"
            )
        self.check_background(frames, name)
        _, one, mirrored = self.both(to_images(torch.from_numpy(shrink(frames, self.size))))
        return resize_pixels(to_pixels((one + mirrored) / 2, self.size), self.size, frames.shape[1])

    def check_background(self, frames: UInt8[np.ndarray, "n h w 3"], name: str) -> None:
        """KpError, about ``name``, if frames show a background to a model that learnt from subjects on black."""
        if not self.model.config.data.background and (frames.max(-1) < DARK).mean() < BLACK_SHARE:
            raise KpError(
                f"{name}: shows a background, but this model learnt from subjects on black; give --masks, or train "
                "with --data.background"
            )
