"""``{play} repose``, ``training`` or ``leakage``:

a place where a page comes to life, with a picture in its stead where it cannot.
"""

import shutil
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

ASSETS = "results/play"  # what play.ipynb left
WHAT = {
    "repose": "Six poses as the renderer draws them, and three people painted in each of them by the decoder.",
    "training": "Skeleton images of six people at six steps of a training, from noise to skeletons.",
    "leakage": (
        "The logarithm of skeleton images of six people, drawn by the encoders of five models: halos, and in some the "
        "clothes."
    ),
}


class Play(SphinxDirective):
    required_arguments = 1

    def run(self):
        kind = self.arguments[0]
        if kind not in WHAT:
            raise self.error(f"play: '{kind}' is none of {', '.join(WHAT)}")
        picture = nodes.image(uri=f"/{ASSETS}/{kind}.png", alt=WHAT[kind], candidates={"?": ""})
        note = (
            "Touched, this picture comes to life where scripts run and the book is served by a web server (python -m "
            "http.server)."
        )
        open_, close = (
            f'<div class="play" data-play="{kind}"><div class="play-fallback">',
            f'<p class="play-note">{note}</p></div></div>',
        )
        # a browser runs a module once, however often it is named
        module = '<script type="module" src="../_static/play/page.js"></script>'

        def raw(text):
            return nodes.raw("", text, format="html")

        return [raw(open_), picture, raw(close + module)]


def copy_assets(app, exception):
    source = Path(app.srcdir) / ASSETS
    if exception is None and app.builder.format == "html" and source.is_dir():
        target = Path(app.outdir) / "_static/play"
        target.mkdir(parents=True, exist_ok=True)
        for path in source.iterdir():
            if path.suffix in (".js", ".css", ".json", ".onnx"):
                shutil.copy(path, target)


def style(app):
    app.add_css_file("play/play.css")


def setup(app):
    app.add_directive("play", Play)
    app.connect("builder-inited", style)
    app.connect("build-finished", copy_assets)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
