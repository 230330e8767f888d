"""Pictures. Every function returns a matplotlib figure and leaves saving to the caller."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.figure import Figure
from PIL import Image, ImageColor, ImageDraw
from torch import Tensor

from kp.files import atomic_write
from kp.geometry import to_pixels
from kp.skeletons import Skeleton

LEFT, RIGHT, MIDDLE = "#3b8eea", "#e5484d", "#f5c518"  # the subject's left is blue, right is red
MANY = 40  # edges from which on poses are drawn with thinner lines
WORSE, BETTER = "#d55e00", "#0072b2"  # these and the next: distinct to colour-blind eyes as well (Okabe and Ito)
LINES = ("#0072b2", "#e69f00", "#cc79a7", "#009e73", "#d55e00")
STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 160,
    "figure.dpi": 100,
    "svg.hashsalt": "kp",  # the same figure gives the same file
}


def use_style() -> None:
    """Give all figures of this session kp's look; without it, only those that the functions here make have it."""
    plt.rcParams.update(STYLE)


@contextmanager
def _look() -> Iterator[None]:
    """kp's look for a while. Whether figures show by themselves, which a notebook decides as its first figure is made,
    stays as it is then.
    """
    interactive = plt.isinteractive()
    try:
        with plt.rc_context(STYLE):
            try:
                yield
            finally:
                interactive = plt.isinteractive()
    finally:
        plt.rcParams["interactive"] = interactive


styled = _look()
"""Decorates a function that makes a figure: the caller's settings stay as they are."""


def save(figure: Figure, path: Path) -> None:
    """Write a figure to a file, whole or not at all, in the format that its name ends with: .png for pictures, .svg for
    lines. The figure stays open, so a notebook still shows it.

    KpError if the file cannot be written.
    """
    with atomic_write(path) as part, _look():
        figure.savefig(part, metadata={"Date": None} if path.suffix == ".svg" else None)


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure to a file as :func:`save` does, then close it. Other figures stay open."""
    try:
        save(figure, path)
    finally:
        plt.close(figure)


def as_picture(image: Float[Tensor, "c h w"]) -> np.ndarray:
    """(3, h, w) or (1, h, w) in [-1, 1] → what imshow takes."""
    array = ((image.detach().cpu() + 1) / 2).clamp(0, 1).permute(1, 2, 0).numpy()
    return array if array.shape[2] == 3 else array[..., 0]


def edge_colours(skeleton: Skeleton) -> list[tuple[tuple[int, int], str]]:
    """Each edge, as indices, with its colour: the subject's right red, left blue, middle yellow."""
    left, right = ({skeleton.index(pair[i]) for pair in skeleton.mirror_pairs} for i in (0, 1))

    def colour(edge):
        return LEFT if left & set(edge) else RIGHT if right & set(edge) else MIDDLE

    return [(edge, colour(edge)) for edge in skeleton.edge_indices]


def draw_pose(axis, keypoints: Float[Tensor, "k 2"], skeleton: Skeleton, size: int, width: float = 1.6) -> None:
    """Draw a pose over an image of ``size`` pixels a side: right red, left blue, middle yellow; many edges, thinner
    lines.
    """
    points = to_pixels(keypoints.detach().cpu(), size).numpy()
    width = width if len(skeleton.edges) < MANY else width / 2
    for edge, colour in edge_colours(skeleton):
        axis.plot(*points[list(edge)].T, color=colour, lw=width, solid_capstyle="round")


def fill(axis, cell) -> None:
    """Show one cell without frame or ticks: an array, (array, imshow options), a function of the axis, or None."""
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    if callable(cell):
        cell(axis)
    elif cell is not None:
        array, options = cell if isinstance(cell, tuple) else (cell, {})
        axis.imshow(array, **({"cmap": "gray", "vmin": 0, "vmax": 1} if array.ndim == 2 else {}) | options)


@styled
def grid(rows: list[tuple[str, list]], scale: float = 1.05, titles: list[str] | None = None) -> Figure:
    """A grid of pictures, with titles over its columns if given.

    Each row: a label and cells, as :func:`fill` takes them.
    """
    columns = max(len(cells) for _, cells in rows)
    figure, axes = plt.subplots(len(rows), columns, figsize=(columns * scale + 0.9, len(rows) * scale), squeeze=False)
    for line, (label, cells) in zip(axes, rows, strict=True):
        line[0].set_ylabel(label, rotation=0, ha="right", va="center", labelpad=8)
        for axis, cell in zip_longest(line, cells):
            fill(axis, cell)
    for axis, title in zip(axes[0], titles or [], strict=False):
        axis.set_title(title, fontsize=8)
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.01, hspace=0.01)
    return figure


