"""What a notebook does before its first line, in a kernel as papermill and Jupyter start it."""

import os
from pathlib import Path

import nbformat
import papermill
import pytest
from papermill.exceptions import PapermillExecutionError

import kp
from kp.course.notebook import begin, go_to_top
from kp.errors import KpError

TOP = Path(__file__).parents[2]
PARAMETERS = 'seed = 0\nsteps = 300  # or fewer\nbackground = False\nrun = "runs/x"\nprecision = "auto"\n'


def executed(folder, monkeypatch, code="", cwd=None, **parameters):
    """Run a notebook with papermill; the text that its last cell printed, and how many pictures it shows."""
    book = nbformat.v4.new_notebook(metadata={"language_info": {"name": "python"}})
    book.cells = [nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})]
    book.cells.append(nbformat.v4.new_code_cell(f"from kp.course.notebook import begin\nbegin(globals())\n{code}"))
    nbformat.write(book, folder / "a.ipynb")
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    done = papermill.execute_notebook(
        folder / "a.ipynb", folder / "o.ipynb", parameters, kernel_name="python3", cwd=cwd or folder, progress_bar=False
    )
    outputs = done.cells[-1].outputs
    text = "".join(o.get("text", "") for o in outputs)
    return text, sum("image/png" in o.get("data", {}) for o in outputs)


def test_goes_to_the_folder_that_holds_the_book(tmp_path, monkeypatch):
    (tmp_path / "book/exercises").mkdir(parents=True)
    (tmp_path / "book/train.ipynb").touch()
    for opened_in in ("book/exercises", "book", "."):
        monkeypatch.chdir(tmp_path / opened_in)
        assert go_to_top() == tmp_path and os.getcwd() == str(tmp_path)


def test_says_which_kp_it_runs(tmp_path, monkeypatch, capsys):
    """Of two clones with one environment, the notebook lies in the one, kp in the other."""
    (tmp_path / "book").mkdir()
    (tmp_path / "book/train.ipynb").touch()
    monkeypatch.chdir(tmp_path)
    go_to_top()
    assert capsys.readouterr().out == f"this notebook, of {tmp_path}, runs the kp of {TOP / 'kp'}\n"


def test_finds_the_repository_from_any_folder_or_says_that_there_is_none(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert go_to_top() == TOP and os.getcwd() == str(TOP) and capsys.readouterr().out == ""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kp, "__file__", str(tmp_path / "site-packages/kp/__init__.py"))
    assert go_to_top() == tmp_path and os.getcwd() == str(tmp_path)
    assert capsys.readouterr().out == f"no repository of kp here: paths begin at {tmp_path}\n"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"steps": 6.5}, "steps is 6.5; it must be a whole number"),
        ({"steps": -1}, "steps is -1; it must be at least 0"),
        ({"precision": "bf16"}, "precision is 'bf16'; it must be one of 'auto', 'float32' or 'bfloat16'"),
        ({"background": "perhaps"}, "background is 'perhaps'; it must be true or false"),
        ({"dataset": "peple"}, "dataset is 'peple'; it must be one of 'people', 'circle' or 'faces'"),
        ({"preset": "huge"}, "preset is 'huge'; it must be one of"),
        ({"seed": "x"}, "seed is 'x'; it must be a whole number"),
    ],
    ids=str,
)
def test_values_that_no_parameter_has(names, message, monkeypatch):
    monkeypatch.chdir(TOP)
    with pytest.raises(KpError, match=f"^{message}"):
        begin(names)


def test_text_becomes_what_it_means(monkeypatch):
    """As papermill passes ``-p background false``, ``-r steps 6`` and paths from a file of parameters."""
    monkeypatch.chdir(TOP)
    names = {"background": "false", "steps": "6", "run": "~/x", "other": 3, "model": begin}
    begin(names)
    assert names == {
        "background": False, "steps": 6, "run": os.path.expanduser("~/x"), "other": 3, "model": begin,
    }  # fmt: skip


def test_papermill_passes_parameters_that_the_notebook_has(tmp_path, monkeypatch):
    text, _ = executed(tmp_path, monkeypatch, "print(seed, steps, background, precision)", seed="7", background="False")
    assert text == "7 300 False auto\n"
    for wrong, near in ({"Seed": 7}, "seed"), ({"step": 6}, "steps"):
        with pytest.raises(PapermillExecutionError, match=f"no parameter '{next(iter(wrong))}'; did you mean {near}?"):
            executed(tmp_path, monkeypatch, **wrong)


def test_figures_show_whatever_backend_and_style_are_exported(tmp_path, monkeypatch):
    """Clusters export MPLBACKEND=Agg; people have a matplotlibrc."""
    (tmp_path / "matplotlibrc").write_text("figure.facecolor: red\nfont.size: 40\n")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path / "matplotlibrc"))
    code = "import matplotlib.pyplot as plt\nprint(plt.rcParams['figure.facecolor'], plt.rcParams['font.size'])\n"
    text, pictures = executed(tmp_path, monkeypatch, code + "plt.plot([1, 2]); plt.show()")
    assert text == "white 9.0\n" and pictures == 1


def test_every_notebook_begins_so():
    for path in sorted(
        {*TOP.glob("book/*.ipynb"), *TOP.glob("book/exercises/*.ipynb")} - {TOP / "book/first_hour.ipynb"}
    ):
        cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
        parameters = next(i for i, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", []))
        assert "\nbegin(globals())" in cells[parameters + 1].source, path
