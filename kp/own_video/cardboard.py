"""Cardboard figures: poses of the prior drawn so that a network that reads the drawings reads frames, too.

A pose is drawn as grey shapes, one for each bone, as wide and as bright as a file says (Ju, Black, Yacoob, "Cardboard
people", Face and Gesture 1996). Limbs come from different poses, are turned, folded and stretched; widths, light and
blur vary; blobs and sticks lie about. What reads them is in kp/own_video/reader.py.
"""

from pathlib import Path
from typing import Annotated

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from kp.datasets.priors import about, recombine, reflect_some
from kp.errors import KpError
from kp.geometry import draw_similarity, rotations
from kp.inference.outlines import rim_of
from kp.skeletons import Skeleton
from kp.validation import parse, validated

TURN = 0.2  # standard deviation of the turns of a limb about its root, where its figure says nothing; radians
LENGTHEN = 0.07  # standard deviation of a limb's change of length
FOLDED = 0.1  # share of limbs that are folded towards their first joint
UNSEEN = 0.03  # share of limbs' bones that are not drawn
HALO = 0.7  # share of the drawings with a grey rim
STRETCH = 0.05  # of a whole pose, along x and along y
PLACE = {"angle": 0.2, "scale": 0.1, "shift": 0.12}  # of a whole pose
WIDER = 0.25  # widths vary at random by this share
LUMPS, HOLES = 0.18, 0.35  # chance of each of three lumps on an outline, and of each of three holes in it
LEAST, MOST = 0.02, 0.1  # their radii; 2 is the width of the drawing
SOFT = 2.5  # how fast a shape ends: its grey falls from 0.9 to 0.1 within about 5 / SOFT pixels at 64 a side
Share = Annotated[float, Field(ge=0, le=1)]


@validated
class Part:
    """How bones look, as shares of the image side and of full brightness.

    ``bones``: ``"thorax-left_wing"`` and the like, as the skeleton's edges have them. ``width``: of the shape at the
    bone's start, middle and end (0: not drawn). ``beyond``: how far it may reach past the start and past the end.
    ``light``: its grey at the start and at the end. ``turn``: the standard deviation of its turns about its start,
    radians; half of the time it turns, and all that hangs on its end moves along (null: 0.2 for a limb's first bone, 0
    for others). ``stretch``: the least and the most of a random factor that multiplies the length of the part's bones,
    the same for all of them; all that hangs on their ends moves along.
    """

    bones: tuple[str, ...]
    width: tuple[Share, Share, Share]
    light: tuple[Share, Share]
    beyond: tuple[Share, Share] = (1.0, 1.0)
    turn: Annotated[float, Field(ge=0)] | None = None
    stretch: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self):
        if not 0 < self.stretch[0] <= self.stretch[1]:
            raise KpError(f"stretch is {list(self.stretch)}; give the least and the most, both above 0")


@validated
class Cardboard:
    """The parts of a cardboard figure; bones that no part names are not drawn.

    ``outline``: the figure is white, whatever its parts' light, and what learns from it reads outlines of the subject
    (white on black), not its grey: for subjects whose colours say nothing about their parts, such as dressed people.
    """

    parts: tuple[Part, ...]
    outline: bool = False


def find_figure(name: str | Path) -> Path:
    """The file of the figure called ``name``: "people" is the one that ships with kp, all else is a path."""
    return Path(__file__).parent / "figures/people.json" if str(name) == "people" else Path(name)


def load_cardboard(path: Path, skeleton: Skeleton) -> Cardboard:
    """The figure that a .json file declares. KpError names the file, and the bone that the skeleton lacks or that two
    parts name.
    """
    if not path.is_file():
        raise KpError(f"{path}: no such file; data/flies/cardboard.json shows what it looks like")
    figure = parse(Cardboard, path.read_text(encoding="utf-8-sig"), str(path))
    known = [f"{a}-{b}" for a, b in skeleton.edges]
    named = [bone for part in figure.parts for bone in part.bones]
    for bone in named:
        if bone not in known:
            raise KpError(f"{path}: the skeleton '{skeleton.name}' has no bone '{bone}'; it has: {', '.join(known)}")
        if named.count(bone) > 1:
            raise KpError(f"{path}: two parts name the bone '{bone}'; leave one")
    return figure


