"""Slide decks from the pages in book/slides: a section is a slide, its title the message; figures, equations, code,
lists and tables are shown, and paragraphs are what the speaker says.
"""

import html
import re
from pathlib import Path

from docutils import nodes

FOLDER = "book/slides/"
SHOWN = (nodes.figure, nodes.image, nodes.math_block, nodes.literal_block, nodes.bullet_list, nodes.table)


def deck(app, doctree, name):
    """Slides of a page in book/slides as pairs of HTML, what is shown and what is said; none of any other page."""
    if not name.startswith(FOLDER):
        return []
    app.builder.imgpath = "../_images"
    app.builder.fignumbers = app.env.toc_fignumbers.get(name, {})  # what is set page by page, but only after this event
    app.builder.post_process_images(doctree)

    def render(node):
        piece = app.builder.render_partial(node.deepcopy())["fragment"]  # rendering changes where a picture lies
        piece = piece.replace('href="#', f'href="{Path(name).name}.html#')
        # decks lie in a folder of their own
        return re.sub(r'href="(?!https?:)', f'href="../{Path(name).parent}/', piece)

    slides = []
    for section in doctree.findall(nodes.section):
        level = 1 if isinstance(section.parent, nodes.document) else 2
        title = html.escape(section.next_node(nodes.title).astext())
        own = [child for child in section.children if not isinstance(child, nodes.section | nodes.title)]
        shown = "".join(render(child) for child in own if isinstance(child, SHOWN))
        said = "".join(render(child) for child in own if not isinstance(child, SHOWN))
        slides.append((f"<h{level}>{title}</h{level}>{shown}", said))
    return slides


def collect(app, doctree, name):
    if app.builder.format == "html" and (slides := deck(app, doctree, name)):
        decks = app.env.kp_decks = getattr(app.env, "kp_decks", {})
        decks[name] = (doctree.next_node(nodes.title).astext(), slides)


def write(app, exception):
    if exception or app.builder.format != "html":
        return
    template = (Path(__file__).parent / "deck.html").read_text()
    for name, (title, slides) in getattr(app.env, "kp_decks", {}).items():
        body = "\n".join(
            f'<section class="slide" aria-roledescription="slide">{shown}'
            f'<aside class="notes" aria-label="speaker notes">{said}</aside></section>'
            for shown, said in slides
        )
        path = Path(app.outdir) / "slides" / f"{Path(name).name}.html"
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            template.replace("@TITLE@", html.escape(title))
            .replace("@CHAPTER@", f"../book/{Path(name).name}.html")
            .replace("@SLIDES@", body)
        )


def setup(app):
    app.connect("doctree-resolved", collect, priority=900)
    app.connect("build-finished", write)
    return {"parallel_read_safe": False, "parallel_write_safe": False}
