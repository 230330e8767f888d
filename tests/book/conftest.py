"""The book built from the smoke notebooks, once, with exercises in the edition that students get."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "results/smoke"


def pytest_collection_modifyitems(items):
    """Of several workers, one builds the book and has all tests that look at it; the others have the rest by file."""
    for item in items:
        if item.path.parent == ROOT / "tests/book":
            item.add_marker(pytest.mark.xdist_group("site" if "site" in item.fixturenames else item.path.stem))


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("book")
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
    return folder / "_build/html"


@pytest.fixture(scope="session")
def pages(site):
    """Every page that a reader can open, as paths below the site; the highlighted source code left out."""
    found = sorted(p.relative_to(site).as_posix() for p in site.rglob("*.html"))
    # that one leads to book/index.html
    return [p for p in found if not p.startswith(("_static", "_modules")) and p != "index.html"]


@pytest.fixture(scope="session")
def numbers():
    return lambda name: json.loads((SMOKE / name / "numbers.json").read_text())
