"""The method in one picture: what flows where, and which loss teaches whom, from which data."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from kp.figures import LINES, fill

NAMES, LOOKS, BINDS = LINES[3], LINES[4], LINES[0]  # the three losses
PLACES = {  # left and lower end of each picture, whose sides are 1; and its label
    "frame": (0, 0, "x, a frame"),
    "skeleton": (2.2, 0, "y, a drawing"),
    "keypoints": (4.4, 0, "p, keypoints"),
    "redrawn": (6.6, 0, "y*, redrawn"),
    "painted": (9.6, 0, "x̂, rebuilt"),
    "other": (9.6, -2.3, "x', another frame"),
    "prior": (5.5, -2.3, "β(p̄), an unpaired pose"),
}


def method_picture(cells: Mapping[str, object]) -> Figure:
    """Pictures of one real pass, joined by arrows; dashed, the three losses, from where they are measured to what they
    teach.

    cells: one for each name in ``PLACES``, as :func:`kp.figures.fill` takes them.
    """
    figure = plt.figure(figsize=(10.4, 4.7), layout="none")
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(-0.25, 10.85), ylim=(-2.75, 2.26))
    axis.axis("off")
    for name, (left, bottom, label) in PLACES.items():
        fill(axis.inset_axes((left, bottom, 1, 1), transform=axis.transData), cells[name])
        axis.text(left + 0.5, bottom - 0.08, label, ha="center", va="top", fontsize=10)

    def part(name: str, x: float, y: float) -> None:
        axis.text(
            x,
            y,
            name,
            ha="center",
            va="center",
            fontsize=14,
            bbox={"boxstyle": "round,pad=0.35", "fc": "#f0f0f0", "ec": "#444444"},
            zorder=3,
        )

    def arrow(start: tuple[float, float], end: tuple[float, float], colour: str = "#444444", bend: float = 0.0) -> None:
        dashes = "-" if colour == "#444444" else (0, (4, 2))
        style = {
            "arrowstyle": "-|>",
            "color": colour,
            "lw": 1.8,
            "ls": dashes,
            "connectionstyle": f"arc3,rad={bend}",
            "shrinkA": 0,
            "shrinkB": 0,
        }
        axis.annotate("", end, start, arrowprops=style, zorder=2)

    for left, right, name in ((1, 2.2, "Φ"), (3.2, 4.4, "η"), (5.4, 6.6, "β"), (7.6, 9.6, "Ψ")):
        arrow((left + 0.06, 0.5), (right - 0.06, 0.5))
        part(name, (left + right) / 2, 0.5)
    arrow((9.5, -1.75), (8.75, 0.15))  # x' to Ψ
    part("D", 2.7, -1.8)
    arrow((5.4, -1.8), (3.0, -1.8))
    arrow((2.7, -0.38), (2.7, -1.48))
    arrow((2.4, -1.7), (1.6, 0.12), LOOKS, -0.4)
    axis.text(
        0.95,
        -1.95,
        "2  D asks: a skeleton?\nTeaches Φ.",
        color=LOOKS,
        ha="center",
        va="top",
        weight="bold",
        fontsize=10,
    )
    arrow((5.9, -1.22), (3.95, 0.12), NAMES, -0.25)
    axis.text(
        6.75,
        -1.45,
        "1  p̄ is known: read it\noff its own drawing.\nTeaches η, and names.",
        color=NAMES,
        ha="left",
        va="center",
        weight="bold",
        fontsize=10,
    )
    arrow((10.1, 1.1), (1.6, 0.88), BINDS, 0.2)
    axis.text(
        5.5,
        2.0,
        "3  x̂ = x ?  Back through Ψ, β and η: this frame's pose. Teaches Φ and Ψ.",
        color=BINDS,
        ha="center",
        va="bottom",
        weight="bold",
        fontsize=10,
    )
    return figure
