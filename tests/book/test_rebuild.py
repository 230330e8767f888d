"""The build as people run it again: cut off twice, elsewhere, under another name, with a misspelt setting."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kp.files import alone, verify_checksums

TOP = Path(__file__).parents[2]
SETTINGS = "settings=[full] seeds=[0] preset=smoke steps=400 dataset=circle"
STUDY = ["results/study/full_seed0.json", "--config", *SETTINGS.split()]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy without .git, in a folder with a blank and brackets in its name."""
    place = tmp_path_factory.mktemp("a b [c]") / "kp (1)"
    kept = ("book", "data", "kp", "Snakefile", "_config.yml", "_toc.yml", "CHANGELOG.md")
    place.mkdir()
    for name in kept:
        ignored = shutil.ignore_patterns("__pycache__", "pictures")
        (shutil.copytree if (TOP / name).is_dir() else shutil.copy)(
            TOP / name, place / name, **({"ignore": ignored} if (TOP / name).is_dir() else {})
        )
    return place


def obey_ctrl_c() -> None:
    """What runs in the background of a shell ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def build(checkout, *words, **options):
    command = [sys.executable, "book/build.py", "--cores", "1", *words]
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    return subprocess.Popen(
        command, cwd=checkout, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True, preexec_fn=obey_ctrl_c, **options,
    )  # fmt: skip


def until_it_trains(process, checkout):
    """Wait for a checkpoint."""
    end = time.monotonic() + 300
    while not list((checkout / "runs").rglob("full_*/checkpoint.pt")):
        assert process.poll() is None and time.monotonic() < end, process.stdout.read()
        time.sleep(0.1)


def test_cut_off_twice_and_completed_elsewhere(checkout):
    """Ctrl-C once it trains, kill -9 of all once it trains again, another folder: the same words go on to the end."""
    for stop in (signal.SIGINT, signal.SIGKILL):
        process = build(checkout, *STUDY)
        until_it_trains(process, checkout)
        os.killpg(process.pid, stop)
        process.wait(60)
        assert not (checkout / STUDY[0]).exists()
    moved = checkout.rename(checkout.with_name("moved"))
    try:
        process = build(moved, *STUDY)
        words, _ = process.communicate(timeout=300)
        assert process.returncode == 0 and (moved / STUDY[0]).is_file(), words
        again, _ = build(moved, *STUDY).communicate(timeout=60)
        assert "Nothing to be done" in again
    finally:
        moved.rename(checkout)


def test_one_build_at_a_time(checkout):
    with alone(checkout / ".snakemake"):
        words, _ = build(checkout, *STUDY, "-n").communicate(timeout=60)
    assert re.search(r"book: \.snakemake: process \d+ \(since .*\) works in it; wait for its end", words)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("ablation_step=6", "no setting of the book 'ablation_step'; did you mean ablation_steps"),
        ("steps=6.5", "steps is 6.5; it must be a whole number"),
        ("name=a b", "name is 'a b'; use letters, digits, dots, dashes and underscores"),
        ("name=$(touch evil)", "use letters, digits, dots, dashes and underscores"),
    ],
)
def test_settings_that_the_book_does_not_have(checkout, setting, message):
    process = build(checkout, "-n", "book", "--config", setting)
    words, _ = process.communicate(timeout=60)
    assert process.returncode != 0 and message in words


def test_a_file_of_tomorrow(checkout):
    """After the clock was set back: said before anything is made and thrown away."""
    path, now = checkout / "book/train.ipynb", time.time()
    os.utime(path, (now + 10_000, now + 10_000))
    try:
        words, _ = build(checkout, "-n", "book").communicate(timeout=60)
    finally:
        os.utime(path, (now, now))
    assert f"book: {path}: was changed in the future; set the clock, or: touch" in words


@pytest.mark.skipif(not (TOP / ".git").exists(), reason="wants a checkout")
def test_line_ends_of_another_system(tmp_path):
    """Git for Windows turns line ends; checksums are of the file's bytes."""
    subprocess.run(["git", "clone", "-q", "-c", "core.autocrlf=true", TOP, tmp_path / "c"], check=True)
    assert verify_checksums(tmp_path / "c/data/circle") > 100
