"""Commands of the method: ``kp train``, ``kp evaluate``."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import tyro

from kp.config import PRESETS
from kp.files import atomic_write

_defaults = {name: preset() for name, preset in PRESETS.items()}
_summaries = {
    name: " ".join(preset.__doc__.split("\n\n")[0].split()).replace("``", "") for name, preset in PRESETS.items()
}
Presets = tyro.extras.subcommand_type_from_defaults(_defaults, _summaries)
"""A configuration as the command line takes it: a preset, then changes to its settings."""


def train(
    config: Annotated[Presets, tyro.conf.arg(name="")],
    out: Path = Path("runs/laptop"),
    device: str = "cpu",
) -> None:
    """Train a model, or go on where an interrupted training of the same settings stopped.

    On several processors or machines: torchrun --nproc-per-node 2 -m kp train …, the same settings and the same steps.
    While it trains, it is monitored: words on the terminal when the verdict changes, and OUT/report.html, a page with
    pictures that reloads itself.

    Args:
        config: All settings; the preset gives their defaults.
        out: Run folder: config.json, metrics.jsonl, checkpoint.pt, diagnostics.jsonl, report.html.
        device: Where to compute: cpu, cuda, cuda:1, ...
    """
    from kp import distributed
    from kp.skeletons import find_skeleton
    from kp.training.loop import train as run
    from kp.training.monitor import Monitor

    print(find_skeleton(config.data.skeleton).describe_sides(), flush=True)
    try:
        with Monitor(out) as monitor:
            run(config, out, device=device, on_step=monitor)
        if distributed.rank() > 0:
            return
    finally:
        distributed.finish()
    print(f"trained: {out / 'checkpoint.pt'}\nreport:  {out / 'report.html'}")
    print(f"next:    kp evaluate {out}   or   kp predict {out} IMAGE_OR_VIDEO")


def evaluate(run: tyro.conf.Positional[str], split: str = "test", json_file: Path | None = None) -> None:
    """Measure a trained run on people it has never seen.

    Args:
        run: Run folder, .safetensors file, or the name of a published model: people, faces.
        split: val or test.
        json_file: Also write the numbers to this file.
    """
    from kp.datasets.human36m import is_human36m
    from kp.evaluation.evaluate import activities
    from kp.evaluation.evaluate import evaluate as score
    from kp.inference.published import load

    predictor = load(run)
    if is_human36m(predictor.model.config.data.videos):
        numbers = activities(predictor, split)
        _print_activities(numbers)
    else:
        scores = score(predictor, split)
        numbers = dataclasses.asdict(scores)
        _print_scores(scores, predictor.skeleton)
    if json_file:
        with atomic_write(json_file) as part:
            part.write_text(json.dumps(numbers, indent=2) + "\n")


def _print_activities(table: dict[str, dict[str, float]]) -> None:
    print(f"{'error, % of the image size':28s} {'raw':>6s} {'flip minimum':>13s} {'flips resolved, no labels':>26s}")
    for name, row in table.items():
        print(f"{name:28s} {row['raw']:6.2f} {row['flip_minimum']:13.2f} {row['label_free']:26.2f}")


def _print_scores(scores, skeleton) -> None:
    low, high = scores.raw_interval
    print(f"error, % of the image size   {scores.raw:.2f}   (95 % interval {low:.2f}–{high:.2f})")
    print(
        f"  flips resolved, no labels  {scores.label_free:.2f}\n  flip minimum               {scores.flip_minimum:.2f}"
    )
    if scores.normalised is not None:
        low, high = scores.normalised_interval
        print(f"  % of {' to '.join(skeleton.normaliser):22s}{scores.normalised:.2f}   ({low:.2f}–{high:.2f})")
    print(f"  mean pose of the prior     {scores.mean_pose:.2f}")
    print(f"PCK at 5 %: {scores.pck5:.1f} %   at 10 %: {scores.pck10:.1f} %")
    for joint, error in (scores.by_region or scores.by_joint).items():
        print(f"  {joint:15s} {error:5.2f}")
