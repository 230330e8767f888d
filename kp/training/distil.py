"""What learns from a trained model: a student that needs no masks, and a painter. Not in the paper; still no labels.

The student: the teacher looks at clean images (people on black), the student at harder ones of the same frames (with
their backgrounds, in changed colours, mirrored, and, if ``data.move``, turned, scaled and shifted). Masks are then
needed for training only. Errors of the teacher that vary from frame to frame average out in the student; those that a
person's every frame shares do not.

The painter: the method trains Ψ only as far as Φ needs it, for its gradient. Here Φ and η stay as they are, and Ψ
learns for as long as one likes from frame pairs in ever new colours, so that it must take them from x' and cannot know
them from the people that it learnt from.
"""

from copy import deepcopy
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from kp.config import Config, Optimizer
from kp.datasets.clips import Clips, augment_pairs, to_images
from kp.errors import KpError
from kp.geometry import draw_similarity
from kp.inference.predictor import Predictor
from kp.method.features import PixelPyramid
from kp.method.model import Model
from kp.training.optim import Progress, learn


def pseudo_labels(teacher: Predictor, clips: Clips) -> list[Float[Tensor, "_ k 2"]]:
    """The teacher's keypoints (x, y) in [-1, 1] of every frame of its clips, mean of the frame and its mirror image."""
    frames = tqdm(clips.frames, desc="teacher", unit="clip", leave=False)
    return [teacher.mirrored_mean(to_images(clip)) for clip in frames]


def check_labels(clips: Clips, labels: list[Float[Tensor, "_ k 2"]]) -> None:
    """KpError unless there is a pseudo-label for every frame of every clip."""
    if [len(frames) for frames in clips.frames] != [len(poses) for poses in labels]:
        raise KpError(
            f"{len(clips)} clips and {len(labels)} lists of pseudo-labels do not fit frame by frame; label the same "
            "clips of the same set"
        )


def train_student(
    teacher: Predictor,
    config: Config,
    clips: Clips,
    labels: list[Float[Tensor, "_ k 2"]],
    device: str = "cpu",
    keep: Path | None = None,
) -> Predictor:
    """Φ and η of the student: ‖η(Φ(x)) − p‖² + 0.1 ‖Φ(x) − β(p)‖², p being the teacher's keypoints of the same frame.

    The second term keeps y a skeleton image. Both networks start as the teacher's; Ψ, which reads keypoints only, and
    η₀ are the teacher's own. config: sizes of the teacher; data, steps, batch, lr, seed of the student. clips: the
    frames as the student sees them, in the order of ``labels``. Trains on ``device``, returns a model on the CPU.
    keep: a file to go on from after the call was cut off. KpError if clips and labels differ in length.
    """
    check_labels(clips, labels)
    rates = config.optimizer
    generator = torch.Generator().manual_seed(config.seed)
    model = Model(config.but(network=teacher.model.config.network))
    model.load_state_dict(teacher.model.state_dict())
    model.to(device)
    average = deepcopy(model).requires_grad_(False)
    model.train().requires_grad_(True)
    half = rates.batch // 2  # of the batch is mirrored, with its labels

    def loss(step: int) -> Tensor:
        clip = clips.draw(rates.batch, generator, step)
        moments = [int(torch.randint(len(labels[c]), (1,), generator=generator)) for c in clip]
        x, points = (
            frames_at(clips, clip, moments),
            torch.stack([labels[c][t] for c, t in zip(clip, moments, strict=True)]),
        )
        (x,), points = mirror_from(half, (x,), points, teacher)
        if config.data.augment:
            x, _ = augment_pairs((x, x), generator, mirror=False)
        if config.data.move:
            similarity = draw_similarity(rates.batch, generator)
            x, points = similarity.images(x), similarity.points(points)
        x, points = x.contiguous(memory_format=torch.channels_last).to(device), points.to(device)
        y = model.encoder(x)
        return F.mse_loss(model.regressor(y), points) + 0.1 * F.mse_loss(y, model.draw(points))

    weights = [*model.encoder.parameters(), *model.regressor.parameters()]
    progress = Progress(keep, generator, (model, average)) if keep else None
    learn(loss, weights, rates, "student", [(average, model)], torch.device(device).type, progress=progress)
    return Predictor(average.cpu().eval(), deepcopy(teacher.first_regressor).cpu())


