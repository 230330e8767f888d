"""The encoder drawn to scale: what goes through it has these sizes, measured in a forward pass."""

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import nn

from kp.figures import LINES
from kp.method.networks import Encoder


@torch.no_grad()
def sizes_through(network: nn.Module, parts: list[nn.Module], size: int) -> list[tuple[int, int]]:
    """Channels and side of what each of ``parts`` returns while a colour image of ``size`` pixels goes through
    ``network``.
    """
    found: dict[int, tuple[int, int]] = {}
    hooks = [
        part.register_forward_hook(lambda _, __, y, n=n: found.__setitem__(n, (y.shape[1], y.shape[2])))
        for n, part in enumerate(parts)
    ]
    was = network.training
    network.eval()(torch.zeros(1, 3, size, size))
    network.train(was)
    for hook in hooks:
        hook.remove()
    return [found[n] for n in range(len(parts))]


def encoder_picture(encoder: Encoder, size: int) -> Figure:
    """Φ as a U: a bar for each stage, as tall as its maps are, labelled channels × height × width; arrows for the skip
    connections.
    """
    down, up = list(encoder.down), [*encoder.up, encoder.last]
    stages = [("x", 3, size)]
    names = (
        [f"stage {n}" for n in range(1, len(down) + 1)]
        + ["bottom"]
        + [f"up {n}" for n in range(len(up), 1, -1)]
        + ["y"]
    )
    measured = sizes_through(encoder, [*down, encoder.bottom, *up], size)
    stages += [(name, channels, side) for name, (channels, side) in zip(names, measured, strict=True)]
    figure, axis = plt.subplots(figsize=(9.2, 3.0))
    for place, (name, channels, side) in enumerate(stages):
        height = side / size
        ends = place in (0, len(stages) - 1)
        axis.add_patch(
            Rectangle((place - 0.2, -height / 2), 0.4, height, fc="#d9d9d9" if ends else LINES[0], ec="none")
        )
        axis.text(place, -height / 2 - 0.04, f"{channels}×{side}×{side}", ha="center", va="top", fontsize=8)
        axis.text(place, height / 2 + 0.03, name, ha="center", va="bottom", fontsize=8)
    last = len(stages) - 1
    for n in range(1, len(down)):
        start, end = n, last + 1 - n
        places = (end - 0.3, stages[end][2] / size / 2), (start + 0.2, stages[start][2] / size / 2)
        bend = f"arc3,rad=-{0.12 + 0.04 * n:.2f}"
        style = {"arrowstyle": "-|>", "color": "#666666", "lw": 1.2, "ls": (0, (4, 2)), "connectionstyle": bend}
        axis.annotate("", *places, arrowprops=style)
    axis.set(xlim=(-0.5, last + 0.5), ylim=(-0.7, 0.95))
    axis.axis("off")
    return figure
