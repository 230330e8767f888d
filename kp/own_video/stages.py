"""The stages of ``kp fit``: which one it is, and how long the whole still takes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tqdm import tqdm

# seconds on one core of an AMD EPYC with bfloat16, quiet, at 64 pixels: first guesses, corrected as stages end
PER_FRAME, PER_MASK, PER_MASK_STEP, PER_PRETRAIN_STEP, PER_STEP, PER_STUDENT_STEP = 0.03, 0.1, 0.4, 0.05, 0.5, 0.35
PER_READER_STEP = 0.15


@dataclass
class Stages:
    """``plan``: the name of each stage and the seconds that it is expected to take, in order."""

    plan: list[tuple[str, float]]
    done: list[tuple[float, float]] = field(default_factory=list)

    @staticmethod
    def of(
        frames: int,
        size: int,
        masks: str,
        mask_steps: int,
        pretrain_steps: int,
        steps: int,
        student_steps: int,
        reader_steps: int = 0,
    ) -> "Stages":
        """For films of so many frames, a model of ``size`` pixels and so many steps of each kind. masks: what tells the
        subject from its background, or "none". reader_steps: of a reader of figures, which teaches in the method's
        place.
        """
        area = (size / 64) ** 2
        training = (pretrain_steps * PER_PRETRAIN_STEP + steps * PER_STEP) * area
        plan = [("square clips around the subject", frames * PER_FRAME)]
        masking = 2 * mask_steps * PER_MASK_STEP * area if masks == "motion" else frames * PER_MASK
        plan += [(f"masks by {masks}", masking)] if masks != "none" else []
        plan.append(("the method" if steps else "η, which reads drawings", training))
        plan += [("a reader of figures", reader_steps * PER_READER_STEP * area)] if reader_steps else []
        plan += (
            [("its student, which needs no masks", student_steps * PER_STUDENT_STEP * area)] if masks != "none" else []
        )
        return Stages(plan)

    @property
    def last(self) -> int:
        """The number of the last stage."""
        return len(self.plan) - 1

    @contextmanager
    def stage(self, number: int) -> Iterator[None]:
        """Say that stage ``number``, counted from 0, begins, and how long all that is left takes; learn from how long
        it takes.
        """
        expected = sum(seconds for _, seconds in self.plan[number:])
        if self.done:  # this machine, beside the one of the first guesses
            took, guessed = (sum(column) for column in zip(*self.done, strict=True))
            expected *= min(10.0, max(0.1, took / max(guessed, 1e-9)))
        name, guess = self.plan[number]
        tqdm.write(f"stage {number + 1} of {len(self.plan)}: {name}; {in_words(expected)} left in all")
        began = time.monotonic()
        yield
        self.done.append((time.monotonic() - began, guess))


def in_words(seconds: float) -> str:
    """About 40 seconds, about 12 minutes, about 3.5 hours."""
    if seconds < 90:
        return f"about {max(10, round(seconds, -1)):.0f} seconds"
    return f"about {seconds / 60:.0f} minutes" if seconds < 5400 else f"about {seconds / 3600:.1f} hours"
