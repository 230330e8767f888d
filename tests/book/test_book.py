"""The book builds without warnings from executed notebooks, and shows their numbers. Needs `make smoke` first."""

import json
import re
import zipfile
from pathlib import Path
from urllib.parse import unquote, urldefrag

import nbformat
import pytest

from kp.config import PRESETS

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "results/smoke"
CHAPTERS = (ROOT / "_toc.yml").read_text().split("caption: The course")[1].split("caption: The runs")[0]
CHAPTERS = re.findall(r"file: book/(\w+)", CHAPTERS)
NOTEBOOKS = ("train", "ablate", "visualise", "breaks", "play", "leak", "evidence", "own_video", "cardboard")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_ran_without_error_and_left_numbers_and_figures(name):
    cells = nbformat.read(SMOKE / f"{name}.ipynb", 4).cells
    assert all(c.execution_count for c in cells if c.cell_type == "code")
    assert "provenance" in json.loads((SMOKE / name / "numbers.json").read_text())
    assert [path for path in (SMOKE / name).iterdir() if path.suffix in (".png", ".svg")]
    for cell in cells:
        if "alt" in cell.metadata.get("mystnb", {}).get("image", {}) and not cell.source.startswith("if "):
            assert any("image/png" in o.get("data", {}) for o in cell.outputs), f"no picture of: {cell.source[:80]}"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_is_committed_without_outputs_and_has_parameters(name):
    notebook = nbformat.read(ROOT / f"book/{name}.ipynb", 4)
    assert not any(c.get("outputs") for c in notebook.cells)
    assert sum("parameters" in c.metadata.get("tags", []) for c in notebook.cells) == 1


def test_prose_shows_the_numbers_of_the_run(site):
    numbers = json.loads((SMOKE / "train/numbers.json").read_text())
    evidence = json.loads((SMOKE / "evidence/numbers.json").read_text())

    def shown(page):
        return re.findall(r'pasted-text">([^<]*)<', (site / page).read_text())

    assert f"{numbers['raw']:.2f}" in shown("book/index.html")
    assert f"{numbers['regressor_floor']:.2f}" in shown("book/regressor.html")
    leak = json.loads((SMOKE / "leak/numbers.json").read_text())
    assert f"{leak['alone_128_hue']:.2f}" in shown("book/leakage.html")
    assert f"{evidence['grid_full']:.2f}" in shown("book/claims.html")


def test_every_link_and_picture_of_every_page_exists(site):
    pages = [p for p in site.rglob("*.html") if "_static" not in p.parts]
    assert len(pages) > 15
    for page in pages:
        for target in re.findall(r'(?:href|src)="([^"]+)"', page.read_text()):
            path = unquote(urldefrag(target)[0]).split("?")[0]
            if path.endswith("downloads/students.zip"):  # made after the pages, from the wheel
                assert "cp _build/students.zip _build/html/downloads/" in (ROOT / "Makefile").read_text()
            elif path and ":" not in path:
                assert (page.parent / path).exists(), f"{page.name} → {target}"


@pytest.mark.parametrize("name", [*NOTEBOOKS, "speed", "study"])
def test_executed_pages_say_where_they_come_from(site, name):
    page = (site / f"results/{name}.html").read_text()
    footer = re.search(r'<aside class="provenance".*?</aside>', page, re.S)[0]
    assert "<p>With " in footer and "/tmp" not in footer
    assert re.search(
        r"Run in [0-9.]+ minutes on .+ · threads \d+ · torch \S+ · kp \S+ · commit \S+ · date 20\d\d-\d\d-\d\d\.",
        footer,
    )
    assert f"papermill book/{name}.ipynb out.ipynb" in footer
    assert "colab" not in footer  # no repository was named


def test_buttons_appear_where_a_repository_is_named(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book/_ext"))
    from provenance import buttons

    monkeypatch.delenv("KP_REPOSITORY", raising=False)
    assert buttons("book/train.ipynb") == ""
    monkeypatch.setenv("KP_REPOSITORY", "someone/kp")
    made = buttons("book/train.ipynb")
    assert 'href="https://colab.research.google.com/github/someone/kp/blob/main/book/train.ipynb"' in made
    assert 'href="https://mybinder.org/v2/gh/someone/kp/main?labpath=book/train.ipynb"' in made
    assert "git clone -q https://github.com/someone/kp kp" in made


def test_every_figure_that_a_notebook_drew_says_which(site):
    for name in CHAPTERS:
        page = (site / f"book/{name}.html").read_text()
        source = (ROOT / f"book/{name}.md").read_text()
        drawn = re.findall(r"```{figure} \.\./results/(\w+)/", source)
        named = re.findall(r'Drawn by <a class="reference internal" href="\.\./results/(\w+)\.html">', page)
        assert sorted(named) == sorted(drawn), name


def test_presets_and_parameters_are_listed(site):
    page = (site / "book/rerun.html").read_text()
    for words in (*PRESETS, "30,000 × 16", "student_steps", "first or second"):
        assert words in page


def test_the_table_of_figures_says_what_draws_each(site):
    page = (site / "book/status.html").read_text()
    rows = [row for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL) if ".html#fig-" in row]
    assert len(rows) > 50
    for row in rows:
        assert "papermill book/" in row or "ships with kp: " in row, row


def test_the_table_of_costs_adds_up(site):
    page = (site / "book/rerun.html").read_text()
    rows = [re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)]
    costs = {row[0]: float(row[2]) for row in rows if len(row) == 5 and re.fullmatch(r"[\d.]+", row[2])}
    assert costs["<code>steps12000</code>"] > 10
    assert abs(costs.pop("all") - sum(costs.values())) < 0.1 * len(costs)


def test_what_a_teacher_takes_away(site):
    with zipfile.ZipFile(site / "downloads/figures.zip") as archive:
        assert {"results/visualise/method.png", "results/train/curves.svg", "data/pictures/test.png"} <= set(
            archive.namelist()
        )


def test_a_picture_without_words_is_a_warning(monkeypatch, caplog):
    monkeypatch.syspath_prepend(str(ROOT / "book/_ext"))
    from docutils import nodes
    from docutils.utils import new_document
    from offline import want_words

    document = new_document("page")
    document += nodes.image(uri="told.png", alt="a person")
    with caplog.at_level("WARNING"):
        want_words(None, document, "page")
        assert not caplog.messages
        document += nodes.image(uri="a/mute.png")
        want_words(None, document, "page")
    assert caplog.messages == ["page: the picture mute.png has no alternative text"]


def test_the_status_page_lists_every_notebook(site):
    page = (site / "book/status.html").read_text()
    assert page.count("ran through") == 12 and page.count("not run: for you to fill in") == 12
    exercise = (site / "results/exercises/03_renderer.html").read_text()
    assert 'href="../../_sources/results/exercises/03_renderer.ipynb" download' in exercise
    assert "failed" not in page


def test_chapters_stand_in_one_form(site):
    assert len(CHAPTERS) == 12
    for name in CHAPTERS:
        page = (site / f"book/{name}.html").read_text()
        for part in ("The question", "highlight-python", "What goes wrong", "Further reading", "Exercises"):
            assert part in page, f"{name}: {part}"
        assert (site / f"slides/{name}.html").exists()


def test_most_notebooks_are_compared_with_what_they_said_before():
    """nbval runs them a second time; what a tagged cell says must be the same."""
    compared = [
        path.stem
        for path in sorted((ROOT / "book").glob("*.ipynb"))
        if any("nbval-check-output" in cell.metadata.get("tags", []) for cell in nbformat.read(path, 4).cells)
    ]
    assert len(compared) >= 7
