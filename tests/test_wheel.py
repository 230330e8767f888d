"""The wheel, installed into an empty environment and used in a folder that is no checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tiny import write_video

ROOT = Path(__file__).parents[1]
SURROUNDINGS = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check")


def run(place, *words):
    done = subprocess.run(list(map(str, words)), cwd=place, capture_output=True, text=True, env=SURROUNDINGS)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    place = tmp_path_factory.mktemp("wheel")
    run(ROOT, sys.executable, *PIP, "wheel", "--no-deps", "--wheel-dir", place, ".")
    (path,) = place.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The programs of an environment that holds the wheel and what it declares, in the pinned versions."""
    place = tmp_path_factory.mktemp("empty")
    run(place, sys.executable, "-m", "venv", "env")
    run(place, place / "env/bin/python", *PIP, "install", "-c", ROOT / "requirements.txt", wheel)
    return place / "env/bin"


def test_what_it_holds(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {"kp/models/people.safetensors", "kp/models/priors/people.npz", "kp/models/priors/faces.npz"} <= set(names)
    assert "kp/training/report.j2" in names and "kp/py.typed" in names
    assert not [name for name in names if "course" in name or name.endswith((".js", ".css"))]


@pytest.mark.slow
def test_the_command_and_a_published_model(installed, tmp_path):
    assert run(tmp_path, installed / "kp", "--version").startswith("kp ")
    frames = np.random.default_rng(0).integers(0, 255, (4, 64, 64, 3), np.uint8)
    write_video(tmp_path / "film.mp4", frames)
    run(tmp_path, installed / "kp", "predict", "people", "film.mp4")
    names = sorted(path.name for path in (tmp_path / "predictions").iterdir())
    assert names == ["film.csv", "film.mp4", "film.png"]


@pytest.mark.slow
def test_a_fit_with_the_poses_that_ship(installed, tmp_path):
    frames = np.full((24, 96, 96, 3), 90, np.uint8)
    for t in range(24):
        frames[t, 20:70, 10 + 2 * t : 34 + 2 * t] = 220
    write_video(tmp_path / "film.mp4", frames)
    few = "steps=1, pretrain_steps=1, mask_steps=1, student_steps=1"
    code = f"import kp; print(len(kp.fit('film.mp4', poses='people', out='run', {few}).skeleton))"
    assert run(tmp_path, installed / "python", "-c", code).split()[-1] == "17"
    assert (tmp_path / "run/model.safetensors").is_file() and (tmp_path / "run/report.html").is_file()
