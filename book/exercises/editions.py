"""Two editions of a notebook of exercises: ``student``, with the cells to fill in, and ``solved``, with the solutions
in their place.

::

    python book/exercises/editions.py student book/exercises/03_renderer.ipynb out.ipynb
    python book/exercises/editions.py hand-out exercises

A cell tagged ``stub`` is what students get; ``solution`` what takes its place; ``check`` tells whether it is right.
"""

import copy
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

LEFT_OUT = {"student": "solution", "solved": "stub"}


def tagged(cell: NotebookNode, tag: str) -> bool:
    return tag in cell.metadata.get("tags", [])


def edition(notebook: NotebookNode, kind: str) -> NotebookNode:
    """The notebook without the other edition's cells."""
    made = copy.deepcopy(notebook)
    made.cells = [cell for cell in made.cells if not tagged(cell, LEFT_OUT[kind])]
    return made


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
    else:
        kind, source, out = sys.argv[1:]
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(edition(nbformat.read(source, 4), kind), out)