class CardboardRenderer:
    """Draws poses of a skeleton as cardboard figures, with random widths and light.

    size: pixels a side of the images that are to be read. Drawings are larger by a black rim. Figures are cut off
    where the image ends, at the inner edge of the rim. KpError if the figure names no bone of the skeleton.
    """

    def __init__(self, skeleton: Skeleton, figure: Cardboard, size: int):
        edge = {f"{a}-{b}": pair for (a, b), pair in zip(skeleton.edges, skeleton.edge_indices, strict=True)}
        drawn = [(edge[bone], part) for part in figure.parts for bone in part.bones if any(part.width)]
        if not drawn:
            raise KpError(f"the cardboard figure draws no bone of the skeleton '{skeleton.name}'; give some a width")
        self.skeleton, self.figure = skeleton, figure
        self.rim, self.inside = rim_of(size)  # inside: from a coordinate in the image to that in the drawing
        self.size = size + 2 * self.rim
        self.start, self.end = torch.tensor([e for e, _ in drawn]).T
        self.width = torch.tensor([part.width for _, part in drawn]) * size / 2  # half widths, pixels
        self.beyond = torch.tensor([part.beyond for _, part in drawn]) * size
        self.light = torch.tensor([part.light for _, part in drawn])
        limbs = {joint for limb, _ in skeleton.limbs for joint in limb}
        self.of_limb = torch.tensor([int(b) in limbs for b in self.end])
        self.below = children(skeleton)
        turns = {edge[bone]: part.turn for part in figure.parts for bone in part.bones if part.turn is not None}
        roots = [(root, limb[0]) for limb, root in skeleton.limbs]
        self.turn = [turns.get(bone, turns.get(bone[::-1], TURN)) for bone in roots]
        first = {frozenset(bone) for bone in roots}
        self.turned = [(bone, sigma) for bone, sigma in turns.items() if frozenset(bone) not in first]
        self.stretched = [
            (part.stretch, [edge[bone] for bone in part.bones]) for part in figure.parts if part.stretch != (1.0, 1.0)
        ]
        axis = torch.linspace(-1, 1, self.size)
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        self.grid = torch.stack([x, y, torch.ones_like(x)]).view(3, -1)
        self.window = F.pad(torch.ones(1, 1, size, size), 4 * [self.rim])

    def draw(self, poses: Float[Tensor, "b k 2"], generator: torch.Generator) -> Float[Tensor, "b 1 s s"]:
        """Drawings in [0, 1] of poses (x, y) in [-1, 1] of the drawing; the brighter of two shapes hides the other."""
        half, count, bones = (self.size - 1) / 2, len(poses), len(self.light)

        def uniform(*shape):
            return torch.rand(*shape, generator=generator)

        start = poses[:, self.start]
        along = poses[:, self.end] - start
        length = along.norm(dim=-1, keepdim=True).clamp_min(1e-3)
        ahead = along / length
        aside = torch.stack([-ahead[..., 1], ahead[..., 0]], -1)

        def place(direction):  # of every pixel, along a direction, in pixels from the bone's start
            offset = -(direction * start).sum(-1, keepdim=True)
            return torch.cat([direction, offset], -1) @ self.grid * half

        forward, length = place(ahead), length * half
        share = (forward / length).clamp(0, 1)
        distance = torch.hypot(place(aside), forward - share * length)
        first, middle, last = (self.width[:, i, None] for i in range(3))
        width = first + (last - first) * share + (middle - (first + last) / 2) * 4 * share * (1 - share)
        width = width * (1 - WIDER + 2 * WIDER * uniform(count, bones, 1))
        outside = torch.maximum(forward - length - self.beyond[:, 1, None], -forward - self.beyond[:, 0, None])
        near, far = (self.light[:, i, None] for i in range(2))
        some = (0.9 + 0.2 * uniform(count, 1, 1)) * (0.85 + 0.3 * uniform(count, bones, 1))
        seen = (uniform(count, bones, 1) >= UNSEEN) | ~self.of_limb[:, None]
        light = seen.float() if self.figure.outline else ((near + (far - near) * share) * some * seen).clamp(max=1)
        soft = SOFT * 64 / (self.size - 2 * self.rim)
        shapes = torch.sigmoid(soft * torch.minimum(width - distance, -outside)) * light
        return shapes.amax(1).view(count, 1, self.size, self.size)

    def vary(self, poses: Float[Tensor, "b k 2"], generator: torch.Generator) -> Float[Tensor, "b k 2"]:
        """Other poses made of the prior's: limbs exchanged, turned, folded; parts turned and stretched; the whole moved
        and mirrored.
        """
        count = len(poses)

        def uniform(*shape):
            return torch.rand(count, *shape, generator=generator)

        for _ in range(2):
            poses = recombine(poses, self.skeleton, generator)
        for (limb, root), sigma in zip(self.skeleton.limbs, self.turn, strict=True):
            turn = sigma * torch.randn(count, generator=generator)
            rotation = rotations(turn)[:, None]
            longer = 1 + LENGTHEN * torch.randn(count, 1, 1, generator=generator)
            turned = about(poses, limb, root, lambda p, r=rotation, f=longer: (r @ p[..., None])[..., 0] * f)
            poses = torch.where(uniform(1, 1) < 0.5, turned, poses)
            if len(limb) > 1:  # what bends can lie along the body, or under it
                shorter = 0.7 * uniform(1, 1)
                folded = about(poses, limb[1:], limb[0], lambda p, f=shorter: p * f)
                poses = torch.where(uniform(1, 1) < FOLDED, folded, poses)
        for (a, b), sigma in self.turned:
            turn = sigma * torch.randn(count, generator=generator) * (uniform() < 0.5)
            rotation = rotations(turn)[:, None]
            poses = about(poses, self.below[b], a, lambda p, r=rotation: (r @ p[..., None])[..., 0])
        for (low, high), bones in self.stretched:
            factor = low + (high - low) * uniform(1, 1)
            for a, b in bones:
                shift = (poses[:, [b]] - poses[:, [a]]) * (factor - 1)
                poses = poses.index_add(1, torch.tensor(self.below[b]), shift.expand(-1, len(self.below[b]), -1))
        poses = poses * (1 + STRETCH * (2 * uniform(1, 2) - 1))
        return draw_similarity(count, generator, **PLACE).points(reflect_some(poses, self.skeleton, generator))