def overlay(image: Float[Tensor, "3 s s"], keypoints: Float[Tensor, "k 2"], skeleton: Skeleton):
    """A grid cell: the image with the pose drawn over it."""

    def paint(axis):
        axis.imshow(as_picture(image))
        draw_pose(axis, keypoints, skeleton, image.shape[-1])
        axis.set(xlim=(-0.5, image.shape[-1] - 0.5), ylim=(image.shape[-1] - 0.5, -0.5))

    return paint


@styled
def learning_curves(metrics: list[dict]) -> Figure:
    """Losses of the main training over its steps, from the lines of metrics.jsonl."""
    lines = [m for m in metrics if m["phase"] == "train"]
    names = [k for k in ("perceptual", "adversarial", "discriminator", "regressor", "spread") if k in lines[0]]
    figure, axes = plt.subplots(1, len(names), figsize=(2.1 * len(names), 2.1))
    for axis, name in zip(np.atleast_1d(axes), names, strict=True):
        axis.plot([m["step"] for m in lines], [m[name] for m in lines], color="#444")
        axis.set(title=name, xlabel="step", yscale="log" if name in ("perceptual", "regressor") else "linear")
    return figure


@styled
def joint_bars(errors: dict[str, dict[str, float]], measure: str = "error, % of image size") -> Figure:
    """Error a joint, one bar group for each named run."""
    joints = list(next(iter(errors.values())))
    figure, axis = plt.subplots(figsize=(8, 2.6))
    height = 0.8 / len(errors)
    for i, (label, values) in enumerate(errors.items()):
        axis.bar(np.arange(len(joints)) + i * height, list(values.values()), height, label=label)
    axis.set_xticks(np.arange(len(joints)) + 0.4 - height / 2, [j.replace("_", "\n") for j in joints], fontsize=7)
    axis.set_ylabel(measure)
    if len(errors) > 1:
        axis.legend(frameon=False, fontsize=7)
    return figure


@styled
def bars(values: dict[str, float], label: str, reference: tuple[str, float] | None = None) -> Figure:
    """One horizontal bar a name, its value printed, and an optional dashed reference line."""
    figure, axis = plt.subplots(figsize=(6.4, 0.42 * len(values) + 0.9))
    names = list(values)
    axis.barh(names, list(values.values()), color="#5b7fa6")
    for i, v in enumerate(values.values()):
        axis.text(max(v, 0), i, f" {v:.2f}", va="center", fontsize=8)
    if reference:
        axis.axvline(reference[1], color="#999", ls="--", lw=1)
        axis.text(reference[1], -0.7, reference[0], fontsize=7, color="#666", ha="center", va="bottom")
    axis.invert_yaxis()
    axis.set_xlabel(label)
    return figure


@styled
def forest(groups: dict[str, list[tuple[str, float, tuple[float, float], str]]], label: str, limit: float) -> Figure:
    """Differences with their intervals, one line each, in titled groups: {title: [(name, value, (low, high), verdict),
    …]}.

    The verdicts "worse" and "better" have colours, others are grey. Values beyond ``limit`` are drawn at it, as an
    arrow with their number. Zero is the reference.
    """
    lines = sum(len(rows) + 1 for rows in groups.values())
    figure, axis = plt.subplots(figsize=(7.2, 0.3 * lines + 0.6))
    y, ticks = 0, []
    for title, rows in groups.items():
        axis.text(
            -0.01,
            y,
            title,
            transform=axis.get_yaxis_transform(),
            ha="right",
            va="center",
            fontsize=8,
            fontweight="bold",
        )
        y += 1
        for name, value, (low, high), verdict in rows:
            colour = {"worse": WORSE, "better": BETTER}.get(verdict, "#777")
            if value > limit:
                arrow = {"arrowstyle": "->", "color": colour}
                axis.annotate(
                    f"{value:+.1f}",
                    (limit, y),
                    (limit * 0.7, y),
                    va="center",
                    fontsize=7,
                    color="#444",
                    arrowprops=arrow,
                )
            else:
                axis.plot([low, min(high, limit)], [y, y], color=colour, lw=2)
                axis.plot(value, y, "o", color=colour, ms=4)
                axis.text(value, y - 0.3, f"{value:+.2f}", ha="center", va="center", fontsize=6, color="#444")
            ticks.append((y, name))
            y += 1
    axis.axvline(0, color="#999", lw=1)
    axis.set_yticks([t for t, _ in ticks], [n for _, n in ticks], fontsize=8)
    axis.tick_params(axis="y", length=0)
    axis.set(xlabel=label, ylim=(y - 0.4, -0.6), xlim=(None, limit * 1.02))
    axis.spines["left"].set_visible(False)
    return figure


