"""Topologies: which joints a pose has, which edges are drawn, which joints mirror each other."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from kp.errors import KpError
from kp.geometry import joint_errors
from kp.sides import find_mirror_pairs, unpaired
from kp.validation import parse, validated


@dataclass(frozen=True)
class Skeleton:
    """A named topology.

    ``joints``: K names, in the order of every keypoint array. ``edges``: pairs of names, drawn as line segments.
    ``mirror_pairs``: names exchanged by a left-right reflection of the subject. ``normaliser``: two joints whose
    distance errors may be measured in (a face: its outer eye corners). ``regions``: named groups of joints. Raises
    KpError if an edge or a pair names an unknown joint.
    """

    name: str
    joints: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]
    mirror_pairs: tuple[tuple[str, str], ...]
    normaliser: tuple[str, str] | None = None
    regions: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __post_init__(self):
        for pair in (
            *self.edges,
            *self.mirror_pairs,
            *([self.normaliser] if self.normaliser else []),
            *(joints for _, joints in self.regions),
        ):
            for joint in pair:
                self.index(joint)
        if fault := self._fault():
            raise KpError(f"skeleton '{self.name}': {fault}; correct it")

    def _fault(self) -> str | None:
        """What cannot be right in it, in words."""
        mirrored = [joint for pair in self.mirror_pairs for joint in pair]
        edges = [frozenset(edge) for edge in self.edges]
        faults = {
            "joint {!r} stands there twice": [j for j in self.joints if self.joints.count(j) > 1],
            "a joint is called {!r}": [j for j in self.joints if not j.strip() or not j.isprintable()],
            "an edge joins {!r} to itself": [a for a, b in self.edges if a == b],
            "the edge {} stands there twice": [
                "–".join(e) for e, f in zip(self.edges, edges, strict=True) if edges.count(f) > 1
            ],
            "joint {!r} is mirrored twice": [j for j in mirrored if mirrored.count(j) > 1],
            "its normaliser has no length, both ends are {!r}": [
                a for a, b in ([self.normaliser] if self.normaliser else []) if a == b
            ],
        }
        return next((words.format(found[0]) for words, found in faults.items() if found), None)

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Position of a joint in keypoint arrays; KpError if the skeleton has no such joint."""
        if joint not in self.joints:
            raise KpError(f"skeleton '{self.name}' has no joint '{joint}'; it has: {', '.join(self.joints)}")
        return self.joints.index(joint)

    @property
    def edge_indices(self) -> list[tuple[int, int]]:
        """Edges as index pairs."""
        return [(self.index(a), self.index(b)) for a, b in self.edges]

    @property
    def sides(self) -> list[list[tuple[int, int]]]:
        """Edges as index pairs in three groups: the middle, the first and the second side of ``mirror_pairs`` (left and
        right).
        """
        first, second = ({self.index(pair[i]) for pair in self.mirror_pairs} for i in (0, 1))
        groups = [[], [], []]
        for edge in self.edge_indices:
            groups[1 if first & set(edge) else 2 if second & set(edge) else 0].append(edge)
        return [group for group in groups if group]

    @property
    def limbs(self) -> list[tuple[list[int], int]]:
        """Chains of one side and the middle joint they hang on, as indices: ([hip, knee, ankle], pelvis), …"""
        sided = {self.index(joint) for pair in self.mirror_pairs for joint in pair}
        chains = []
        for a, b in self.edge_indices:
            root, start = (a, b) if b in sided else (b, a)
            if root in sided or start not in sided:
                continue
            chain, grown = [start], True
            while grown:
                new = [
                    j
                    for e in self.edge_indices
                    for i, j in (e, e[::-1])
                    if i in chain and j in sided and j not in chain
                ]
                grown = bool(new)
                chain += new[:1]
            chains.append((chain, root))
        return chains

    def mirrored(self, points: Float[Tensor, "*b k 2"]) -> Float[Tensor, "*b k 2"]:
        """Points (x, y) in [-1, 1] of the mirror image: x changes its sign, left and right exchange their names."""
        return points[..., self.flip, :] * torch.tensor([-1.0, 1.0])

    def describe_sides(self) -> str:
        """In words: the mirror pairs, and the joints whose names say a side and that have no partner."""
        if not self.mirror_pairs:
            return "mirror pairs: none, so nothing is mirrored"
        alone = unpaired(self.joints, self.mirror_pairs)
        named = ", ".join(f"{left}–{right}" for left, right in self.mirror_pairs)
        words = "mirror pairs: " + (f"those of '{self.name}'" if self in SHIPPED else named)
        return words + (f"; without a partner: {', '.join(alone)}" if alone else "")

    @property
    def flip(self) -> list[int]:
        """Permutation f with ``keypoints[..., f, :]`` carrying the left-right exchanged names."""
        order = list(range(len(self)))
        for a, b in self.mirror_pairs:
            i, j = self.index(a), self.index(b)
            order[i], order[j] = j, i
        return order


