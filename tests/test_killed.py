"""SIGKILL at random moments: what was begun goes on to the same bits, and no file is ever half there."""

import itertools
import os
import random
import signal
import tempfile
import time
import traceback
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import kp.training.loop
from kp.formats.read import read_pose_file
from kp.formats.track import WRITERS
from kp.training.loop import train
from kp.training.state import State, load_state

KILLS = int(os.environ.get("KP_KILLS", 6))
FAILED = Path(tempfile.gettempdir()) / f"kp_killed_{os.getpid()}.txt"  # what a process that failed by itself has to say


def tried(what: str, kills: int) -> None:
    """A line for the table of `make fuzz`."""
    if table := os.environ.get("KP_FUZZ_TABLE"):
        with open(table, "a") as file:
            file.write(f"kill -9 of {what},{kills},0,{kills}\n")


def killed(work, seconds: float) -> bool:
    """Run ``work`` in a process of its own and kill it after so many seconds; whether it had not finished by then.

    It must not start threads that use torch: a forked process cannot.
    """
    child = os.fork()
    if child == 0:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        try:
            work()
        except BaseException:
            FAILED.write_text(traceback.format_exc())
            os._exit(1)
        os._exit(0)
    deadline, over = time.monotonic() + seconds, 0
    while not over and time.monotonic() < deadline:  # whoever finishes early is not waited for
        time.sleep(min(0.01, seconds))
        over, status = os.waitpid(child, os.WNOHANG)
    if not over:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, f"the process failed by itself: {FAILED.read_text()}"
    return os.WIFSIGNALED(status)


def test_training(config, clips, poses, tmp_path, monkeypatch, same):
    monkeypatch.setattr(kp.training.loop, "SAVE_EVERY", 2)
    train(config, tmp_path / "first", clips, poses)  # libraries are loaded now
    began = time.monotonic()
    expected = train(config, tmp_path / "whole", clips, poses).state_dict()
    took = time.monotonic() - began
    chance, kills, later, finished = random.Random(0), 0, 0, 0
    while kills < KILLS:
        run = tmp_path / f"run{finished}"
        if killed(lambda run=run: train(config, run, clips, poses), chance.uniform(0, took * (0.7 + kills / KILLS))):
            kills += 1
            if (run / "checkpoint.pt").exists():
                later += 1
                load_state(run / "checkpoint.pt", torch.device("cpu"))  # whole, or it would raise
        else:
            assert same(load_state(run / "checkpoint.pt", torch.device("cpu")).state_dict(), expected)
            finished += 1
    assert same(train(config, tmp_path / f"run{finished}", clips, poses).state_dict(), expected)
    assert later >= KILLS // 5, "too few came after the first checkpoint to prove that a run goes on"
    tried("a training that then goes on to the same bits", kills)


EXPORTS = [ending for ending in WRITERS if ending not in (".mp4", ".png")]


@pytest.mark.parametrize("ending", EXPORTS)
def test_exporting(config, tiny, tmp_path, ending):
    torch.manual_seed(0)
    predictor = State(config, torch.device("cpu")).predictor()
    found = predictor.track(tiny / "videos/test/000.mp4", masks=tiny / "masks/test/000.mp4", progress=False)
    long = replace(
        found,
        keypoints=np.tile(found.keypoints, (100, 1, 1)),
        confidence=np.tile(found.confidence, (100, 1)),
        times=None,
    )
    long.save(tmp_path / f"whole{ending}")  # libraries are loaded now
    began = time.monotonic()
    long.save(tmp_path / f"whole{ending}")
    took, chance, kills = time.monotonic() - began, random.Random(1), 0
    expected = read_pose_file(tmp_path / f"whole{ending}", 0.0).keypoints
    for number in itertools.count():
        if kills and number >= max(7, KILLS // len(EXPORTS)):
            break
        path = tmp_path / f"{number}{ending}"
        kills += killed(lambda path=path: long.save(path), chance.uniform(0, 8 * took / (10 + number)))  # ever sooner
        if path.exists():
            assert np.array_equal(read_pose_file(path, 0.0).keypoints, expected, equal_nan=True)
        long.save(path)
        assert np.array_equal(read_pose_file(path, 0.0).keypoints, expected, equal_nan=True)
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
    tried(f"a writer of {ending}: whole or not there", kills)
