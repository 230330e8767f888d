"""A training that watches itself: every 25 steps its signs (kp/training/diagnostics.py), a verdict on the terminal, and
a page with pictures.
"""

import dataclasses
import json
import time
from pathlib import Path

from tqdm import tqdm

from kp.datasets.clips import Clips
from kp.datasets.priors import Poses
from kp.files import atomic_write
from kp.inference.predictor import Prediction
from kp.training.diagnostics import HEALTHY, Diagnostics, Probe, Verdict, diagnose, judge
from kp.training.log import read_metrics
from kp.training.report import draw_lines, draw_probe, write_report
from kp.training.state import State

EVERY = 25  # steps
PAGE = 60  # seconds between two pages, at least: drawing one takes about one


class Monitor:
    """``with Monitor(run) as watch: train(config, run, on_step=watch)``.

    Leaves RUN/diagnostics.jsonl, a line a look, and RUN/report.html, which reloads itself until training ends; tells
    the terminal when its verdict changes. Nothing in the training changes by being looked at. An interrupted run keeps
    its looks up to the checkpoint.
    """

    def __init__(self, out: Path):
        self.out, self.history = out, []
        self.verdict = Verdict("early", "Nothing was looked at yet.")
        self._probe: Probe | None = None
        self._state: State | None = None
        self._prediction: Prediction | None = None
        self._drawn = -float("inf")

    def __enter__(self) -> "Monitor":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace) -> None:
        """The last page does not reload, and says how training ended."""
        if self._prediction:
            self._write("finished" if kind is None else f"stopped: {str(error) or kind.__name__}", running=False)

    def __call__(self, state: State, clips: Clips, poses: Poses) -> None:
        """What ``train`` calls after every step. KpError if the run's folder cannot be written."""
        if self._probe is None:
            self._probe, self.history = Probe.of(clips, poses), read_diagnostics(self.out, before=state.step)
        if state.step % EVERY and state.step != state.config.optimizer.steps:
            return
        signs, self._prediction = diagnose(state, self._probe)
        self._state, self.history = state, [*self.history, signs]
        before, self.verdict = self.verdict, judge(self.history)
        with atomic_write(self.out / "diagnostics.jsonl") as part:
            part.write_text("".join(json.dumps(dataclasses.asdict(signs)) + "\n" for signs in self.history))
        if self.verdict.level != before.level:
            tqdm.write(f"step {state.step}: {self.verdict}")
        if self.verdict.level != before.level or time.monotonic() - self._drawn > PAGE:
            self._write("training", running=True)

    def _write(self, status: str, running: bool) -> None:
        state, prediction, probe = self._state, self._prediction, self._probe
        metrics = [line for line in read_metrics(self.out) if line["phase"] == "train"]
        steps = state.config.optimizer.steps
        if running and len(metrics) > 1:
            pace = (metrics[-1]["seconds"] - metrics[-2]["seconds"]) / max(1, metrics[-1]["step"] - metrics[-2]["step"])
            status += f", about {max(1, round(pace * (steps - state.step) / 60))} min to go"
        drawings = state.model.draw(probe.poses.to(state.device)).cpu()
        painted = state.predictor().decode(
            state.model.decoder_input(prediction.skeleton, prediction.redrawn), probe.others
        )

        def line(name):
            return [(s.step, getattr(s, name)) for s in self.history if getattr(s, name) is not None]

        losses = [k for k in ("perceptual", "adversarial", "discriminator", "regressor") if metrics and k in metrics[0]]
        panels = {
            "spread, following": {"spread": line("spread"), "follows": line("follows")},
            "flips": {"flips": line("flips")},
        }
        if line("accuracy"):
            panels["D's scores"] = {"drawn poses": line("real"), "Φ's pictures": line("fake")}
        figures = [
            ("What it sees", draw_probe(probe.frames, prediction, painted, drawings, state.model.skeleton), PICTURES),
            ("The signs over time", draw_lines(panels), "Taken on the same frames every 25 steps."),
        ]
        if losses:
            curves = draw_lines({name: {name: [(m["step"], m[name]) for m in metrics]} for name in losses})
            figures.append(("The losses", curves, "Of single batches."))
        write_report(
            self.out / "report.html",
            state.config,
            f"{status} · step {state.step} of {steps} · {time.strftime('%H:%M:%S')}",
            (state.step, steps),
            (self.verdict.level, self.verdict.seen, self.verdict.remedy),
            [(name, as_text(getattr(self.history[-1], name)), *words) for name, words in HEALTHY.items()],
            figures,
            running,
        )
        self._drawn = time.monotonic()


PICTURES = (
    "Frames of the training with the pose found (the subject's left blue, right red); the skeleton picture Φ makes; "
    "the pose drawn again; "
    "what Ψ paints from that and another frame; drawings of the prior's poses, which Φ's pictures should look like."
)


def as_text(value: float | None) -> str:
    """A sign as text; a dash where there is none."""
    return "–" if value is None else f"{value:.2f}"


def read_diagnostics(run: Path, before: int) -> list[Diagnostics]:
    """The looks that RUN/diagnostics.jsonl holds of the steps before ``before``; damaged lines are left out."""
    path, looks = run / "diagnostics.jsonl", []
    for line in path.read_text(errors="replace").splitlines() if path.is_file() else ():
        try:
            signs = Diagnostics(**json.loads(line))
        except (ValueError, TypeError):
            continue
        if signs.step < before:
            looks.append(signs)
    return looks
