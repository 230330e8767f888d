"""Points without names: two trainings of IMM, drawn on the same test frames. ``python -m kp.research.scripts.unnamed``

Writes a picture and a record. The points of one colour have one number; what a number means, each training decides.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import tyro
from torch import Tensor

from kp.config import find_preset
from kp.datasets.clips import load_clips
from kp.evaluation.evaluate import load_test
from kp.figures import as_picture, grid, write_figure
from kp.geometry import to_pixels
from kp.provenance import command_line, data_checksum, write_record
from kp.research.baselines import read, train_imm

SHOWN = (0, 25, 50, 75)  # numbers of test clips


def numbered(image: Tensor, points: Tensor):
    """A grid cell: the image, and the points (p, 2) over it, a colour for each number."""
    colours = plt.get_cmap("tab10").colors

    def paint(axis):
        axis.imshow(as_picture(image) * 0.6 + 0.4)
        for k, (x, y) in enumerate(to_pixels(points, image.shape[-1]).tolist()):
            axis.plot(x, y, "o", color=colours[k % len(colours)], mec="white", mew=0.5, ms=8.5)
            axis.text(x, y + 0.4, str(k), fontsize=5.5, color="white", ha="center", va="center", fontweight="bold")

    return paint


def main(
    out: Path = Path("results/unnamed"), videos: Path = Path("data/people"), points: int = 10, steps: int = 1000
) -> None:
    """Train IMM twice, from other first weights, and draw what it finds.

    Args:
        out: Folder of unnamed.png and unnamed.json.
        videos: Folder of the video set.
        points: Unnamed points that it looks for.
        steps: Steps of each training.
    """
    base = find_preset("laptop")(videos)
    clips = load_clips(videos, "train", base.data.size, base.data.background, base.data.source)
    test = load_test(base.data).images[list(SHOWN)]
    frames = test[:, [0, -1]].flatten(0, 1)
    rows = []
    for seed in (0, 1):
        detector = train_imm(base.but(seed=seed, **{"optimizer.steps": steps}), clips, points).detector
        cells = [numbered(x, p) for x, p in zip(frames, read(detector, frames), strict=True)]
        rows.append((f"training {seed + 1}", cells))
    write_figure(grid(rows, 1.7), out / "unnamed.png")
    write_record(
        out / "unnamed.json",
        {
            "points": points,
            "steps": steps,
            "seeds": [0, 1],
            "data_checksum": data_checksum(videos),
            "command": command_line(),
        },
    )


if __name__ == "__main__":
    tyro.cli(main)