def children(skeleton: Skeleton) -> dict[int, list[int]]:
    """Joint → itself and all joints that hang on it: those that one comes to along the edges, from first to second."""
    below = {}
    for joint in range(len(skeleton)):
        found = [joint]
        for at in found:
            found += [b for a, b in skeleton.edge_indices if a == at and b not in found]
        below[joint] = sorted(found)
    return below


def spoil(drawings: Float[Tensor, "b 1 s s"], generator: torch.Generator) -> Float[Tensor, "b 1 s s"]:
    """Drawings in [0, 1] with a grey rim around the figure, as masks that are too wide leave, blobs and sticks beside
    it, uneven light, blur, another gamma, and noise.
    """
    count, size = len(drawings), drawings.shape[-1]
    axis = torch.linspace(-1, 1, size)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1).view(-1, 2)

    def uniform(*shape):
        return torch.rand(count, *shape, generator=generator)

    near = F.avg_pool2d(F.max_pool2d(drawings, 3, 1, 1), 3, 1, 1) > 0.15
    grey = (0.05 + 0.15 * uniform(1, 1, 1)) * (uniform(1, 1, 1) < HALO)
    drawings = torch.maximum(drawings, near * grey)
    centre, radius = 2 * uniform(4, 1, 2) - 1, 0.02 + 0.12 * uniform(4, 1)
    blobs = torch.sigmoid((radius - (grid - centre).norm(dim=-1)) * 60)
    blobs = (blobs * (0.2 + 0.4 * uniform(4, 1)) * (uniform(4, 1) < 0.25)).amax(1)
    start, along = 2 * uniform(3, 1, 2) - 1, uniform(3, 1, 2) - 0.5
    share = (((grid - start) * along).sum(-1) / (along**2).sum(-1).clamp_min(1e-4)).clamp(0, 1)
    distance = (grid - start - share[..., None] * along).norm(dim=-1) * (size - 1) / 2
    sticks = torch.sigmoid((1.3 * size / 64 - distance) * SOFT)
    sticks = (sticks * (0.3 + 0.3 * uniform(3, 1)) * (uniform(3, 1) < 0.2)).amax(1)
    spoilt = torch.maximum(drawings, torch.maximum(blobs, sticks).view_as(drawings))
    uneven = F.interpolate(2 * uniform(1, 6, 6) - 1, size=(size, size), mode="bicubic", align_corners=True)
    spoilt = spoilt * (1 + 0.15 * uneven)
    blurred = F.avg_pool2d(F.pad(spoilt, (1, 1, 1, 1), mode="replicate"), 3, 1)
    spoilt = spoilt + (blurred - spoilt) * uniform(1, 1, 1)
    spoilt = spoilt.clamp(0, 1) ** (0.5 * (uniform(1, 1, 1) - 0.5)).exp()
    return (spoilt + 0.02 * torch.randn(spoilt.shape, generator=generator)).clamp(0, 1)


def tear(outlines: Float[Tensor, "b 1 s s"], generator: torch.Generator) -> Float[Tensor, "b 1 s s"]:
    """Outlines, white on black in [0, 1], as networks that find them leave them: lumps grow on them, and parts are
    missing.
    """
    count, size = len(outlines), outlines.shape[-1]
    axis = torch.linspace(-1, 1, size)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1).view(-1, 2)
    white = (outlines.flatten(1) > 0.5) + 1e-6

    def uniform(*shape):
        return torch.rand(count, *shape, generator=generator)

    def patches(share: float) -> Tensor:  # up to three ellipses, each around a point near the figure
        centre = grid[torch.multinomial(white, 3, replacement=True, generator=generator)][:, :, None]
        offset = grid - centre - 0.06 * (2 * uniform(3, 1, 2) - 1)
        offset = (rotations(torch.pi * uniform(3).flatten()).view(count, 3, 1, 2, 2) @ offset[..., None])[..., 0]
        stretch = 0.5 + uniform(3, 1)
        distance = torch.hypot(offset[..., 0] * stretch, offset[..., 1] / stretch)
        radius = LEAST + (MOST - LEAST) * uniform(3, 1)
        return (torch.sigmoid((radius - distance) * 60) * (uniform(3, 1) < share)).amax(1).view_as(outlines)

    return torch.maximum(outlines, patches(LUMPS)) * (1 - patches(HOLES))