def _sides(*parts: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"left_{p}", f"right_{p}") for p in parts)


BODY = Skeleton(
    "body",
    (
        "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "spine", "neck",
        "head", "head_top", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
    ),
    (
        ("pelvis", "right_hip"), ("right_hip", "right_knee"), ("right_knee", "right_ankle"),
        ("pelvis", "left_hip"), ("left_hip", "left_knee"), ("left_knee", "left_ankle"),
        ("pelvis", "spine"), ("spine", "neck"), ("neck", "head"), ("head", "head_top"),
        ("neck", "left_shoulder"), ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
        ("neck", "right_shoulder"), ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"),
    ),
    _sides("hip", "knee", "ankle", "shoulder", "elbow", "wrist"),
)  # fmt: skip

_LEG, _ARM = (
    ("hip", "knee", "ankle", "ball", "toes"),
    ("unknown", "shoulder", "elbow", "wrist", "wrist_2", "thumb", "little", "little_2"),
)

HUMAN36M = Skeleton(
    "human36m",
    (
        "hip", *(f"right_{j}" for j in _LEG), *(f"left_{j}" for j in _LEG),
        "pelvis", "thorax", "neck", "head", "head_back",
        *(f"left_{j}" for j in _ARM), *(f"right_{j}" for j in _ARM),
    ),
    (
        *(
            (f"{side}_{a}", f"{side}_{b}")
            for side in ("right", "left")
            for chain in (("hip", "knee", "ankle", "toes"), ("shoulder", "elbow", "wrist"))
            for a, b in pairwise(chain)
        ),
        ("right_hip", "pelvis"), ("left_hip", "pelvis"), ("neck", "pelvis"), ("head_back", "neck"),
        ("left_shoulder", "neck"), ("right_shoulder", "neck"),
    ),
    _sides(*_LEG, *_ARM),
)  # fmt: skip
"""Human3.6M's 32 joints with the 16 edges that the official configuration draws (``human36m_simple2``)."""


def _chain(first: int, last: int, closed: bool = False) -> tuple[tuple[str, str], ...]:
    links = [(i, i + 1) for i in range(first, last)] + ([(last, first)] if closed else [])
    return tuple((str(a), str(b)) for a, b in links)


_FACE_PAIRS = (
    [(i, 16 - i) for i in range(8)] + [(17 + i, 26 - i) for i in range(5)] + [(31, 35), (32, 34), (36, 45), (37, 44)]
)
_FACE_PAIRS += [
    (38, 43),
    (39, 42),
    (40, 47),
    (41, 46),
    (48, 54),
    (49, 53),
    (50, 52),
    (55, 59),
    (56, 58),
    (60, 64),
    (61, 63),
    (65, 67),
]

_FACE_REGIONS = {"jaw": (0, 17), "brows": (17, 27), "nose": (27, 36), "eyes": (36, 48), "lips": (48, 68)}

FACE = Skeleton(
    "face",
    tuple(str(i) for i in range(68)),
    _chain(0, 16) + _chain(17, 21) + _chain(22, 26) + _chain(27, 30) + _chain(31, 35)
    + _chain(36, 41, True) + _chain(42, 47, True) + _chain(48, 59, True) + _chain(60, 67, True),
    tuple((str(b), str(a)) for a, b in _FACE_PAIRS),  # the subject's left first
    ("36", "45"),
    tuple((name, tuple(map(str, range(*ends)))) for name, ends in _FACE_REGIONS.items()),
)  # fmt: skip
"""The 68 points of the 300-W markup (jaw 0–16, brows, nose, eyes, lips), joined into 63 edges."""

SHIPPED = (BODY, HUMAN36M, FACE)


def find_skeleton(name: str) -> Skeleton:
    """The topology called ``name``, declared in a file ``*.json``, or declared in ``name`` itself (:func:`embed`).
    KpError lists those there are, or names what is wrong in the file.
    """
    if name.startswith("{"):
        return _declared(name, "skeleton")
    if name.endswith(".json"):
        return load_skeleton(Path(name))
    known = {s.name: s for s in SHIPPED}
    if name not in known:
        raise KpError(f"unknown skeleton '{name}'; use one of: {', '.join(known)}, or a .json file that declares one")
    return known[name]


