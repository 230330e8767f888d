"""A run's report: one HTML file with the verdict, pictures and curves, which reloads itself while training runs."""

import base64
import io
import json
from pathlib import Path

import jinja2
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
TEMPLATE = jinja2.Environment(
    loader=jinja2.PackageLoader("kp.training", "."), autoescape=True, trim_blocks=True
).get_template("report.j2")
WORDS = {"early": "Too early to say", "well": "It learns", "doubtful": "Have a look", "wrong": "It does not learn"}


def as_data(figure: Figure) -> str:
    """A figure as a PNG in base64, for a page that needs no other file. The figure is closed."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    plt.close(figure)
    return base64.b64encode(file.getvalue()).decode()


def draw_probe(frames: Tensor, prediction: Prediction, painted: Tensor, drawings: Tensor, skeleton: Skeleton) -> Figure:
    """Eight frames: with the pose found, Φ's picture of it, the redrawing, what Ψ painted from that; below them
    drawings of prior poses.

    frames, painted: (n, 3, s, s), drawn: (n, c, s, s), all in [-1, 1].
    """
    some = range(min(SHOWN, len(frames)))

    def flat(picture):
        return as_picture(picture.amax(0, keepdim=True))  # one channel, or one a side of the body

    rows = [
        ("pose p", [overlay(frames[i], prediction.keypoints[i], skeleton) for i in some]),
        ("Φ: y", [flat(prediction.skeleton[i]) for i in some]),
        ("β: y*", [flat(prediction.redrawn[i]) for i in some]),
        ("Ψ: x̂", [as_picture(painted[i]) for i in some]),
        ("prior", [flat(drawings[i]) for i in some]),
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
    level, observation, remedy = verdict
    page = TEMPLATE.render(
        name=path.parent.name,
        reload=RELOAD if running else 0,
        status=status,
        steps=progress,
        colour=COLOURS[level],
        words=WORDS[level],
        observation=observation,
        remedy=remedy,
        figures=[(heading, as_data(figure), caption) for heading, figure, caption in figures],
        table=table,
        settings=to_json(config),
        provenance=json.dumps(provenance(), indent=1),
    )
    with atomic_write(path) as part:
        part.write_text(page, encoding="utf-8")
