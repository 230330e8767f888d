"""Exercises: enough of them, each with a level, minutes and points, each solved, and each check shown to fail before
anything is filled in.
"""

import re
import subprocess
import sys
from pathlib import Path

import matplotlib
import nbformat
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "book/exercises"))
from editions import HEADING, edition, exercises, hand_out, rubric_points, tagged, write_grading  # noqa: E402
from students import student_notebook  # noqa: E402

SOURCES = sorted((ROOT / "book/exercises").glob("*.ipynb"))
EACH = pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)
HEADINGS = [m for path in SOURCES for cell in nbformat.read(path, 4).cells for m in HEADING.finditer(cell.source)]


def test_there_are_enough_of_each_level_and_the_readme_counts_them():
    levels = [heading[2] for heading in HEADINGS]
    assert len(SOURCES) == 12
    assert all(levels.count(level) >= 12 for level in ("easy", "medium", "project"))
    for page in ("README.md", "book/teach.md"):
        assert f"{len(HEADINGS)} exercises" in (ROOT / page).read_text(), page


def test_every_heading_says_level_minutes_and_points():
    cells = [cell for path in SOURCES for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown"]
    assert sum(cell.source.startswith("## ") for cell in cells) == len(HEADINGS)
    for heading in HEADINGS:
        assert (heading[4] == "hours") == (heading[2] == "project"), heading[0]
        assert int(heading[5]) == 10 if heading[2] == "project" else 2 <= int(heading[5]) <= 5, heading[0]


def test_the_four_week_module_adds_up():
    minutes = {heading[1]: int(heading[3]) for heading in HEADINGS if heading[4] == "minutes"}
    module = (ROOT / "book/teach.md").read_text().split("## Four weeks")[1].split("\n## ")[0]
    weeks = re.findall(r"^\| (\d) \|.*\| ([\d., ]+) \| (\d+) minutes \|$", module, re.MULTILINE)
    assert [number for number, _, _ in weeks] == list("1234")
    for number, numbers, total in weeks:
        assert sum(minutes[n] for n in numbers.split(", ")) == int(total), f"week {number}"


@EACH
def test_every_exercise_has_a_solution_and_a_check_or_a_rubric(path):
    chapter = str(int(path.stem[:2]))
    for number, cells in exercises(nbformat.read(path, 4)).items():
        assert number.split(".")[0] == chapter
        count = {
            (tag, kind): sum(tagged(cell, tag) and cell.cell_type == kind for cell in cells)
            for tag in ("stub", "solution", "check", "hidden")
            for kind in ("code", "markdown")
        }
        code, text = ({tag: count[tag, kind] for tag in ("stub", "solution")} for kind in ("code", "markdown"))
        assert code["stub"] == code["solution"] == count["check", "code"] <= 1, number
        assert text["stub"] == text["solution"] == (rubric_points(cells) > 0) <= 1, number
        assert code["stub"] + text["stub"] and count["hidden", "code"] <= count["check", "code"], number
        points = int(HEADING.search(cells[0].source)[5])
        assert rubric_points(cells) == points if not code["stub"] else rubric_points(cells) < points, number
    assert not any(cell.get("outputs") for cell in nbformat.read(path, 4).cells)


def test_nbgrader_gives_points_to_answers_and_none_to_edited_checks(tmp_path):
    name = "03_renderer"
    source = nbformat.read(ROOT / f"book/exercises/{name}.ipynb", 4)
    answered = edition(source, "solved")
    answered.cells = [cell for cell in answered.cells if not tagged(cell, "hidden")]
    cheated = student_notebook(source)
    for cell in cheated.cells:
        if tagged(cell, "check"):
            cell.source = "pass"
    write_grading(tmp_path)
    for who, notebook in (("ada", answered), ("mallory", cheated)):
        (tmp_path / f"submitted/{who}/{name}").mkdir(parents=True)
        nbformat.write(notebook, tmp_path / f"submitted/{who}/{name}/{name}.ipynb")
    for words in (["generate_assignment", "--create", name], ["autograde", name], ["export"]):
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", *words], cwd=tmp_path, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr[-2000:]
    released = (tmp_path / f"release/{name}/{name}.ipynb").read_text()
    assert "plain_squared_distance(a.view(1, 1, 2), b.view(1, 1, 2), 64)" in released  # a check, which students see
    assert "random ends" not in released and "along @ along" in released  # a hidden one; the check of 3.4 shows this
    assert "meshgrid" not in released and "Rubric" not in released
    header, *rows = (line.split(",") for line in (tmp_path / "grades.csv").read_text().splitlines())
    scores = {row[header.index("student_id")]: float(row[header.index("score")]) for row in rows}
    whole = sum(int(h[5]) for h in HEADINGS if h[1].startswith("3.") and h[2] != "project")
    assert scores == {"ada": whole, "mallory": 0.0}


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


@EACH
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


@EACH
def test_the_solved_notebook_ran_through(path):
    cells = nbformat.read(ROOT / "results/smoke/exercises" / path.name, 4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    assert sum(tagged(cell, "check") for cell in code) == sum(tagged(c, "check") for c in nbformat.read(path, 4).cells)
    assert not any(output.output_type == "error" for cell in code for output in cell.outputs)
