"""Figures in a notebook: every cell that makes one shows it, also where kp's is the first of the session."""

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = (
    "import torch\nfrom kp.figures import grid",
    "grid([('', [lambda axis: axis.plot([0, 1])])]);",
    "grid([('', [lambda axis: axis.plot([0, 1])])]);",
    "import matplotlib.pyplot as plt\nplt.plot([0, 1]);",
)


@pytest.mark.filterwarnings("ignore")
def test_every_figure_is_shown(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    shown = [sum("image/png" in output.get("data", {}) for output in cell.outputs) for cell in notebook.cells]
    assert shown == [0, 1, 1, 1]
