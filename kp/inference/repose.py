"""The pose of one film on the person of another: x̂ = Ψ(β(p of the first), a frame of the second)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from kp.datasets.clips import to_images
from kp.figures import as_picture, grid, write_figure
from kp.formats.track import GLIMPSES
from kp.geometry import evenly
from kp.inference.predictor import Predictor
from kp.inference.view import View
from kp.video import write_video

PANE = 256  # pixels of a side of each of the video's three panes


def frame_of(view: View, t: int, size: int) -> UInt8[np.ndarray, "s s 3"]:
    """Square number ``t`` of a view, resized to ``size``."""
    for first, _, squares in view.chunks(size, progress=False):
        if t < first + len(squares):
            return squares[t - first]
    raise IndexError(t)


def repose(
    predictor: Predictor, pose: View, person: View, progress: bool = True
) -> Iterator[tuple[Float[Tensor, "3 s s"], Float[Tensor, "c s s"], Float[Tensor, "3 s s"]]]:
    """For every frame of ``pose``: the frame x, its redrawn skeleton y*, and the subject of ``person``'s middle frame
    in that pose.

    All in [-1, 1], at the model's size. KpError if a background shows and the model learnt from subjects on black.
    """
    other = frame_of(person, person.count // 2, predictor.size)
    predictor.check_background(other[None], str(person.path))
    other = to_images(torch.from_numpy(other[None]))
    for _, _, squares in pose.chunks(predictor.size, progress):
        predictor.check_background(squares, str(pose.path))
        images = to_images(torch.from_numpy(squares))
        prediction = predictor(images)
        read = predictor.model.decoder_input(prediction.skeleton, prediction.redrawn)
        painted = predictor.decode(read, other.expand(len(images), -1, -1, -1))
        yield from zip(images, prediction.redrawn, painted, strict=True)


def panes(*pictures: Float[Tensor, "_ s s"]) -> UInt8[np.ndarray, "h w 3"]:
    """Pictures in [-1, 1] side by side, enlarged to 256 pixels each; one with other than three channels as its
    brightest one in grey.
    """
    rgb = [p if len(p) == 3 else p.amax(0, keepdim=True).expand(3, -1, -1) for p in pictures]
    pixels = [((p.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy() for p in rgb]
    return np.concatenate(
        [np.asarray(Image.fromarray(b).resize((PANE, PANE), Image.Resampling.BICUBIC)) for b in pixels], 1
    )


def write_reposed(
    predictor: Predictor, pose: View, person: View, out: Path, progress: bool = True
) -> tuple[Path, Path]:
    """<out>/<pose>_on_<person>.mp4, x, y* and x̂ side by side, and .png, eight moments of it below the person; returns
    both paths.

    KpError as from :func:`repose`, or if a file cannot be written.
    """
    stem = f"{pose.path.stem}_on_{person.path.stem}"
    video, picture = out / f"{stem}.mp4", out / f"{stem}.png"
    moments, glimpses = set(evenly(pose.count, GLIMPSES)), []

    def rows_of_panes():
        for t, pictures in enumerate(repose(predictor, pose, person, progress)):
            if t in moments:
                glimpses.append(pictures)
            yield panes(*pictures)

    write_video(video, rows_of_panes(), crf=20, rate=pose.rate, preset="veryfast")
    other = to_images(torch.from_numpy(frame_of(person, person.count // 2, predictor.size)[None]))[0]
    columns = [[as_picture(p) for p in column] for column in zip(*glimpses, strict=True)]
    rows = [("x'", [as_picture(other), *[None] * (len(glimpses) - 1)]), *zip(("x", "y*", "x̂"), columns, strict=True)]
    write_figure(grid(rows, 1.4), picture)
    return video, picture
