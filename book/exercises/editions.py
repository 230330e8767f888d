"""Two editions of a notebook of exercises: ``student``, with the cells to fill in, and ``solved``, with the solutions in their place.

::

    python book/exercises/editions.py student book/exercises/03_renderer.ipynb out.ipynb

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


if __name__ == "__main__":
    kind, source, out = sys.argv[1:]
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(edition(nbformat.read(source, 4), kind), out)
