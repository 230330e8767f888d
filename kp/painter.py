"""Ψ taught on alone, so that it paints what people look at: the drags of a pose in the book, ``kp swap``. Not in the paper; no labels.

The method trains Ψ only as far as Φ needs it: it is there for its gradient. Here Φ and η stay as they are, and Ψ learns for as long as
one likes from frame pairs in ever new colours, so that it must take them from x' and cannot know them from the people it was taught with.
"""

from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from kp.clips import Clips, augment_pairs, to_images
from kp.config import Optimizer
from kp.errors import KpError
from kp.model import Model
from kp.perceptual import PixelPyramid
from kp.predict import Predictor
from kp.state import follow, learning_rate
from kp.student import check_lessons
from kp.train import arithmetic, descend


def exchange_channels(pair: tuple[Tensor, Tensor], generator: torch.Generator) -> tuple[Float[Tensor, "b 3 s s"], Float[Tensor, "b 3 s s"]]:
    """Frame pairs (b, 3, s, s) with red, green and blue of each pair in a random order, the same for both frames."""
    order = torch.rand(len(pair[0]), 3, generator=generator).argsort(1)[:, :, None, None]
    return tuple(x.gather(1, order.expand_as(x)) for x in pair)


def painting_loss(painted: Float[Tensor, "b 3 s s"], frame: Float[Tensor, "b 3 s s"]) -> Float[Tensor, ""]:
    """Mean absolute difference of x̂ and x at full, 1/2, 1/4 and 1/8 size: absolute errors blur less than squared ones."""
    pyramid = PixelPyramid()
    return torch.stack([(a - b).abs().mean() for a, b in zip(pyramid(painted), pyramid(frame), strict=True)]).mean()


def train_painter(teacher: Predictor, rates: Optimizer, clips: Clips, lessons: list[Float[Tensor, "_ k 2"]], seed: int) -> Predictor:
    """The teacher with a Ψ that goes on learning, on :func:`painting_loss` of Ψ(β(p), x') and x.

    p: the teacher's keypoints of x, ``lessons`` (:func:`kp.student.teach`). clips: the frames, in their order. rates: steps, batch,
    lr, average, schedule, precision. KpError if clips and lessons differ in length, or if the teacher's Ψ reads something else than
    redrawn keypoints and a second frame.
    """
    check_lessons(clips, lessons)
    method = teacher.model.config.method
    if method.decoder_reads != "keypoints" or not method.second_frame:
        raise KpError("this model's Ψ does not read redrawn keypoints and a second frame; take a model trained with the full method")
    generator = torch.Generator().manual_seed(seed)
    model = Model(teacher.model.config)
    model.load_state_dict(teacher.model.state_dict())
    decoder = model.decoder.requires_grad_(True).train()
    average = deepcopy(decoder).requires_grad_(False)
    flip, reflect = teacher.skeleton.flip, torch.tensor([-1.0, 1.0])
    optimizer = torch.optim.Adam(decoder.parameters(), rates.lr, (0.9, 0.999))
    half = rates.batch // 2  # of the batch is mirrored, with its lessons
    for step in tqdm(range(rates.steps), desc="painter", unit="step", mininterval=5.0):
        clip = clips.draw(rates.batch, generator, step)
        two = [torch.randperm(len(lessons[c]), generator=generator)[:2].tolist() for c in clip]
        points = torch.stack([lessons[c][t] for c, (t, _) in zip(clip, two, strict=True)])
        pair = tuple(to_images(torch.stack([clips.frames[c][ts[i]] for c, ts in zip(clip, two, strict=True)])) for i in (0, 1))
        x, other = augment_pairs(exchange_channels(pair, generator), generator, mirror=False)
        x, other = (torch.cat([v[:half], v[half:].flip(3)]) for v in (x, other))
        points = torch.cat([points[:half], points[half:, flip] * reflect])
        with arithmetic(rates.precision):
            painted = decoder(model.draw(points), other.contiguous(memory_format=torch.channels_last))
            loss = painting_loss(painted.float(), x)
        descend(optimizer, loss, learning_rate(rates.lr, step, rates.steps, rates.schedule))
        follow(average, decoder, rates.average, step + 1)
    model.decoder = average
    return Predictor(model.eval().requires_grad_(False), teacher.first_regressor)
