"""The book builds without warnings from executed notebooks, and shows their numbers. Needs `make smoke` first."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urldefrag

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "results/smoke"
NOTEBOOKS = ("train", "ablate", "visualise", "breaks", "play", "evidence", "own_video")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("book")
    for name in ("book", "data/pictures", "data/runs", "kp", "results/smoke"):
        shutil.copytree(ROOT / name, folder / name.replace("results/smoke", "results"))
    for name in ("_config.yml", "_toc.yml", "data/README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder / name)
    command = [str(Path(sys.executable).parent / "jupyter-book"), "build", str(folder), "-W", "-n", "--keep-going"]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    return folder / "_build/html"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_ran_without_error_and_left_numbers_and_figures(name):
    cells = nbformat.read(SMOKE / f"{name}.ipynb", 4).cells
    assert all(c.execution_count for c in cells if c.cell_type == "code")
    assert "provenance" in json.loads((SMOKE / name / "numbers.json").read_text())
    assert list((SMOKE / name).glob("*.png"))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_is_committed_without_outputs_and_has_parameters(name):
    notebook = nbformat.read(ROOT / f"book/{name}.ipynb", 4)
    assert not any(c.get("outputs") for c in notebook.cells)
    assert sum("parameters" in c.metadata.get("tags", []) for c in notebook.cells) == 1


def test_prose_shows_the_numbers_of_the_run(site):
    numbers = json.loads((SMOKE / "train/numbers.json").read_text())
    evidence = json.loads((SMOKE / "evidence/numbers.json").read_text())
    shown = lambda page: re.findall(r'pasted-text">([^<]*)<', (site / page).read_text())
    assert f"{numbers['raw']:.2f}" in shown("book/index.html")
    assert f"{numbers['steps']:.0f}" in shown("book/index.html")
    assert f"{numbers['regressor_floor']:.2f}" in shown("book/regressor.html")
    assert f"{evidence['leak_y_of_full']:.2f}" in shown("book/leakage.html")
    assert f"{evidence['headline_full']:.2f}" in shown("book/claims.html")


def test_every_link_and_picture_of_every_page_exists(site):
    pages = [p for p in site.rglob("*.html") if "_static" not in p.parts]
    assert len(pages) > 15
    for page in pages:
        for target in re.findall(r'(?:href|src)="([^"]+)"', page.read_text()):
            path = unquote(urldefrag(target)[0]).split("?")[0]
            if path and ":" not in path:
                assert (page.parent / path).exists(), f"{page.name} → {target}"
