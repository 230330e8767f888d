"""Big footage: do start-up and memory stay as they are from 10 clips to 100,000, and does the loader keep ahead of the
training?

The sets are links to the shipped clips; each is opened by a process of its own, which draws a batch of 16 frame pairs
as often as a training would. Steps of a training need one batch each: batches a second over the training's steps a
second (``make bench``) is how far ahead the loader is.
"""

import csv
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import torch
import tyro

from kp.config import Data
from kp.datasets.cache import ClipCache
from kp.datasets.sets import open_clips
from kp.provenance import write_record


def link_set(videos: Path, count: int, folder: Path) -> None:
    """A video set of ``count`` clips below ``folder``: links to the train clips of ``videos``, in turn, with their
    masks.
    """
    originals = sorted((videos / "videos/train").resolve().glob("*.mp4"))
    names = [f"{i:06d}" for i in range(count)]
    for kind in ("videos", "masks"):
        (folder / kind / "train").mkdir(parents=True)
        for i, name in enumerate(names):
            original = originals[i % len(originals)]
            (folder / kind / "train" / f"{name}.mp4").symlink_to(videos.resolve() / kind / "train" / original.name)
    with open(folder / "clips.csv", "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [("split", "clip", "source"), *(("train", name, "") for name in names)]
        )


def measure(data: Data, steps: int, results) -> None:
    """Open the set, draw a batch at every step; put what that took into the queue ``told``."""
    started = time.perf_counter()
    clips, generator = open_clips(data, "train"), torch.Generator().manual_seed(0)
    clips.pairs(16, generator)
    opened = time.perf_counter() - started
    for step in range(steps):  # until the window is full
        clips.pairs(16, generator, step)
    started = time.perf_counter()
    for step in range(steps, steps + 100):
        clips.pairs(16, generator, step)
    took = time.perf_counter() - started
    held = clips.frames.held if isinstance(clips.frames, ClipCache) else len(clips)
    results.put(
        {
            "clips": len(clips),
            "held": held,
            "seconds_to_first_batch": round(opened, 2),
            "batches_a_second": round(100 / took, 1),
            # Linux: kibibytes
            "peak_memory_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 3),
        }
    )


def main(
    videos: Path = Path("data/people"),
    counts: tuple[int, ...] = (10, 100, 1000, 10_000, 100_000),
    memory: float = 0.2,
    steps: int = 400,
    out: Path = Path("results/bench/footage.json"),
) -> None:
    """Open sets of many sizes.

    Args:
        videos: The set whose clips are linked to.
        counts: Clips in each set.
        memory: Gigabytes of frames that may be held (data.memory).
        steps: Batches drawn before the rate is measured.
        out: JSON file for the record.
    """
    context, rows = multiprocessing.get_context("spawn"), []
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            link_set(videos, count, Path(folder) / "set")
            results = context.Queue()
            process = context.Process(target=measure, args=(Data(Path(folder) / "set", memory=memory), steps, results))
            process.start()
            rows.append(results.get())
            process.join()
        print(rows[-1], flush=True)
    write_record(
        out,
        {
            "sets": rows,
            "memory": memory,
            "steps": steps,
            "command": f"python -m kp.research.scripts.footage --memory {memory:g}",
        },
    )


if __name__ == "__main__":
    tyro.cli(main)
