"""One table of all numbered figures: what each shows, which notebook draws it, how, and in how many minutes."""

import html
import re
from pathlib import Path

from docutils import nodes
from provenance import command, drawn_by, facts, table
from sphinx.util.docutils import SphinxDirective

SYMBOLS = {r"\sigma": "σ", r"\Phi": "Φ", r"\eta": "η", "y^*": "y*"}  # of captions, in plain text


class figure_table(nodes.General, nodes.Element):
    """Its place, until all pages are read."""


class FigureTable(SphinxDirective):
    def run(self):
        return [figure_table()]


def row(app, docname: str, figure: nodes.figure, number: tuple[int, ...]) -> list[str]:
    """A figure's number with a link, the first sentence of its caption, its notebook, command and minutes."""
    caption = next(figure.findall(nodes.caption)).astext()
    first = re.split(r"(?<=[.?!]) ", " ".join(caption.split()))[0]
    for written, shown in SYMBOLS.items():
        first = first.replace(written, shown)
    path = drawn_by(figure, Path(app.srcdir))
    found = facts(path) if path else None
    link = f'<a href="../{docname}.html#{figure["ids"][0]}">{".".join(map(str, number))}</a>'
    if not found:
        image = next(figure.findall(nodes.image), None)
        ships = f"ships with kp: <code>{html.escape(image['uri'])}</code>" if image else ""
        return [link, html.escape(first), ships, "", ""]
    again = html.escape(command(f"book/{path.name}", found))
    notebook = f'<a href="../results/{path.stem}.html">{path.stem}</a>'
    return [link, html.escape(first), notebook, f"<code>{again}</code>", f"{found['minutes']:.1f}"]


def fill(app, doctree, name):
    places = list(doctree.findall(figure_table))
    if not places:
        return
    rows = []
    for docname, kinds in app.env.toc_fignumbers.items():  # in the order of the table of contents
        figures = {f["ids"][0]: f for f in app.env.get_doctree(docname).findall(nodes.figure) if f["ids"]}
        numbers = kinds.get("figure", {})
        rows += [row(app, docname, figures[key], number) for key, number in numbers.items() if key in figures]
    for place in places:
        place.replace_self(table(("figure", "what it shows", "notebook", "to draw it again", "minutes"), rows))


def setup(app):
    app.add_node(figure_table)
    app.add_directive("figure-table", FigureTable)
    app.connect("doctree-resolved", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
