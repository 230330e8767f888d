"""The students' edition, used as a student uses it: without the repository, beside the installed wheel."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "book/exercises"))
from students import build_wheel, write  # noqa: E402

RUN = """
import json, sys
import matplotlib, nbformat
matplotlib.use("Agg")
import kp
names, said = {}, []
for cell in nbformat.read(sys.argv[1], 4).cells:
    if cell.cell_type == "code":
        try:
            exec(cell.source, names)
            error = None
        except Exception as problem:
            error = str(problem)
        said.append(["check" in cell.metadata.get("tags", []), error, cell.source])
print(json.dumps([kp.__file__, said]))
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """The students' folder, and a folder with the wheel's package in it."""
    place = tmp_path_factory.mktemp("desk")
    wheel = build_wheel(place / "wheel")
    write(place / "students", wheel)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps", "--target"]
    subprocess.run([*pip, str(place / "installed"), str(wheel)], check=True)
    return place / "students", place / "installed"


def surroundings(installed):
    return os.environ | {"PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}


def test_it_holds_no_solution_and_no_hidden_check(desk):
    folder, _ = desk
    notebooks = sorted(folder.glob("*.ipynb"))
    assert [path.name[:2] for path in notebooks] == [f"{n:02d}" for n in range(13)]
    for path in notebooks:
        for cell in nbformat.read(path, 4).cells:
            assert not {"solution", "hidden"} & set(cell.metadata.get("tags", [])), path.name
            assert "kp.course" not in cell.source and "](../" not in cell.source, cell.source
    assert "Rubric" not in "".join(path.read_text() for path in notebooks)
    assert (folder / "requirements.txt").read_text().startswith("-c constraints.txt\n./keypoints_from_video-")


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "book/exercises").glob("*.ipynb")))
def test_its_exercises_run_beside_the_wheel(desk, name):
    folder, installed = desk
    done = subprocess.run(
        [sys.executable, "-c", RUN, f"{name}.ipynb"],
        cwd=folder, env=surroundings(installed), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    used, said = json.loads(done.stdout.splitlines()[-1])
    assert used.startswith(str(installed))
    for is_check, error, source in said:
        if is_check:
            assert re.search("nothing there yet|returns nothing yet|fill in", str(error)), f"{source}\n{error}"
        else:
            assert error is None, f"{source}\n{error}"


def test_the_first_hour_runs_in_an_empty_folder(desk, tmp_path):
    _, installed = desk
    words = [sys.executable, "-m", "papermill", str(ROOT / "book/first_hour.ipynb"), "hour.ipynb", "-k", "python3"]
    done = subprocess.run(words, cwd=tmp_path, env=surroundings(installed), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    cells = nbformat.read(tmp_path / "hour.ipynb", 4).cells
    pictures = [o for cell in cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
    assert len(pictures) == 3
