"""The leak, shown: the same frame in other colours, the faint part of y enlarged, and what Ψ paints without it.

Every function returns a matplotlib figure; images are in [-1, 1], drawings y and y* in [-1, 1] with one channel.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from kp.figures import as_picture, grid
from kp.method.leakage import LIMITS, log_brightness
from kp.research.counterfactual import Pair

FINE = 5  # pixels: what is finer than this is enlarged
AMPLITUDE = 0.01  # of full brightness: where the enlarged picture is black or white
CELL = 1.75  # inches


def repainted(pairs: dict[str, Pair], some: list[int], reads: dict[str, str]) -> Figure:
    """For each of the frames ``some`` two rows, as it is and below it with its hues exchanged; y, and what Ψ paints.

    pairs: model → its :class:`kp.research.counterfactual.Pair` on the same frames. reads: model → what its Ψ reads, for
    the heads of the columns.
    """
    first = next(iter(pairs.values()))
    rows = []
    for i in some:
        for k in (0, 1):
            cells = [as_picture(first.images[k][i])]
            for pair in pairs.values():
                cells += [as_picture(pair.made[k].skeleton[i]), as_picture(pair.painted[k][i])]
            rows.append(("", cells))
    titles = ["x"] + [title for name in pairs for title in (f"{name}\ny = Φ(x)", f"{name}\nx̂ = {reads[name]}")]
    return grid(rows, CELL, titles)


def fine(drawing: Float[Tensor, "n 1 s s"]) -> Float[Tensor, "n 1 s s"]:
    """What of a drawing is finer than 5 pixels, in shares of full brightness: y minus its mean over 5 × 5 pixels."""
    edge = FINE // 2
    return (drawing - F.avg_pool2d(F.pad(drawing, (edge,) * 4, "replicate"), FINE, 1)) / 2


def enlarged(
    images: Float[Tensor, "n 3 s s"],
    rows: list[tuple[str, int, Float[Tensor, "n 1 s s"], Float[Tensor, "n 1 s s"]]],
) -> Figure:
    """Drawings under a magnifying glass. rows: (label, frame, y, y*), y and y* of all frames.

    Columns: x, y, log y between 1/1000 (black) and full brightness, and the fine part of y and of y*, from -1 % (black)
    to 1 % (white) of full brightness.
    """
    log = {"vmin": LIMITS[0], "vmax": LIMITS[1], "cmap": "afmhot"}
    small = {"vmin": -AMPLITUDE, "vmax": AMPLITUDE, "cmap": "gray"}
    lines = []
    for label, i, drawing, redrawn in rows:
        logs = log_brightness(drawing)[i, 0].numpy()
        parts = [(fine(picture)[i, 0].numpy(), small) for picture in (drawing, redrawn)]
        lines.append((label, [as_picture(images[i]), as_picture(drawing[i]), (logs, log), *parts]))
    return grid(lines, CELL, ["x", "y = Φ(x)", "log y", "y, finer than\n5 pixels", "y*, finer than\n5 pixels"])


def differences(rows: list[tuple[str, Pair, int]], limit: float = 0.05) -> Figure:
    """x_a, x_b, and how far y and y* change with the colours: red brighter, blue darker, strokes grey, one scale to
    ``limit`` of full brightness; the RMS off the strokes stands in each cell.

    rows: (label, pair, frame).
    """
    shown = {"vmin": -limit, "vmax": limit, "cmap": "RdBu_r"}

    def cell(change, far):
        rms = ((change**2 * far).sum() / far.sum().clamp_min(1)).sqrt().item()

        def paint(axis):
            axis.imshow(change.numpy(), **shown)
            grey = torch.stack([torch.full_like(change, 0.75)] * 3 + [1 - far.float()], -1)
            axis.imshow(grey.numpy())
            axis.text(0.03, 0.03, f"RMS {100 * rms:.3f} %", transform=axis.transAxes, fontsize=8)

        return paint

    lines = []
    for label, pair, i in rows:
        far = pair.off_strokes[i, 0]
        a, b = (as_picture(images[i]) for images in pair.images)
        lines.append((label, [a, b, cell(pair.of_drawing[i, 0], far), cell(pair.of_redrawing[i, 0], far)]))
    return grid(lines, CELL, ["x", "x, hues exchanged", "change of y", "change of y*"])


def painted_rows(rows: list[tuple[str, list[Float[Tensor, "3 s s"]]]], titles: list[str]) -> Figure:
    """Pictures in rows with labels, and heads over the columns."""
    return grid([(label, [as_picture(picture) for picture in pictures]) for label, pictures in rows], CELL, titles)
