"""Keep the built book free of the network (drop thebe, fail if a page loads code from elsewhere), quick to show and
accessible.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx.errors import SphinxError
from sphinx.util import logging

REMOTE = re.compile(
    r"""<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)=["'](?:https?:)?//[^"']+\.(?:js|css|mjs|woff2?|wasm)\b"""
)


def drop_thebe(app, pagename, templatename, context, doctree):
    """Jupyter Book adds thebe to every page; it needs a server and a remote script."""

    def name(file):
        return f"{getattr(file, 'filename', file) or ''} {getattr(file, 'attributes', {}).get('body', '')}".lower()

    for kind in ("script_files", "css_files"):
        context[kind] = [file for file in context.get(kind, []) if "thebe" not in name(file)]


def tidy(app, exception):
    """Icons load after the text; lists of citations lose roles that browsers no longer know; wide boxes can be scrolled
    by keyboard; the toggle of a nested list of pages has a name.
    """
    if exception is None and app.builder.format == "html":
        for path in Path(app.outdir).rglob("*.html"):
            if "_static" in path.parts:
                continue
            page = path.read_text(encoding="utf-8")
            page = re.sub(r'<script (src="[^"]*fontawesome\.js[^"]*")>', r"<script defer \1>", page)
            page = page.replace(' role="doc-biblioentry"', "").replace(
                ' role="list" class="citation-list"', ' class="citation-list"'
            )
            page = page.replace('<div class="highlight"><pre>', '<div class="highlight"><pre tabindex="0">')
            toggle = '<span class="toctree-toggle"'
            page = page.replace(f"<summary>{toggle}", f'<summary aria-label="pages below">{toggle}')
            path.write_text(page, encoding="utf-8")


def want_words(app, doctree, name):
    """A picture without an alternative text is a warning.

    Cells of notebooks have theirs in their metadata: mystnb, image, alt.
    """
    for image in doctree.findall(nodes.image):
        if not image.get("alt"):
            logging.getLogger(__name__).warning(
                "%s: the picture %s has no alternative text", name, Path(image["uri"]).name
            )


def refuse_remote_code(app, exception):
    if exception is None and app.builder.format == "html":
        pages = [p for p in Path(app.outdir).rglob("*.html") if "_static" not in p.parts]
        found = [f"{p.name}: {m.group(0)[:120]}" for p in pages for m in REMOTE.finditer(p.read_text(encoding="utf-8"))]
        if found:
            raise SphinxError("pages would load code from the network:\n" + "\n".join(found[:20]))


def setup(app):
    app.connect("html-page-context", drop_thebe, priority=900)
    app.connect("doctree-resolved", want_words, priority=100)
    app.connect("build-finished", tidy, priority=800)
    app.connect("build-finished", refuse_remote_code, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
