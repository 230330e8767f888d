"""How fast is kp here? ``make bench`` prints steps a second by component, time to an error, memory, prediction frames a second.

Beside the measured times stands the arithmetic floor: counted multiply-adds over the rate that
one large matrix product reaches on this machine. Machines are noisy: compare within one run.
"""

import contextlib
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
import tyro
from torch.utils.flop_counter import FlopCounterMode

from kp.clips import load_clips
from kp.config import find_preset
from kp.evaluate import evaluate, load_test
from kp.model import discriminator_loss, generator_loss, regressor_loss, run
from kp.poses import load_prior
from kp.predict import Predictor
from kp.record import provenance, write_json
from kp.state import State
from kp.train import batch_on, pretrain_step, train, train_step

TARGETS = (5.0, 4.0, 3.5)


def seconds(action: Callable[[], object], repeats: int = 7) -> float:
    """Median seconds of an action, after one warm-up."""
    action()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def matrix_rate(size: int = 1536) -> float:
    """Floating-point operations a second of one square float32 matrix product."""
    a = torch.randn(size, size)
    return 2 * size**3 / seconds(lambda: a @ a)


def operations(action: Callable[[], object]) -> int:
    """Counted floating-point operations of convolutions and matrix products."""
    with FlopCounterMode(display=False) as counter:
        action()
    return counter.get_total_flops()


def components(state: State, clips, poses) -> dict[str, Callable[[], object]]:
    """The parts of one training step, each with its backward pass, on one fixed batch."""
    config, model = state.config, state.model
    frame, other = (batch_on(state, x) for x in clips.pairs(config.optimizer.batch, state.generator))
    target = poses.sample(config.optimizer.batch, state.generator)
    drawn = model.draw(target)
    made = run(model, frame, other)
    fake = made.skeleton.detach()

    def generator():
        result = run(model, frame, other)
        sum(generator_loss(model, state.perceptual, result, frame, other).values()).backward()

    return {
        "η pre-training step": lambda: pretrain_step(state, poses),
        "whole training step": lambda: train_step(state, clips, poses),
        "  drawing frame pairs": lambda: clips.pairs(config.optimizer.batch, state.generator),
        "  Φ forward": lambda: model.encoder(frame),
        "  η forward": lambda: model.regressor(fake),
        "  β forward": lambda: model.draw(target),
        "  Ψ forward": lambda: model.decoder(drawn, other),
        "  Φ, Ψ: losses and backward": generator,
        "  D: loss and backward": lambda: discriminator_loss(model, drawn, fake).backward(),
        "  η: loss and backward": lambda: regressor_loss(model, target, drawn, fake).backward(),
    }


def main(preset: str = "laptop", out: Path = Path("results/bench.json"), to_error: bool = True) -> None:
    """Measure a preset on this machine's CPU.

    Args:
        preset: laptop, smoke, paper or faithful.
        out: JSON file for the numbers.
        to_error: Also train once and report the time to reach 5, 4 and 3.5 % error.
    """
    config = find_preset(preset)()
    data = config.data
    numbers: dict[str, object] = {"machine": provenance(), "preset": preset}
    state = State(config, torch.device("cpu"))
    clips = load_clips(data.videos, "train", data.size)
    poses = load_prior(data, config.seed)
    test = load_test(data)
    rate = matrix_rate()
    print(f"{numbers['machine']}\nmatrix product: {rate / 1e9:.0f} GFLOP/s\n")
    print(f"{'':28s} {'ms':>8s} {'a second':>9s} {'GFLOP':>7s} {'floor ms':>9s} {'of floor':>9s}")
    for name, action in components(state, clips, poses).items():
        took, work = seconds(action), operations(action)
        floor = work / rate
        numbers[name.strip()] = {"seconds": took, "operations": work, "floor_seconds": floor}
        share = f"{took / floor:8.1f}×" if work else ""
        print(f"{name:28s} {took * 1e3:8.1f} {1 / took:9.2f} {work / 1e9:7.2f} {floor * 1e3:9.1f} {share:>9s}")
    predictor, images = Predictor.of(state), test.images.flatten(0, 1)[:256]
    frames = len(images) / seconds(lambda: predictor(images), 3)
    one = 1 / seconds(lambda: predictor(images[:1]), 15)
    print(f"\nprediction: {frames:.0f} frames a second in batches of 64, {one:.0f} one by one")
    numbers |= {"frames_a_second": frames, "frames_a_second_one_by_one": one}
    if to_error:
        numbers["time_to_error"] = time_to_error(config, clips, poses, test)
    unit = 2**30 if sys.platform == "darwin" else 2**20  # bytes there, kibibytes elsewhere
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    print(f"peak memory {peak:.1f} GiB")
    write_json(out, numbers | {"peak_memory_gib": peak})
    print(f"written to {out}")


class Reached(Exception):
    """All targets are met: the rest of the training would tell nothing new."""


def time_to_error(config, clips, poses, test) -> dict[str, float]:
    """Seconds of training, η's pre-training included and evaluation left out, until the test error first falls to each target."""
    reached: dict[str, float] = {}
    start, paused = time.perf_counter(), [0.0]

    def look(state: State, *_) -> None:
        if state.step % 25 == 0:
            now = time.perf_counter()
            error = evaluate(Predictor.of(state), test, poses)[0].raw
            for target in TARGETS:
                if error <= target and f"{target} %" not in reached:
                    reached[f"{target} %"] = now - start - paused[0]
                    print(f"{target} % after {reached[f'{target} %']:.0f} s ({state.step} steps)", flush=True)
            paused[0] += time.perf_counter() - now
            if len(reached) == len(TARGETS):
                raise Reached

    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(Reached):
        train(config, Path(folder), clips, poses, on_step=look)
    for target in TARGETS:
        if f"{target} %" not in reached:
            print(f"{target} %: not reached")
    return reached


if __name__ == "__main__":
    tyro.cli(main)