def load_skeleton(path: Path) -> Skeleton:
    """A topology from JSON: ``name``, ``joints`` [names], ``edges`` [[a, b], …]; optional ``mirror_pairs`` [[left,
    right], …], ``normaliser`` [a, b], ``regions`` {name: [joints]}. Pairs that are not declared are found by name;
    declare [] if there are none. KpError names the file and what is wrong in it.
    """
    if not path.is_file():
        raise KpError(
            f"{path}: no such file; a skeleton of your own is declared in a .json file, see data/hand/hand.json"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise KpError(f"{path}: is not text in UTF-8; write it again") from error
    return _declared(text, str(path))


def embed(name: str) -> str:
    """What :func:`find_skeleton` reads without the file ``name``: the declaration itself, or the shipped one's name. So
    a configuration, and what was trained with it, holds its skeleton.
    """
    if not name.endswith(".json"):
        return name
    found = asdict(find_skeleton(name))
    return json.dumps(found | {"regions": dict(found["regions"])}, ensure_ascii=False)


def _declared(text: str, source: str) -> Skeleton:
    """A topology from the text of a declaration. KpError, about ``source``, says what is wrong in it."""
    declared = parse(Declared, text, source)
    pairs = declared.mirror_pairs
    pairs = pairs_by_name(declared.joints, source) if pairs is None else pairs
    normaliser = declared.normaliser or declared.ruler
    try:
        return Skeleton(
            declared.name, declared.joints, declared.edges, pairs, normaliser, tuple(declared.regions.items())
        )
    except KpError as error:
        raise KpError(f"{source}: {error}") from error


@validated
class Declared:
    """A skeleton as a file declares it. ``ruler``: what kp 0.3 called the normaliser."""

    name: str
    joints: tuple[str, ...]
    edges: Annotated[tuple[tuple[str, str], ...], Field(min_length=1)]
    mirror_pairs: tuple[tuple[str, str], ...] | None = None
    normaliser: tuple[str, str] | None = None
    regions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    ruler: tuple[str, str] | None = None


def pairs_by_name(joints: Sequence[str], path: Path | str) -> tuple[tuple[str, str], ...]:
    """(left, right) among joints that file ``path`` names. KpError if names say a side, but none has an opposite."""
    pairs = find_mirror_pairs(joints)
    if not pairs and (alone := unpaired(joints, pairs)):
        raise KpError(
            f"{path}: '{alone[0]}' says a side, but no joint is the opposite of another; if that is right, declare a "
            'skeleton with "mirror_pairs": [] in a .json file and give it with --skeleton'
        )
    return pairs


def skeleton_with(names: list[str], path: Path) -> Skeleton:
    """The shipped topology whose joints are ``names``, read from file ``path``; KpError if there is none."""
    for skeleton in SHIPPED:
        if skeleton.joints == tuple(names):
            return skeleton
    known = ", ".join(s.name for s in SHIPPED)
    raise KpError(
        f"{path}: its {len(names)} joints are those of no shipped skeleton ({known}); name one with --skeleton, or a "
        ".json file"
    )


def check_joints(skeleton: Skeleton, names: list[str], path) -> None:
    """KpError unless ``names``, read from file ``path``, are the skeleton's joints in its order."""
    for name in names:
        if name not in skeleton.joints:
            raise KpError(
                f"{path}: unknown joint '{name}'; skeleton '{skeleton.name}' has: {', '.join(skeleton.joints)}"
            )
    if tuple(names) != skeleton.joints:
        raise KpError(
            f"{path}: joints are not those of skeleton '{skeleton.name}' in order; expected: "
            f"{', '.join(skeleton.joints)}"
        )


def resolve_flips(
    predicted: Float[Tensor, "n k 2"], reference: Float[Tensor, "n k 2"], skeleton: Skeleton
) -> Float[Tensor, "n k 2"]:
    """Exchange left and right of a whole pose wherever that brings it closer to ``reference``.

    With the truth as reference this is the flip-minimum. Without labels the reference is
    η₀(β(p)): what the regressor as pre-trained on the prior reads from the redrawn pose (the official
    "offline regressor").
    """
    flipped = predicted[:, skeleton.flip]
    better = joint_errors(flipped, reference).mean(1) < joint_errors(predicted, reference).mean(1)
    return torch.where(better[:, None, None], flipped, predicted)