@styled
def curves(
    panels: dict[str, dict[str, tuple[list[float], list[list[float]]]]],
    xlabel: str,
    ylabel: str,
    log: bool = False,
    reference: dict[str, float] | None = None,
) -> Figure:
    """One panel a title; in it lines {name: (x, [values of each seed a x])}: the mean, with every seed as a dot.

    reference: dashed horizontal lines with their names.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(1.2 + 3.4 * len(panels), 2.8), squeeze=False, sharey=True)
    for axis, (title, lines) in zip(axes[0], panels.items(), strict=True):
        for (name, (x, values)), colour in zip(lines.items(), LINES, strict=False):
            axis.plot(x, [float(np.mean(v)) for v in values], color=colour, label=name, lw=1.6)
            for at, seeds in zip(x, values, strict=True):
                axis.plot([at] * len(seeds), seeds, "o", color=colour, ms=3, alpha=0.7)
        for name, value in (reference or {}).items():
            axis.axhline(value, color="#999", ls="--", lw=1)
            axis.annotate(
                name, (1, value), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=7, color="#666"
            )
        axis.set(title=title, xlabel=xlabel)
        if log:
            axis.set_xscale("log")
        if len(lines) > 1:
            axis.legend(frameon=False, fontsize=7)
    axes[0, 0].set_ylabel(ylabel)
    return figure


@styled
def space(points: Float[np.ndarray, "n k 3"], skeleton: Skeleton) -> Figure:
    """Poses in space (x, y, z upwards; any unit), side by side, from one point of view: right red, left blue, middle
    yellow.
    """
    figure, axes = plt.subplots(
        1, len(points), figsize=(2.1 * len(points), 2.6), subplot_kw={"projection": "3d"}, squeeze=False
    )
    middle, reach = points.reshape(-1, 3).mean(0), np.ptp(points.reshape(-1, 3), 0).max() / 2
    for axis, pose in zip(axes[0], points, strict=True):
        for edge, colour in edge_colours(skeleton):
            axis.plot(*pose[list(edge)].T, color=colour, lw=2)
        axis.set(**{f"{name}lim": (centre - reach, centre + reach) for name, centre in zip("xyz", middle, strict=True)})
        axis.set(xticklabels=[], yticklabels=[], zticklabels=[])
        axis.set_box_aspect((1, 1, 1), zoom=1.3)
        axis.view_init(elev=12, azim=-60)
    return figure


LONGEST = 8192  # pixels of the longer side that frames are enlarged to at most
SMALLEST = 320  # pixels of the shorter side: smaller frames are enlarged by a whole number


def draw_poses(
    frames: UInt8[np.ndarray, "t h w 3"], keypoints: Float[np.ndarray, "t k 2"], skeleton: Skeleton
) -> UInt8[np.ndarray, "t r c 3"]:
    """Frames with poses drawn over them: the subject's right red, left blue, middle yellow.

    keypoints: (x, y) as pixel indices of the frames (0: centre of the first pixel). Frames under 320 pixels are
    enlarged by a whole number, but not beyond 8,192 pixels; an odd row or column at the end is left out, since H.264
    takes even sizes only.
    """
    short, long = sorted(frames.shape[1:3])
    zoom = max(1, min(-(-SMALLEST // short), LONGEST // long)) if short < SMALLEST else 1
    per_line = 120 if len(skeleton.edges) < MANY else 320  # pixels of the frame for one of the line
    colours, drawn = [(edge, ImageColor.getrgb(colour)) for edge, colour in edge_colours(skeleton)], []
    for frame, pose in zip(frames, keypoints, strict=True):
        height, width = frame.shape[0] * zoom, frame.shape[1] * zoom
        image = Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC)
        pen, points = ImageDraw.Draw(image), (pose + 0.5) * zoom - 0.5
        thick = max(1, round(min(height, width) / per_line))
        for edge, colour in colours:
            pen.line([tuple(p) for p in points[list(edge)].tolist()], colour, thick)
        drawn.append(np.asarray(image)[: height // 2 * 2, : width // 2 * 2])
    return np.stack(drawn)
