"""What the student of ``kp fit`` is taught: what the method's model, or a reader of cardboard figures, sees in frames
on black. The student itself sees the frames as they are.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from kp.config import Config, Optimizer
from kp.datasets.clips import Clips, to_images
from kp.datasets.priors import load_prior
from kp.datasets.retrieval import silhouettes
from kp.datasets.sets import open_clips
from kp.geometry import regrid
from kp.inference.outlines import FINER, SIZE, load_reader, read_outlines
from kp.inference.predictor import Predictor
from kp.own_video.cardboard import CardboardRenderer, find_figure, load_cardboard
from kp.own_video.reader import mirrored_mean, read_frames, teach_reader
from kp.skeletons import BODY, Skeleton, find_skeleton
from kp.training.distil import pseudo_labels, train_student

EVERY = 2  # frames that the student learns from: neighbours are nearly equal
MOST = 2000  # clips that it learns from, where there are more
FILM = 2000  # frames whose mean pose a reader's figures take on
READER = Optimizer(batch=16, lr=4e-3, average=0.995, schedule="one-cycle")

Lessons = list[Float[Tensor, "_ k 2"]]


def lessons_of(teacher: Predictor, config: Config) -> Lessons:
    """What a model sees in the train frames on black: keypoints (x, y) in [-1, 1], a list of them for each clip."""
    return pseudo_labels(teacher, open_clips(config.but(**{"data.every": EVERY}).data, "train").some(MOST))


def lessons_of_figures(figure: Path, config: Config, steps: int, keep: Path | None = None) -> Lessons:
    """What a reader sees in these frames. It is taught, for ``steps``, by cardboard figures of the prior's poses; while
    it learns, grey figures take on the film's mean pose (:func:`kp.own_video.reader.teach_reader`).

    figure: a file as :func:`kp.own_video.cardboard.load_cardboard` reads it. keep: a file to go on from after the call
    was cut off. KpError as from load_cardboard.
    """
    outline, size = load_cardboard(figure, find_skeleton(config.data.skeleton)).outline, config.data.size
    clips = frames_to_read(config, FINER * size if outline else size)
    reader, renderer = teach_figures(figure, config, clips, steps, keep)
    if outline:
        return [read_clip(reader, frames, size, renderer.skeleton) for frames in clips.frames]
    return [read_frames(reader, to_images(frames), renderer) for frames in clips.frames]


def lessons_of_outlines(config: Config) -> Lessons:
    """What the reader that ships (kp/inference/outlines.py) sees in the outlines of people."""
    reader, clips = load_reader(), frames_to_read(config, FINER * SIZE)
    return [regrid(read_clip(reader, frames, SIZE, BODY), SIZE, config.data.size) for frames in clips.frames]


def read_clip(
    reader: nn.Module, frames: UInt8[Tensor, "t h w 3"], size: int, skeleton: Skeleton
) -> Float[Tensor, "t k 2"]:
    """Keypoints (x, y) in [-1, 1] of a subject on black by its outline, ``size`` a side, in the frames of a clip, one
    after the other: the mean of the readings of each outline and of its mirror image, steadied over time.
    """
    return steadied(mirrored_mean(partial(read_outlines, reader), outlines(frames, size), skeleton))


def steadied(points: Float[Tensor, "t k 2"]) -> Float[Tensor, "t k 2"]:
    """Points of a clip, each the median of three neighbours in time, then the mean of its neighbours with the weights
    of a Gaussian of one frame. An outline that is torn in one frame then teaches nothing wrong.
    """
    count = len(points)
    near = torch.stack([points[max(0, t - 1) : t + 2].quantile(0.5, 0) for t in range(count)])
    time = torch.arange(count)
    weights = (-((time[:, None] - time) ** 2) / 2).exp()
    return torch.einsum("ts,skc->tkc", weights / weights.sum(1, keepdim=True), near)


def people_of_cardboard() -> CardboardRenderer:
    """What draws the figures that taught the reader that ships."""
    return CardboardRenderer(BODY, load_cardboard(find_figure("people"), BODY), SIZE)


def frames_to_read(config: Config, size: int) -> Clips:
    """The train clips on black that a reader looks at, ``size`` pixels a side."""
    return open_clips(config.but(**{"data.every": EVERY, "data.size": size}).data, "train").some(MOST)


def outlines(frames: UInt8[Tensor, "t h w 3"], size: int) -> Float[Tensor, "t 1 s s"]:
    """Frames of a subject on black as a reader of outlines looks at them: what is not black in white, in [-1, 1],
    ``size`` a side.
    """
    return F.interpolate(silhouettes(to_images(frames)), (size, size), mode="area") * 2 - 1


def teach_figures(
    figure: Path, config: Config, clips: Clips, steps: int, keep: Path | None = None
) -> tuple[nn.Module, CardboardRenderer]:
    """A reader that was taught by cardboard figures of the prior's poses, which took on the mean pose of ``clips``, of
    subjects on black; and the renderer of those figures. Other parameters as in :func:`lessons_of_figures`.

    Poses that are drawn as outlines stay where they are. An outline leaves open where an elbow is: in a film of a man
    the moves lifted all elbows, step by step, and the hands hung below them.
    """
    skeleton = find_skeleton(config.data.skeleton)
    renderer = CardboardRenderer(skeleton, load_cardboard(figure, skeleton), config.data.size)
    film = None
    if not renderer.figure.outline:
        film = to_images(torch.cat([f[:: max(1, len(clips) * len(f) // FILM)] for f in clips.frames]))
    rates, poses = replace(READER, steps=steps), load_prior(config.data, config.seed)
    return teach_reader(poses, renderer, rates, config.seed, film, name="reader", keep=keep), renderer


def student_of(
    teacher: Predictor, lessons: Lessons, config: Config, steps: int, device: str = "cpu", keep: Path | None = None
) -> Predictor:
    """A student that starts as ``teacher``, sees the frames as they are, and learns ``lessons``; half of the frames
    suffice. keep: a file to go on from after the call was cut off.
    """
    config = config.but(
        **{
            "data.background": True,
            "data.masks": None,
            "data.augment": True,
            "data.every": EVERY,
            "optimizer.steps": steps,
            "optimizer.schedule": "one-cycle",
            "optimizer.lr": 1e-3,
        }
    )
    return train_student(teacher, config, open_clips(config.data, "train").some(MOST), lessons, device, keep)
