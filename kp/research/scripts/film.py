"""Frames a second of ``kp predict`` on a film, and seconds until ``kp --help`` answers, beside another installed kp.

``python -m kp.research.scripts.film --before PATH/TO/OTHER/bin/kp``
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tyro

from kp.provenance import command_line, write_record
from kp.video import write_video

SIZE = (640, 360)


def make_film(path: Path, frames: int) -> None:
    """A textured box that walks through a noisy room."""
    chance = np.random.default_rng(0)
    wall = chance.integers(60, 190, (SIZE[1] // 10, SIZE[0] // 10, 3), np.uint8).repeat(10, 0).repeat(10, 1)
    coat = chance.integers(0, 255, (20, 8, 3), np.uint8).repeat(10, 0).repeat(10, 1)

    def each():
        for t in range(frames):
            picture = wall.copy()
            left = 60 + (t * 3) % (SIZE[0] - 200)
            picture[100:300, left : left + 80] = coat
            yield picture

    write_video(path, each(), crf=18, rate=25, preset="veryfast")


def main(before: Path, frames: int = 600, rounds: int = 3, out: Path = Path("results/speed/film.json")) -> None:
    """Time both programs in turn and write a record.

    Args:
        before: The other kp program.
        frames: Frames of the film, 640 × 360.
        rounds: How often each is timed; the medians count.
        out: File of the record.
    """
    programs = {"before": str(before), "now": str(Path(sys.executable).with_name("kp"))}
    ways = {"frame": ["--crop", "frame"], "subject": ["--crop", "subject"]}
    seconds = {name: {way: [] for way in (*ways, "help")} for name in programs}
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.mp4"
        make_film(film, frames)
        for _ in range(rounds):
            for name, program in programs.items():
                for way, words in ways.items():
                    command = [program, "predict", "people", str(film), *words, "--out", f"{folder}/{name}"]
                    seconds[name][way].append(timed(command))
                seconds[name]["help"].append(timed([program, "--help"]))
    rows = {
        name: {way: frames / statistics.median(times) for way, times in of.items() if way != "help"}
        | {"help": statistics.median(of["help"])}
        for name, of in seconds.items()
    }
    write_record(
        out,
        {
            "size": SIZE,
            "frames": frames,
            "frames_per_second": rows,
            "seconds": seconds,
            "command": command_line().partition(" --before")[0],
        },
    )
    print(rows)


def timed(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    tyro.cli(main)