def train_painter(
    teacher: Predictor,
    rates: Optimizer,
    clips: Clips,
    labels: list[Float[Tensor, "_ k 2"]],
    seed: int,
    device: str = "cpu",
) -> Predictor:
    """The teacher with a Ψ that goes on learning, on :func:`painting_loss` of Ψ(β(p), x') and x.

    p: the teacher's keypoints of x, ``labels`` (:func:`pseudo_labels`). clips: the frames, in their order. rates:
    steps, batch, lr, average, schedule, precision. Trains on ``device``, returns a model on the CPU. KpError if clips
    and labels differ in length, or if the teacher's Ψ reads something else than redrawn keypoints and a second frame.
    """
    check_labels(clips, labels)
    method = teacher.model.config.method
    if method.decoder_reads != "keypoints" or not method.second_frame:
        raise KpError(
            "this model's Ψ does not read redrawn keypoints and a second frame; take a model trained with the full "
            "method"
        )
    generator = torch.Generator().manual_seed(seed)
    model = deepcopy(teacher.model).to(device)
    decoder = model.decoder.requires_grad_(True).train()
    average = deepcopy(decoder).requires_grad_(False)
    half = rates.batch // 2  # of the batch is mirrored, with its labels

    def loss(step: int) -> Tensor:
        clip = clips.draw(rates.batch, generator, step)
        pairs = [torch.randperm(len(labels[c]), generator=generator)[:2].tolist() for c in clip]
        first, second = (list(column) for column in zip(*pairs, strict=True))
        points = torch.stack([labels[c][t] for c, t in zip(clip, first, strict=True)])
        frames = frames_at(clips, clip, first), frames_at(clips, clip, second)
        frames = augment_pairs(exchange_channels(frames, generator), generator, mirror=False)
        (x, other), points = mirror_from(half, frames, points, teacher)
        drawing = model.draw(points.to(device))
        painted = decoder(drawing, other.contiguous(memory_format=torch.channels_last).to(device))
        return painting_loss(painted.float(), x.to(device))

    learn(loss, decoder.parameters(), rates, "painter", [(average, decoder)], torch.device(device).type)
    model.decoder = average
    first = deepcopy(teacher.first_regressor).cpu()
    return Predictor(model.cpu().eval().requires_grad_(False), first, teacher.curve)


def frames_at(clips: Clips, clip: list[int], moments: list[int]) -> Float[Tensor, "b 3 s s"]:
    """Frame number ``moments[i]`` of clip number ``clip[i]``, in [-1, 1]."""
    return to_images(torch.stack([clips.frames[c][t] for c, t in zip(clip, moments, strict=True)]))


def mirror_from(
    first: int, images: tuple[Tensor, ...], points: Float[Tensor, "b k 2"], teacher: Predictor
) -> tuple[tuple[Float[Tensor, "b 3 s s"], ...], Float[Tensor, "b k 2"]]:
    """Batches of images and their keypoints, mirrored from number ``first`` on, left and right exchanged; as they are
    if the skeleton has no mirror pairs.
    """
    if not teacher.skeleton.mirror_pairs:
        return images, points
    mirrored = teacher.skeleton.mirrored(points[first:])
    return tuple(torch.cat([x[:first], x[first:].flip(3)]) for x in images), torch.cat([points[:first], mirrored])


def exchange_channels(
    pair: tuple[Tensor, Tensor], generator: torch.Generator
) -> tuple[Float[Tensor, "b 3 s s"], Float[Tensor, "b 3 s s"]]:
    """Frame pairs (b, 3, s, s) with red, green and blue of each pair in a random order, the same for both frames."""
    order = torch.rand(len(pair[0]), 3, generator=generator).argsort(1)[:, :, None, None]
    return tuple(x.gather(1, order.expand_as(x)) for x in pair)


def painting_loss(painted: Float[Tensor, "b 3 s s"], frame: Float[Tensor, "b 3 s s"]) -> Float[Tensor, ""]:
    """Mean absolute difference of x̂ and x at full, 1/2, 1/4 and 1/8 size: it blurs less than a squared one."""
    pyramid = PixelPyramid()
    return torch.stack([(a - b).abs().mean() for a, b in zip(pyramid(painted), pyramid(frame), strict=True)]).mean()
