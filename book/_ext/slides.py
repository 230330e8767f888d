"""A slide deck a chapter, from the chapter itself: ``{slide}`` holds what the book's page does not show.

Every section becomes slides: one with its ``{slide}`` lines and its equations, one a figure, one a piece of code.
"""

import html
import re
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

FOLDER = "slides"


class slide(nodes.General, nodes.Element):
    """The lines of a slide: shown in the deck only."""


class Slide(SphinxDirective):
    has_content = True

    def run(self):
        node = slide()
        self.state.nested_parse(self.content, self.content_offset, node)
        return [node]


def own(section, kind):
    """Nodes of a kind in a section, those of its subsections left out."""
    found = []
    for node in section.findall(kind):
        parent = node.parent
        while not isinstance(parent, nodes.section):
            parent = parent.parent
        if parent is section:
            found.append(node)
    return found


def deck(app, doctree, name):
    """Slides of a chapter as pieces of HTML, or none if it has no ``{slide}``."""
    if not list(doctree.findall(slide)):
        return []
    app.builder.imgpath = "../_images"
    app.builder.fignumbers = app.env.toc_fignumbers.get(name, {})  # what is set page by page, but only after this event
    app.builder.post_process_images(doctree)

    def render(node):
        piece = app.builder.render_partial(node.deepcopy())["fragment"]  # rendering changes where a picture lies
        piece = piece.replace('href="#', f'href="../{name}.html#')
        # decks lie beside the chapter's folder
        return re.sub(r'href="(?!https?:|\.\./)', f'href="../{Path(name).parent}/', piece)

    pages = []
    for section in doctree.findall(nodes.section):
        title = html.escape(section.next_node(nodes.title).astext())
        first = isinstance(section.parent, nodes.document)
        question = "".join(render(box) for box in own(section, nodes.admonition) if "question" in box["classes"])
        lines = "".join(render(child) for lines in own(section, slide) for child in lines.children)
        maths = "".join(render(node) for node in own(section, nodes.math_block))
        if first or lines or maths:
            pages.append(f"<h{1 if first else 2}>{title}</h{1 if first else 2}>{question}{lines}{maths}")
        pages += [f"<h2>{title}</h2>{render(figure)}" for figure in own(section, nodes.figure)]
        codes = [code for code in own(section, nodes.literal_block) if code.get("language") in ("python", "bash")]
        pages += [f"<h2>{title}</h2>{render(code)}" for code in codes]
    return pages


def collect(app, doctree, name):
    if app.builder.format == "html":
        pages = deck(app, doctree, name)
        if pages:
            decks = app.env.kp_decks = getattr(app.env, "kp_decks", {})
            decks[name] = (doctree.next_node(nodes.title).astext(), pages)
    for node in list(doctree.findall(slide)):
        node.parent.remove(node)


def write(app, exception):
    if exception or app.builder.format != "html":
        return
    template = (Path(__file__).parent / "deck.html").read_text()
    for name, (title, pages) in getattr(app.env, "kp_decks", {}).items():
        body = "\n".join(f'<section class="slide" aria-roledescription="slide">{page}</section>' for page in pages)
        path = Path(app.outdir) / FOLDER / f"{Path(name).name}.html"
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            template.replace("@TITLE@", html.escape(title))
            .replace("@CHAPTER@", f"../{name}.html")
            .replace("@SLIDES@", body)
        )


def setup(app):
    app.add_node(slide)
    app.add_directive("slide", Slide)
    app.connect("doctree-resolved", collect, priority=900)
    app.connect("build-finished", write)
    return {"parallel_read_safe": False, "parallel_write_safe": False}
