"""What a notebook of the book needs before its first line: to stand in the repository's top folder, wherever it was
opened.
"""

import os
from pathlib import Path

from kp.distributed import leave_a_core
from kp.figures import use_style


def go_to_top() -> Path:
    """Give figures kp's look, leave a core to others, and make the repository's top folder the current one, so that
    ``data/people`` means the same in every notebook; returns it.

    Jupyter and VS Code start a kernel in the notebook's own folder, papermill where it is called. The top is the
    nearest folder, from the current one upward, that holds ``book/train.ipynb``; where there is none, the current
    folder stays.
    """
    here = Path.cwd()
    top = next((folder for folder in (here, *here.parents) if (folder / "book/train.ipynb").is_file()), here)
    os.chdir(top)
    use_style()
    leave_a_core()
    return top
