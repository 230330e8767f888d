"""What the diagnostics say of trainings that go well and of trainings that cannot.

``python -m kp.research.scripts.watch`` (15 minutes)

Writes results/watch/signs.json: for each way to train the signs every 25 steps and the verdict at the end.
"""

import dataclasses
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
import tyro

from kp.config import Config, study
from kp.datasets.clips import Clips
from kp.datasets.priors import Poses
from kp.datasets.sets import open_clips, open_prior
from kp.provenance import write_record
from kp.training.loop import train
from kp.training.monitor import Monitor


def noise(clips: Clips) -> Clips:
    """Clips of the same sizes in which nothing is to be seen."""
    generator = torch.Generator().manual_seed(0)

    def draw(frames):
        return torch.randint(0, 256, frames.shape, generator=generator, dtype=torch.uint8)

    return Clips(clips.names, clips.sources, [draw(frames) for frames in clips.frames])


def black(clips: Clips) -> Clips:
    """Clips that are black."""
    return Clips(clips.names, clips.sources, [torch.zeros_like(frames) for frames in clips.frames])


WAYS: dict[str, tuple[Callable[[Clips], Clips], Callable[[Poses], Poses]]] = {
    "as it should be": (lambda clips: clips, lambda poses: poses),
    "poses upside down": (
        lambda clips: clips,
        lambda poses: Poses(poses.keypoints * torch.tensor([1.0, -1.0]), poses.sources),
    ),
    "frames of noise": (noise, lambda poses: poses),
    "black frames": (black, lambda poses: poses),
}


def main(steps: int = 125, precision: str = "float32", out: Path = Path("results/watch/signs.json")) -> None:
    """Train a few ways and record what the watch sees.

    Args:
        steps: Steps of the main training of each.
        precision: float32 or bfloat16.
        out: JSON file for the record.
    """
    config: Config = study()
    config = replace(config, optimizer=replace(config.optimizer, steps=steps, pretrain_steps=1000, precision=precision))
    clips, poses, ways = open_clips(config.data, "train"), open_prior(config.data, config.seed), {}
    for name, (of_clips, of_poses) in WAYS.items():
        with tempfile.TemporaryDirectory() as folder, Monitor(Path(folder)) as watch:
            train(config, Path(folder), of_clips(clips), of_poses(poses), on_step=watch)
            ways[name] = {
                "verdict": watch.verdict.level,
                "seen": watch.verdict.seen,
                "signs": [dataclasses.asdict(s) for s in watch.history],
            }
        print(f"{name}: {watch.verdict}", flush=True)
    command = f"python -m kp.research.scripts.watch --steps {steps} --precision {precision}"
    write_record(out, {"ways": ways, "steps": steps, "precision": precision, "command": command})


if __name__ == "__main__":
    tyro.cli(main)
