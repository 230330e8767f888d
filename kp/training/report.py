"""A run's report: one HTML file that needs nothing else, with the verdict, pictures and curves; reloads itself while
training runs.
"""

import base64
import html
import io
import json
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from kp.config import Config, to_json
from kp.figures import LINES, as_picture, grid, overlay
from kp.files import atomic_write
from kp.inference.predictor import Prediction
from kp.provenance import provenance
from kp.skeletons import Skeleton

RELOAD = 15  # seconds
SHOWN = 8  # frames
COLOURS = {"early": "#6b7280", "well": "#2f7d5b", "doubtful": "#b7791f", "wrong": "#b5483a"}
WORDS = {"early": "Too early to say", "well": "It learns", "doubtful": "Have a look", "wrong": "It does not learn"}
STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --paper: #fff; --line: #d8dee4; --soft: #57606a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #15181c; --line: #30363d; --soft: #9da7b1; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
body { color: var(--ink); background: var(--paper); }
h1 { font-size: 1.4rem; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.status, figcaption, footer { color: var(--soft); font-size: .9rem; }
.verdict { border-left: .4rem solid var(--level); padding: .4rem 1rem; margin: 1rem 0; } .verdict b { color: var(--level); }
progress { width: 100%; } figure { margin: 0; overflow-x: auto; } img { max-width: 100%; min-width: 34rem; background: #fff; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .3rem .7rem .3rem 0; }
tr { border-bottom: 1px solid var(--line); } td:nth-child(2) { font-variant-numeric: tabular-nums; }
pre { overflow-x: auto; font-size: .8rem; }
"""


def as_html(figure: Figure, words: str) -> str:
    """A figure as an <img> that carries its own bytes; ``words`` describe it. The figure is closed."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    plt.close(figure)
    data = base64.b64encode(file.getvalue()).decode()
    return f'<figure><img alt="{html.escape(words)}" src="data:image/png;base64,{data}"><figcaption>{html.escape(words)}</figcaption></figure>'


def draw_probe(frames: Tensor, made: Prediction, painted: Tensor, drawn: Tensor, skeleton: Skeleton) -> Figure:
    """Eight frames: with the pose found, Φ's picture of it, the redrawing, what Ψ painted from that; below them
    drawings of prior poses.

    frames, painted: (n, 3, s, s), drawn: (n, c, s, s), all in [-1, 1].
    """
    some = range(min(SHOWN, len(frames)))
    flat = lambda picture: as_picture(picture.amax(0, keepdim=True))  # one channel, or one a side of the body
    rows = [
        ("pose p", [overlay(frames[i], made.keypoints[i], skeleton) for i in some]),
        ("Φ: y", [flat(made.skeleton[i]) for i in some]),
        ("β: y*", [flat(made.redrawn[i]) for i in some]),
        ("Ψ: x̂", [as_picture(painted[i]) for i in some]),
        ("prior", [flat(drawn[i]) for i in some]),
    ]
    return grid(rows, 1.1)


def draw_lines(panels: dict[str, dict[str, list[tuple[int, float]]]]) -> Figure:
    """Small panels side by side: {title: {line: [(step, value), …]}}."""
    figure, axes = plt.subplots(1, len(panels), figsize=(2.3 * len(panels), 2.1), squeeze=False)
    for axis, (title, lines) in zip(axes[0], panels.items(), strict=True):
        for (name, points), colour in zip(lines.items(), LINES, strict=False):
            axis.plot(
                *zip(*points, strict=True), color=colour, label=name, lw=1.5, marker="." if len(points) < 3 else ""
            )
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("step", fontsize=8)
        if len(lines) > 1:
            axis.legend(frameon=False, fontsize=7)
    return figure


def write_report(
    path: Path,
    config: Config,
    status: str,
    progress: tuple[int, int],
    verdict: tuple[str, str, str],
    table: list[tuple[str, str, str, str]],
    figures: list[tuple[str, Figure, str]],
    running: bool,
) -> None:
    """Write the report to ``path``, whole; the figures are closed.

    progress: steps done, and steps in all. verdict: level, what is seen, what helps. table: sign, its value now, the
    healthy range, what it tells. figures: heading, figure, its description. running: the page reloads itself. KpError
    if it cannot be written.
    """
    level, seen, remedy = verdict
    row = lambda cells, tag="td": "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"
    lines = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="refresh" content="{RELOAD}">' if running else "",
        f"<title>{html.escape(WORDS[level])} · {html.escape(path.parent.name)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{html.escape(path.parent.name)}</h1><p class='status'>{html.escape(status)}</p>",
        f"<progress max='{progress[1]}' value='{progress[0]}'></progress>",
        f"<div class='verdict' style='--level: {COLOURS[level]}'><b>{WORDS[level]}.</b> {html.escape(seen)}",
        f"<br><b>What may help:</b> {html.escape(remedy)}</div>" if remedy else "</div>",
        *(f"<h2>{html.escape(heading)}</h2>{as_html(figure, words)}" for heading, figure, words in figures),
        "<h2>The signs</h2><div class='scroll'><table>" + row(("", "now", "healthy", "what it tells"), "th"),
        *(row(cells) for cells in table),
        "</table></div><details><summary>Settings</summary><pre>" + html.escape(to_json(config)) + "</pre></details>",
        f"<footer><pre>{html.escape(json.dumps(provenance(), indent=1))}</pre></footer></body></html>",
    ]
    with atomic_write(path) as part:
        part.write_text("\n".join(line for line in lines if line) + "\n", encoding="utf-8")
