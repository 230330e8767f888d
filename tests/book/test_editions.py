"""Exercises: enough of them, graded, each solved, and each check shown to fail before anything is filled in."""

import re
import sys
from pathlib import Path

import matplotlib
import nbformat
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "book/exercises"))
from editions import edition, hand_out, tagged  # noqa: E402

SOURCES = sorted((ROOT / "book/exercises").glob("*.ipynb"))
HEADING = re.compile(r"^## (\d+)\.(\d+) · .+ \((easy|medium|project)\)$", re.M)


def exercises(path):
    """The cells of each exercise of a notebook, by its number."""
    found, number = {}, None
    for cell in nbformat.read(path, 4).cells:
        heading = HEADING.search(cell.source) if cell.cell_type == "markdown" else None
        number = f"{heading[1]}.{heading[2]}" if heading else number
        if number:
            found.setdefault(number, []).append(cell)
    return found


def test_there_are_enough_of_each_level():
    levels = [m[3] for path in SOURCES for cell in nbformat.read(path, 4).cells for m in HEADING.finditer(cell.source)]
    assert len(SOURCES) == 12 and len(levels) >= 40
    assert all(levels.count(level) >= 12 for level in ("easy", "medium", "project"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)
def test_every_exercise_has_a_solution_and_every_stub_a_check(path):
    chapter = str(int(path.stem[:2]))
    for number, cells in exercises(path).items():
        assert number.split(".")[0] == chapter
        count = {tag: sum(tagged(cell, tag) for cell in cells) for tag in ("stub", "solution", "check")}
        assert count["solution"] == 1, number
        assert count["stub"] == count["check"] <= 1, number
    assert not any(cell.get("outputs") for cell in nbformat.read(path, 4).cells)


def test_handing_out_leaves_answers_alone(tmp_path):
    assert len(hand_out(tmp_path / "mine")) == 12
    answered = tmp_path / "mine" / SOURCES[0].name
    notebook = nbformat.read(answered, 4)
    assert not any(tagged(cell, "solution") for cell in notebook.cells)
    answered.write_text("answers")
    (tmp_path / "mine" / SOURCES[1].name).unlink()
    assert hand_out(tmp_path / "mine") == [tmp_path / "mine" / SOURCES[1].name]
    assert answered.read_text() == "answers"


def run(notebook, values):
    """Run code cells in one namespace, with parameters replaced; yields each cell with the error that it raised, or
    None.
    """
    names = {}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        try:
            exec(cell.source, names)
            names.update({k: v for k, v in values.items() if k in names} if tagged(cell, "parameters") else {})
            yield cell, None
        except Exception as error:  # whatever a student's notebook raises
            yield cell, error


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)
def test_the_unfilled_notebook_fails_every_check_and_says_so(path, monkeypatch):
    matplotlib.use("Agg")
    monkeypatch.chdir(path.parent)  # where Jupyter starts a kernel
    for cell, error in run(edition(nbformat.read(path, 4), "student"), {}):
        if tagged(cell, "check"):
            assert error is not None and re.search(r"nothing there yet|returns nothing yet|fill in", str(error)), (
                cell.source
            )
        else:
            assert error is None, f"{cell.source}\n{error}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)
def test_the_solved_notebook_ran_through(path):
    cells = nbformat.read(ROOT / "results/smoke/exercises" / path.name, 4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    assert sum(tagged(cell, "check") for cell in code) == sum(tagged(c, "check") for c in nbformat.read(path, 4).cells)
    assert not any(output.output_type == "error" for cell in code for output in cell.outputs)
