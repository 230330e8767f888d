"""Under every executed page: with what it was run, when, on what, and how to run it again. Under every figure of a
chapter: which of them drew it. And a page that lists them all.

Buttons for Colab and Binder appear where the environment variable KP_REPOSITORY says ``owner/name`` (the publishing
workflow does).
"""

import ast
import hashlib
import html
import json
import os
import re
from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.util.docutils import SphinxDirective

SHOWN = ("processor", "threads", "torch", "kp", "commit", "date")


TO_FILL_IN = (
    '<aside class="provenance" aria-label="How to fill this in"><p>To fill in: '
    "<code>make exercises lab</code> in a clone of "
    "the repository, or "
    '<a href="{up}_sources/{name}.ipynb" download>this notebook alone</a>.</p></aside>'
)


def up(name: str) -> str:
    """From a page to the top of the site."""
    return "../" * name.count("/")


def given(notebook: dict) -> dict:
    """All parameters: those of the notebook's own cell, with what papermill was given in their place.

    Folders by their last name.
    """
    own = {}
    for cell in notebook["cells"]:
        if "parameters" in cell["metadata"].get("tags", []):
            for line in ast.parse("".join(cell["source"])).body:
                own[line.targets[0].id] = ast.literal_eval(line.value)
    own |= notebook["metadata"]["papermill"]["parameters"]
    return {k: Path(v).name if str(v).startswith("/") else v for k, v in own.items()}


def checksum(root: Path, parameters: dict) -> str:
    """The first letters of the sum of a data set's SHA256SUMS, "" where it is not beside the book."""
    path = root / "data" / Path(parameters.get("videos") or "none").name / "SHA256SUMS"
    return f"{path.parent.name} {hashlib.sha256(path.read_bytes()).hexdigest()[:12]}" if path.exists() else ""


@cache  # a page asks for those of each figure that it shows
def facts(path: Path) -> dict | None:
    """Of an executed notebook:

    parameters, minutes, provenance, whether it ran without error. None if nothing was run.
    """
    notebook = json.loads(path.read_text())
    run = notebook["metadata"].get("papermill")
    if not run:
        return None
    outputs = [o for c in notebook["cells"] if c["cell_type"] == "code" for o in c.get("outputs", [])]
    texts = ["".join(o.get("data", {}).get("text/plain", "")) for o in outputs]
    provenance = next((t for t in reversed(texts) if t.startswith("{'processor'")), "{}")
    return {
        "parameters": given(notebook),
        "passed": {k: v for k, v in run["parameters"].items() if not str(v).startswith("/")},
        "minutes": (run.get("duration") or 0) / 60,
        "failed": any(o["output_type"] == "error" for o in outputs),
        "provenance": ast.literal_eval(provenance),
    }


def drawn_by(figure: nodes.figure, root: Path) -> Path | None:
    """The executed notebook that drew a figure, if one did."""
    image = next(figure.findall(nodes.image), None)
    drawn = re.match(r"(?:\.\./)*results/(\w+)/", image["uri"]) if image else None
    path = root / f"results/{drawn[1]}.ipynb" if drawn else None
    return path if path and path.exists() else None


def command(source: str, found: dict) -> str:
    """What runs a notebook again as it ran, but for its folders."""
    given = " ".join(f"-p {key} {value}" for key, value in found["passed"].items())
    return f"papermill {source} out.ipynb {given}".strip()


def buttons(source: str) -> str:
    repository = os.environ.get("KP_REPOSITORY")
    if not repository:
        return ""
    colab = f"https://colab.research.google.com/github/{repository}/blob/main/{source}"
    binder = f"https://mybinder.org/v2/gh/{repository}/main?labpath={source}"
    first = f"!git clone -q https://github.com/{repository} kp && pip install -q -e kp[book]\n%cd kp"
    return (
        f' Open in <a href="{colab}">Colab</a> or <a href="{binder}">Binder</a>. Binder has all it needs '
        "(its build takes minutes); "
        "in Colab run first, in a cell of its own: "
        f"<code>{html.escape(first).replace(chr(10), '</code> and <code>')}</code>"
    )


def footer(name: str, found: dict, root: Path) -> str:
    source = f"{name.replace('results', 'book', 1)}.ipynb"
    came = found["provenance"]
    lines = [f"Run in {found['minutes']:.1f} minutes" + (f" on {came['processor']}" if came else "")]
    lines += [f"{key} {came[key]}" for key in SHOWN[1:] if key in came]
    data = checksum(root, found["parameters"])
    lines += [f"data {data}"] if data else []
    settings = ", ".join(f"{key} = {value!r}" for key, value in found["parameters"].items())
    ran = f'<a href="{up(name)}_sources/{name}.ipynb" download>this notebook as it ran</a>'
    return (
        f'<aside class="provenance" aria-label="Where this page comes from"><p>{html.escape(" · ".join(lines))}.</p>'
        f"<p>With {html.escape(settings)}.</p>"
        f"<p>Again: <code>{html.escape(command(source, found))}</code> ({ran}).{buttons(source)}</p></aside>"
    )


def add_footer(app, doctree, name):
    path = Path(app.srcdir) / f"{name}.ipynb"
    if app.builder.format == "html" and path.exists():
        found = facts(path)
        text = footer(name, found, Path(app.srcdir)) if found else TO_FILL_IN.format(name=name, up=up(name))
        doctree += nodes.raw("", text, format="html")


def name_notebook(app, doctree):
    """Below each figure of a chapter that a notebook drew: which one, and how long it ran."""
    for figure in doctree.findall(nodes.figure):
        path = drawn_by(figure, Path(app.srcdir))
        if path and app.env.docname.startswith("book/"):
            notebook = nodes.literal("", f"book/{path.name}")
            page = {"refdomain": "std", "reftype": "doc", "refexplicit": True, "refdoc": app.env.docname}
            link = pending_xref("", notebook, reftarget=f"/results/{path.stem}", **page)
            took = nodes.Text(f", {facts(path)['minutes']:.1f} minutes")
            figure += nodes.legend("", nodes.paragraph("", "", nodes.Text("Drawn by "), link, took, classes=["drawn"]))


def table(heads: tuple[str, ...], rows: list[list[str]]) -> list[nodes.Node]:
    """A table of HTML cells that can be scrolled by keyboard."""
    head = "".join(f"<th>{cell}</th>" for cell in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    made = f'<table class="table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return [nodes.raw("", f'<div class="wide" tabindex="0">{made}</div>', format="html")]


class NotebookStatus(SphinxDirective):
    """A table of every notebook of the book: did it run, how long, with what."""

    def run(self):
        rows = []
        for path in sorted(Path(self.env.srcdir, "results").rglob("*.ipynb")):
            name = path.relative_to(self.env.srcdir).with_suffix("").as_posix()
            if name not in self.env.found_docs:
                continue
            found = facts(path)
            how = "not run: for you to fill in" if not found else "failed" if found["failed"] else "ran through"
            given = "" if not found else ", ".join(f"{k} {v}" for k, v in found["parameters"].items())
            minutes = f"{found['minutes']:.1f}" if found else ""
            link = f'<a href="../{name}.html">{name.removeprefix("results/")}</a>'
            rows.append([link, how, minutes, html.escape(given)])
        return table(("notebook", "status", "minutes", "parameters"), rows)


def setup(app):
    app.add_directive("notebook-status", NotebookStatus)
    app.connect("doctree-read", name_notebook)
    app.connect("doctree-resolved", add_footer, priority=950)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
