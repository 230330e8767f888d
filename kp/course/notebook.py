"""What a notebook of the book needs before its first line: to stand in the repository's top folder, wherever it was
opened; figures that show; and parameters that are what they should be.
"""

import ast
import os
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import matplotlib.pyplot as plt
from IPython.core.getipython import get_ipython
from pydantic import AfterValidator, Field

import kp
from kp.config import DATASETS, PRESETS, Config, Data, Optimizer
from kp.distributed import leave_a_core
from kp.figures import use_style
from kp.validation import check_names, check_value

Place = Annotated[str, AfterValidator(os.path.expanduser)]


def _field(settings: type, name: str) -> Any:
    """What a field of the configuration must be."""
    return get_type_hints(settings, include_extras=True)[name]


KINDS: dict[str, Any] = {
    "dataset": Literal[tuple(DATASETS)],
    "preset": Literal[tuple(PRESETS)],
    "precision": _field(Optimizer, "precision"),
    "seed": _field(Config, "seed"),
    "background": _field(Data, "background"),
    "interactive": bool,
    "cameras": Literal[3, 4],
    "fly": Literal["first", "second"],
    "core_hour": Annotated[float, Field(ge=0)],
}
KINDS |= dict.fromkeys(("prior", "source", "device", "setting", "reference", "variants", "poses", "start"), str)
PLACES = ("videos", "circle", "records", "run", "out", "pretrained", "ablations", "footage", "flies")
KINDS |= dict.fromkeys(PLACES, Place)
KINDS |= dict.fromkeys(("steps", "probe_steps", "mask_steps", "student_steps"), _field(Optimizer, "steps"))
KINDS |= {"pretrain_steps": _field(Optimizer, "pretrain_steps"), "model": Place}
"""Parameter of a notebook → what it must be, as the configuration has it where it stands there."""


def begin(names: dict[str, Any]) -> Path:
    """Begin a notebook: ``begin(globals())`` in the first cell after its parameters; returns the top folder.

    Parameters in ``names`` are checked, and turned into their kind: papermill passes "false" and "6" on as text.
    KpError for a value that cannot be, and for a name that the notebook does not have.
    """
    declared, passed = _parameters()
    if declared:
        check_names(passed, declared, "parameter")
    for name in KINDS.keys() & (declared or names.keys()):
        if isinstance(names[name], str | float | int | None):  # else a notebook's own, of the same name
            names[name] = check_value(KINDS[name], names[name], name)
    return go_to_top()


def _parameters() -> tuple[set[str], set[str]]:
    """Names that the parameters' cell sets, and those that papermill set in the cell after it; nothing if there was no
    papermill.
    """
    shell = get_ipython()
    cells = [cell for cell in (shell.user_ns.get("In", []) if shell else []) if cell.strip()]
    injected = next((i for i in reversed(range(1, len(cells))) if cells[i].startswith("# Parameters")), None)
    return (set(), set()) if injected is None else (_assigned(cells[injected - 1]), _assigned(cells[injected]))


def _assigned(cell: str) -> set[str]:
    nodes = (node for node in ast.parse(cell).body if isinstance(node, ast.Assign))
    return {target.id for node in nodes for target in node.targets if isinstance(target, ast.Name)}


def go_to_top() -> Path:
    """Give figures kp's look, and show them below their cells whatever backend the shell exports; leave a core to
    others; and make the top folder of the repository, or of a students' edition, the current one, so that
    ``data/people`` means the same in every notebook; returns it.

    Jupyter and VS Code start a kernel in the notebook's own folder, papermill where it is called. The top is the
    nearest folder, from the current one upward, that is a repository (it holds ``book/train.ipynb``) or a students'
    edition (it holds ``course/notebook.py``), else the one that holds kp's code; where there is none, the current
    folder stays, and a line says so.
    """
    here, code = Path.cwd(), Path(kp.__file__).resolve().parent
    top = next((folder for folder in (here, *here.parents, code.parent) if _is_top(folder)), None)
    if top is None:
        print(f"no repository of kp here: paths begin at {here}")
    elif _is_top(code.parent) and code.parent != top.resolve():
        print(f"this notebook, of {top}, runs the kp of {code}")
    os.chdir(top or here)
    plt.style.use("default")  # not other people's matplotlibrc
    if (shell := get_ipython()) is not None and hasattr(shell, "kernel"):
        shell.run_line_magic("matplotlib", "inline")
    use_style()
    leave_a_core()
    return top or here


def _is_top(folder: Path) -> bool:
    return any((folder / mark).is_file() for mark in ("book/train.ipynb", "course/notebook.py"))
