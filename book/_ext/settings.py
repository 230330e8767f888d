"""Two tables that are always true, because they are made from the code: the presets, and the notebooks' parameters."""

import ast
import html
import json
from pathlib import Path

from provenance import table
from sphinx.util.docutils import SphinxDirective

from kp.config import PRESETS


def parameters(path: Path) -> list[tuple[str, str, str]]:
    """(name, default, what is said of it) of each parameter of a notebook."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = [c["source"] for c in notebook["cells"] if "parameters" in c["metadata"].get("tags", [])]
    found = []
    for line in "".join(cells[0] if cells else []).splitlines():
        assignment = ast.parse(line).body
        if assignment:
            name, value = assignment[0].targets[0].id, ast.unparse(assignment[0].value)
            found.append((name, value, line.partition("  # ")[2]))
    return found


class Presets(SphinxDirective):
    """Every preset: pixels, steps, pairs a step, steps of η alone, what it is."""

    def run(self):
        rows = []
        for name, preset in PRESETS.items():
            config, about = preset(), " ".join(preset.__doc__.split("\n\n")[0].replace("``", "").split())
            rates = config.optimizer
            cells = [f"{config.data.size}", f"{rates.steps:,} × {rates.batch}", f"{rates.pretrain_steps:,}"]
            rows.append([f"<code>{name}</code>", *cells, html.escape(about)])
        return table(("preset", "pixels", "steps × pairs", "steps of η alone", "what it is"), rows)


class Parameters(SphinxDirective):
    """Every parameter of every notebook of the book, with its default and what it may be."""

    def run(self):
        rows = []
        for path in sorted(Path(self.env.srcdir, "book").glob("*.ipynb")):
            for number, (name, value, about) in enumerate(parameters(path)):
                shown = f"<code>{path.stem}</code>" if number == 0 else ""
                rows.append([shown, f"<code>{name}</code>", f"<code>{html.escape(value)}</code>", html.escape(about)])
        return table(("notebook", "parameter", "default", "what it is, or may be"), rows)


def setup(app):
    app.add_directive("presets", Presets)
    app.add_directive("notebook-parameters", Parameters)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
