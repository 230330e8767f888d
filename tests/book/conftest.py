"""The book built from the smoke notebooks, once, with exercises in the edition that students get."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "results/smoke"


def pytest_collection_modifyitems(items):
    """Workers share the tests by file, and those in the browser one by one: each looks at all pages."""
    for item in items:
        if item.path.parent == ROOT / "tests/book":
            item.add_marker(pytest.mark.xdist_group(item.name if item.path.stem == "test_browser" else item.path.stem))


@pytest.fixture(scope="session")
def site(tmp_path_factory, worker_id):
    """The folder of the pages. One worker builds it, and the others wait."""
    shared = tmp_path_factory.getbasetemp()
    folder = (shared if worker_id == "master" else shared.parent) / "book"
    with FileLock(f"{folder}.lock"):
        if not (folder / "built").exists():
            build(folder)
            (folder / "built").touch()
    return folder / "_build/html"


def build(folder: Path) -> None:
    """The book, in a folder of its own."""
    for name in ("book", "data/pictures", "data/runs", "kp", "results/smoke"):
        shutil.copytree(
            ROOT / name, folder / name.replace("results/smoke", "results"), ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("_config.yml", "_toc.yml", "data/README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder / name)
    for source in sorted((ROOT / "book/exercises").glob("*.ipynb")):
        made = folder / "results/exercises" / source.name
        subprocess.run(
            [sys.executable, str(ROOT / "book/exercises/editions.py"), "student", str(source), str(made)], check=True
        )
    command = [str(Path(sys.executable).parent / "jupyter-book"), "build", str(folder), "-W", "-n", "--keep-going"]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]


@pytest.fixture(scope="session")
def pages(site):
    """Every page that a reader can open, as paths below the site; the highlighted source code left out."""
    found = sorted(p.relative_to(site).as_posix() for p in site.rglob("*.html"))
    # that one leads to book/index.html
    return [p for p in found if not p.startswith(("_static", "_modules")) and p != "index.html"]


@pytest.fixture(scope="session")
def numbers():
    return lambda name: json.loads((SMOKE / name / "numbers.json").read_text())
