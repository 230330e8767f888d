"""A student: a copy of a trained model, taught by what that model sees. Not in the paper; still no labels.

The teacher looks at clean images (people on black), the student at harder ones of the same frames (with their backgrounds,
in changed colours, mirrored, and, if ``data.move``, turned, scaled and shifted). Masks are then needed for training only.
Errors of the teacher that vary from frame to frame average out in the student; those that a person's every frame shares do not.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from kp.clips import Clips, augment_pairs, to_images
from kp.config import Config
from kp.consistency import mirrored_mean
from kp.errors import KpError
from kp.model import Model
from kp.predict import Predictor
from kp.similarity import draw_similarity
from kp.state import follow, learning_rate
from kp.train import arithmetic, descend


def teach(teacher: Predictor, clips: Clips) -> list[Float[Tensor, "_ k 2"]]:
    """What the teacher sees in every frame of its clips."""
    return [mirrored_mean(teacher, to_images(frames)) for frames in tqdm(clips.frames, desc="teacher", unit="clip", leave=False)]


def check_lessons(clips: Clips, lessons: list[Float[Tensor, "_ k 2"]]) -> None:
    """KpError unless there is a lesson for every frame of every clip."""
    if [len(f) for f in clips.frames] != [len(p) for p in lessons]:
        raise KpError(f"{len(clips)} clips and {len(lessons)} lessons do not fit frame by frame; teach the same clips of the same set")


def train_student(teacher: Predictor, config: Config, clips: Clips, lessons: list[Float[Tensor, "_ k 2"]]) -> Predictor:
    """Φ and η of the student: ‖η(Φ(x)) − p‖² + 0.1 ‖Φ(x) − β(p)‖², p being the teacher's keypoints of the same frame.

    The second term keeps y a skeleton image. Both networks start as the teacher's; Ψ, which reads keypoints only, and η₀ are the
    teacher's own. config: sizes of the teacher; data, steps, batch, lr, seed of the student. clips: the frames as the
    student sees them, in the order of ``lessons``. KpError if clips and lessons differ in length.
    """
    check_lessons(clips, lessons)
    rates = config.optimizer
    generator = torch.Generator().manual_seed(config.seed)
    model = Model(replace(config, network=teacher.model.config.network))
    model.load_state_dict(teacher.model.state_dict())
    average = Model(model.config).requires_grad_(False)
    average.load_state_dict(model.state_dict())
    model.train().requires_grad_(True)
    optimizer = torch.optim.Adam([*model.encoder.parameters(), *model.regressor.parameters()], rates.lr, (0.9, 0.999))
    flip, reflect = teacher.skeleton.flip, torch.tensor([-1.0, 1.0])
    for step in tqdm(range(rates.steps), desc="student", unit="step", mininterval=5.0):
        clip = clips.draw(rates.batch, generator, step)
        frame = [int(torch.randint(len(lessons[c]), (1,), generator=generator)) for c in clip]
        x = to_images(torch.stack([clips.frames[c][t] for c, t in zip(clip, frame, strict=True)]))
        target = torch.stack([lessons[c][t] for c, t in zip(clip, frame, strict=True)])
        half = rates.batch // 2  # half of the batch mirrored, with its lessons
        x = torch.cat([x[:half], x[half:].flip(3)])
        target = torch.cat([target[:half], target[half:, flip] * reflect])
        if config.data.augment:
            x, _ = augment_pairs((x, x), generator, mirror=False)
        if config.data.move:
            move = draw_similarity(rates.batch, generator)
            x, target = move.images(x), move.points(target)
        with arithmetic(rates.precision):
            y = model.encoder(x.contiguous(memory_format=torch.channels_last))
            loss = F.mse_loss(model.regressor(y), target) + 0.1 * F.mse_loss(y, model.draw(target))
        descend(optimizer, loss, learning_rate(rates.lr, step, rates.steps, rates.schedule))
        follow(average, model, rates.average, step + 1)
    return Predictor(average.eval(), teacher.first_regressor)
