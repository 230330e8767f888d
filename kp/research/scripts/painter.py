"""Teach the Ψ of published weights for longer, and measure how it paints people never seen.

``python -m kp.research.scripts.painter``

Writes the weights anew, with Φ and η as they were, and a record: squared errors of Ψ before and after, on test pairs.
"""

import dataclasses
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
import tyro
from torch import Tensor

from kp.datasets.clips import load_clips
from kp.evaluation.evaluate import load_test
from kp.figures import as_picture, grid, save
from kp.inference.predictor import Predictor
from kp.inference.published import load
from kp.provenance import command_line, data_checksum, write_record
from kp.training.distil import pseudo_labels, train_painter


def painted(model: Predictor, images: Tensor) -> Tensor:
    """Every fourth frame of a clip, painted from its keypoints and the clip's last frame: (clips, frames, 3, s, s)."""
    frames = images[:, :-1:4]
    redrawn = model(frames.flatten(0, 1)).redrawn
    looks = images[:, -1:].expand_as(frames)
    return model.decode(redrawn, looks.flatten(0, 1)).unflatten(0, frames.shape[:2])


def error(model: Predictor, images: Tensor) -> dict[str, float]:
    """Mean squared error over pixels of the person (those that are not black), of light (mean of R, G, B) and of hue
    (the rest).
    """
    right, made = images[:, :-1:4], painted(model, images)
    person = right.amax(2, keepdim=True) > -0.9
    difference = (made - right) * person
    light = difference.mean(2, keepdim=True)
    share = person.float().mean().item()
    return {
        "all": F.mse_loss(made, right).item(),
        "light": light.square().mean().item() / share,
        "hue": (difference - light).square().mean().item() / share,
    }


def main(
    model: str = "people",
    weights: Path = Path("kp/models/people.safetensors"),
    out: Path = Path("results/painter"),
    steps: int = 18_000,
    batch: int = 16,
    seed: int = 0,
    precision: Literal["auto", "float32", "bfloat16"] = "auto",
) -> None:
    """Train and measure.

    Args:
        model: Whose Ψ: published weights, a file of weights or a run's folder.
        weights: Where to write the model with its new Ψ.
        out: Folder of the record and a picture.
        steps: Steps of the training.
        batch: Frame pairs a step.
        seed: Its seed.
        precision: Arithmetic of the networks.
    """
    teacher = load(model)
    data = replace(teacher.model.config.data, background=False)
    clips = load_clips(data.videos, "train", data.size, False, data.source, masks=data.masks)
    lessons = pseudo_labels(teacher, clips)
    rates = replace(
        teacher.model.config.optimizer,
        steps=steps,
        batch=batch,
        lr=1e-3,
        schedule="one-cycle",
        average=0.999,
        precision=precision,
    )
    started = time.perf_counter()
    painter = train_painter(teacher, rates, clips, lessons, seed)
    seconds = time.perf_counter() - started
    test = load_test(data, "test", progress=False)
    before, after = error(teacher, test.images), error(painter, test.images)
    painter.save(weights)
    shown = test.images[:: len(test.images) // 8][:8]
    rows = [
        ("x'", shown[:, -1]),
        ("x", shown[:, 0]),
        ("before", painted(teacher, shown)[:, 0]),
        ("after", painted(painter, shown)[:, 0]),
    ]
    save(grid([(name, [as_picture(v) for v in row]) for name, row in rows]), out / f"{model}.png")
    numbers = {
        "before": before,
        "after": after,
        "steps": steps,
        "seed": seed,
        "seconds_train": seconds,
        "threads": torch.get_num_threads(),
        "rates": json.loads(json.dumps(dataclasses.asdict(rates))),
        "data_checksum": data_checksum(data.videos),
        "command": command_line(),
    }
    write_record(out / f"{model}_seed{seed}.json", numbers)
    print(f"before {before}\nafter {after}")


if __name__ == "__main__":
    tyro.cli(main)
