"""Seconds a step of training on a quiet and on a busy machine, by number of threads, how they wait, and arithmetic.

``python -m kp.research.scripts.busy`` (three minutes). Busy: on each core, a process that never rests beside it.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import torch
import tyro

from kp.config import find_preset
from kp.datasets.sets import open_clips, open_prior
from kp.provenance import command_line, write_record
from kp.training.loop import train_step
from kp.training.state import State

CORES = str(os.cpu_count())
WAYS = {
    "one thread": {"OMP_NUM_THREADS": "1"},
    "all cores, threads wait actively": {"OMP_NUM_THREADS": CORES, "OMP_WAIT_POLICY": "ACTIVE"},
    "all cores, threads wait passively": {"OMP_NUM_THREADS": CORES, "OMP_WAIT_POLICY": "PASSIVE"},
}
WARM_UP = 3  # steps that are not timed


def time_steps(preset: str, precision: str, steps: int) -> float:
    """Median seconds of a step of the main training, in this process."""
    config = find_preset(preset)().but(**{"optimizer.precision": precision})
    state = State(config, torch.device("cpu"))
    state.model.train()
    clips, poses = open_clips(config.data, "val"), open_prior(config.data, 0)
    seconds = []
    for _ in range(WARM_UP + steps):
        started = time.perf_counter()
        train_step(state, clips, poses)
        seconds.append(time.perf_counter() - started)
    return sorted(seconds[WARM_UP:])[steps // 2]


def main(preset: str = "laptop", steps: int = 12, out: Path = Path("results/speed/busy.json"), child: str = "") -> None:
    """Measure every combination, each in a process of its own, and write a record.

    Args:
        preset: Configuration to train.
        steps: Steps that are timed.
        out: File of the record.
        child: Used by the script itself: time one precision and print it.
    """
    if child:
        print(json.dumps(time_steps(preset, child, steps)))
        return
    rows = []
    for machine in ("quiet", "busy"):
        others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
        try:
            if machine == "quiet":
                stop(others)
            for precision in ("float32", "bfloat16"):
                for way, surroundings in WAYS.items():
                    words = ["--preset", preset, "--steps", str(steps), "--child", precision]
                    command = [sys.executable, "-m", "kp.research.scripts.busy", *words]
                    done = subprocess.run(command, env=os.environ | surroundings, stdout=subprocess.PIPE, check=True)
                    rows.append(
                        dict(machine=machine, precision=precision, threads=way, seconds=json.loads(done.stdout))
                    )
                    print("{machine:6s} {precision:9s} {threads:34s} {seconds:.2f} s".format(**rows[-1]), flush=True)
        finally:
            stop(others)
    write_record(out, {"preset": preset, "steps": rows, "command": command_line()})


def stop(processes: list[subprocess.Popen]) -> None:
    for process in processes:
        process.kill()
        process.wait()


if __name__ == "__main__":
    tyro.cli(main)
