"""Editions of a notebook of exercises: ``student``, with the cells to fill in; ``solved``, with the solutions in their
place; ``graded``, the source of an nbgrader assignment, with the solutions marked and the hidden checks.

::

    python book/exercises/editions.py student book/exercises/03_renderer.ipynb out.ipynb
    python book/exercises/editions.py hand-out exercises
    python book/exercises/editions.py grading _build/grading

A cell tagged ``stub`` is what students get; ``solution`` what takes its place; ``check`` tells whether it is right;
``hidden`` is a check that only graders have. A written answer's ``solution`` ends with a rubric whose points are added
up by a machine, so each reads ``2 points: …``.
"""

import copy
import re
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

LEFT_OUT = {"student": {"solution", "hidden"}, "solved": {"stub"}}
HEADING = re.compile(r"^## (\d+\.\d+) · .+ \((easy|medium|project), (\d+) (minutes|hours), (\d+) points\)$", re.M)
RUBRIC = re.compile(r"\*\*Rubric\.\*\*(.+)", re.S)
CONFIG = """c = get_config()
c.CourseDirectory.course_id = "keypoints"
c.ClearSolutions.code_stub = {"python": "# Write your answer here, in the place of what stands above."}
c.ClearSolutions.text_stub = "*Your answer.*"
c.ExecutePreprocessor.timeout = 600
"""


def tagged(cell: NotebookNode, tag: str) -> bool:
    return tag in cell.metadata.get("tags", [])


def edition(notebook: NotebookNode, kind: str) -> NotebookNode:
    """The notebook without the cells that ``kind``, student or solved, leaves out. What is left carries the marks by
    which nbgrader grades it.
    """
    made = marked(notebook)
    made.cells = [cell for cell in made.cells if not LEFT_OUT[kind] & set(cell.metadata.get("tags", []))]
    return made


def exercises(notebook: NotebookNode) -> dict[str, list[NotebookNode]]:
    """The cells of each exercise, by its number; the heading is the first."""
    found: dict[str, list[NotebookNode]] = {}
    number = None
    for cell in notebook.cells:
        heading = HEADING.search(cell.source) if cell.cell_type == "markdown" else None
        number = heading[1] if heading else number
        if number:
            found.setdefault(number, []).append(cell)
    return found


def rubric_points(cells: list[NotebookNode]) -> int:
    """What an exercise's rubric gives; 0 if it has none."""
    texts = [RUBRIC.search(cell.source) for cell in cells if tagged(cell, "solution") and cell.cell_type == "markdown"]
    return sum(int(points) for text in texts if text for points in re.findall(r"(\d+) points?:", text[1]))


def marked(notebook: NotebookNode) -> NotebookNode:
    """A copy whose cells say to nbgrader what they are: answers, checks with their points, and code that is given.

    A check is worth what its exercise's rubric leaves of the points in the heading.
    """
    made = copy.deepcopy(notebook)
    for i, cell in enumerate(made.cells):
        if cell.cell_type == "code" and not cell.metadata.get("tags"):
            _mark(cell, f"given-{i}", locked=True)
    for number, cells in exercises(made).items():
        heading = HEADING.search(cells[0].source)
        assert heading
        written = rubric_points(cells)
        for cell in cells:
            if tagged(cell, "check"):
                _mark(cell, f"{number}-check", grade=True, locked=True, points=int(heading[5]) - written)
            elif tagged(cell, "stub") or tagged(cell, "solution"):
                if cell.cell_type == "code":
                    _mark(cell, f"{number}-answer", solution=True)
                else:
                    _mark(cell, f"{number}-text", solution=True, grade=True, points=written)
    return made


def graded(notebook: NotebookNode) -> NotebookNode:
    """An assignment's source for nbgrader: ``nbgrader generate_assignment`` takes solutions and hidden checks out."""
    made = marked(notebook)
    for cells in exercises(made).values():
        stub, solution, check, hidden = (
            next((cell for cell in cells if tagged(cell, tag) and cell.cell_type == "code"), None)
            for tag in ("stub", "solution", "check", "hidden")
        )
        if stub and solution:
            solution.source = f"{stub.source}\n### BEGIN SOLUTION\n{solution.source}\n### END SOLUTION"
        if check and hidden:
            check.source += f"\n### BEGIN HIDDEN TESTS\n{hidden.source}\n### END HIDDEN TESTS"
    made.cells = [cell for cell in made.cells if not tagged(cell, "stub") and not tagged(cell, "hidden")]
    return made


def _mark(cell: NotebookNode, name: str, **what: bool | int) -> None:
    given = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3} | what
    cell.metadata["nbgrader"] = given | {"grade_id": name.replace(".", "-"), "cell_type": cell.cell_type}


def write_grading(folder: Path) -> list[Path]:
    """The course folder of nbgrader: its configuration, and the source of every assignment; returns these."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "nbgrader_config.py").write_text(CONFIG)
    written = []
    for source in sorted(Path(__file__).parent.glob("*.ipynb")):
        out = folder / "source" / source.stem / source.name
        out.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(graded(nbformat.read(source, 4)), out)
        written.append(out)
    return written


def hand_out(folder: Path) -> list[Path]:
    """Write every student edition that ``folder`` does not hold yet; what is there, with its answers, stays.

    Returns what was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [
        source for source in sorted(Path(__file__).parent.glob("*.ipynb")) if not (folder / source.name).exists()
    ]
    for source in missing:
        nbformat.write(edition(nbformat.read(source, 4), "student"), folder / source.name)
    return [folder / source.name for source in missing]


if __name__ == "__main__":
    if sys.argv[1] == "hand-out":
        written = hand_out(Path(sys.argv[2]))
        print(
            f"{sys.argv[2]}/: {len(written)} notebooks written; those that were there stay as they are. "
            "Open them with: make lab"
        )
    elif sys.argv[1] == "grading":
        print(f"{sys.argv[2]}/: the source of {len(write_grading(Path(sys.argv[2])))} assignments for nbgrader")
    else:
        kind, source, out = sys.argv[1:]
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(edition(nbformat.read(source, 4), kind), out)
