"""The students' edition: a folder, and an archive of it, that need no repository.

::

    python book/exercises/students.py _build/students

It holds the first hour, the exercises without solutions and hidden checks, ``course`` (what they import), the data that
they read, and the wheel.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from editions import edition
from nbformat import NotebookNode

ROOT = Path(__file__).parents[2]
DATA = (
    "data/people", "data/faces", "data/flies", "data/hand", "data/README.md", "data/pictures/gap.png",
    "data/runs/peers/supervised*.json", "data/runs/headline/full_*.json", "data/runs/flies/reader_first_seed0.npz",
    "data/runs/flies/mean_pose_first_seed0.npz", "data/runs/steps12000/*.json", "data/runs/steps12000/weights",
)  # fmt: skip
"""What the exercises read, of the repository."""

README = """# Keypoints from unlabelled video: the students' edition

Everything for the course, without the repository: `00_first_hour.ipynb`, twelve notebooks of exercises, the data that
they read, and the package itself. You need Python 3.11 or newer and 2 GB of disk. In this folder:

    python3 -m venv env
    source env/bin/activate          # Windows: env\\Scripts\\activate
    pip install --extra-index-url https://download.pytorch.org/whl/cpu -r requirements.txt
    jupyter lab 00_first_hour.ipynb

The extra index keeps pip on Linux from fetching several GB of CUDA; elsewhere it does no harm. The first hour begins
with a joint that you move yourself. Then read a chapter, and open the notebook of its number. Fill in the cells that
say `...`, run them, then run the check below each: it says what is wrong. Files that you write stay in this folder.

Text and figures: CC BY 4.0. Code: MIT. Data: see data/README.md.
"""
REQUIREMENTS = ["jupyterlab", "ipywidgets", "scipy"]


def beside_the_wheel(text: str) -> str:
    """Text of a notebook or module that imports ``course``, which the wheel does not hold, from this folder."""
    return re.sub(r"\bkp\.course\b", "course", text)


def without_the_book(text: str) -> str:
    """Links to pages of the book become their words; those to data lead to this folder's."""
    text = re.sub(r"(?<!!)\[([^\]]+)\]\(\.\./[^)]*\.(?:md|ipynb)[^)]*\)", r"\1", text)
    return text.replace("../../data/", "data/")


def student_notebook(notebook: NotebookNode) -> NotebookNode:
    made = edition(notebook, "student")
    for cell in made.cells:
        cell.source = (beside_the_wheel if cell.cell_type == "code" else without_the_book)(cell.source)
    return made


def write(out: Path, wheel: Path) -> None:
    """The folder ``out``, which must not exist, with ``wheel`` in it."""
    out.mkdir(parents=True)
    for source in sorted((ROOT / "book/exercises").glob("*.ipynb")):
        nbformat.write(student_notebook(nbformat.read(source, 4)), out / source.name)
    shutil.copy(ROOT / "book/first_hour.ipynb", out / "00_first_hour.ipynb")
    for source in sorted((ROOT / "kp/course").rglob("*")):
        if source.suffix in (".py", ".js", ".css"):
            target = out / "course" / source.relative_to(ROOT / "kp/course")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(beside_the_wheel(source.read_text()))
    for pattern in DATA:
        for source in sorted(ROOT.glob(pattern)):
            target = out / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    shutil.copy(wheel, out)
    (out / "README.md").write_text(README)
    shutil.copy(ROOT / "requirements.txt", out / "constraints.txt")  # the versions that the book was made with
    (out / "requirements.txt").write_text("\n".join(["-c constraints.txt", f"./{wheel.name}", *REQUIREMENTS]) + "\n")


def build_wheel(place: Path) -> Path:
    """The package's wheel, built into the folder ``place``."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(place), str(ROOT)], check=True)
    (wheel,) = place.glob("*.whl")
    return wheel


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    built = folder.with_name(folder.name + "_wheel")
    shutil.rmtree(built, ignore_errors=True)
    write(folder, build_wheel(built))
    shutil.rmtree(built)
    archive = Path(shutil.make_archive(str(folder), "zip", folder.parent, folder.name))
    print(f"{folder}/, and as an archive {archive}: {archive.stat().st_size / 2**20:.0f} MiB, no solutions in it")
