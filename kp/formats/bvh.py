"""Motion capture (BVH) as a pose prior: bodies in space, seen by random cameras.

A BVH file holds a tree of joints with their offsets, and for each frame the values of their channels: rotations, and
positions of the root. Any unit and any upright axis will do.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from kp.errors import KpError
from kp.formats.bodies import find_joints
from kp.formats.poses import check_size
from kp.sides import find_mirror_pairs
from kp.skeletons import BODY

POSES, SEED = 10_000, 0
# degrees: a drawn skeleton has no front and back, so all cameras stand before the subject
AZIMUTH, ELEVATION = 70.0, (-10.0, 25.0)
DISTANCE = (3.0, 6.0)  # heights of the body
LIMIT = 1e9  # units: no body is as large, no rotation as wild
SHORT = 1e-3  # bones shorter than this share of the body have no length
CHANNELS = {f"{axis}{kind}" for axis in "xyz" for kind in ("position", "rotation")}


@dataclass(frozen=True)
class Joint:
    """``parent``: its number, -1 for the root; ``offset`` from the parent at rest; ``channels`` in the order of the
    values.
    """

    name: str
    parent: int
    offset: Float[np.ndarray, "3"]
    channels: tuple[str, ...]


@dataclass(frozen=True)
class Take:
    """Joints, parents first, with the ends of chains as <parent>_end; ``seconds`` a frame; ``values`` of all joints'
    channels in order.
    """

    joints: list[Joint]
    seconds: float
    values: Float[np.ndarray, "t c"]

    def above(self, joint: int) -> list[int]:
        """The joints on which a joint hangs, from its parent to the root."""
        chain = [joint]
        while self.joints[chain[-1]].parent >= 0:
            chain.append(self.joints[chain[-1]].parent)
        return chain[1:]

    def positions(self, frames: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n j 3"]:
        """Joints in space, in the file's unit and axes. A joint's position channels take the place of its offset."""
        turned, placed, column = [], [], 0
        for joint in self.joints:
            block = self.values[frames, column : column + len(joint.channels)]
            column += len(joint.channels)
            local, step = np.broadcast_to(np.eye(3), (len(frames), 3, 3)), np.tile(joint.offset, (len(frames), 1))
            for channel, value in zip(joint.channels, block.T, strict=True):
                axis = "xyz".index(channel[0])
                if channel.endswith("position"):
                    step[:, axis] = value
                else:
                    local = local @ rotation(axis, value)
            if joint.parent < 0:
                turned.append(local)
                placed.append(step)
            else:
                above = turned[joint.parent]
                turned.append(above @ local)
                placed.append(placed[joint.parent] + (above @ step[..., None])[..., 0])
        return np.stack(placed, 1)


def rotation(axis: int, degrees: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3 3"]:
    """Right-handed rotations about a coordinate axis: 0, 1 or 2."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.zeros((len(degrees), 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix[:, axis, axis], matrix[:, i, i], matrix[:, j, j] = 1, cos, cos
    matrix[:, i, j], matrix[:, j, i] = -sin, sin
    return matrix


def read_take(path: Path) -> Take:
    """Read a BVH file. KpError says what is wrong with it."""
    head, *tail = re.split(
        r"^\s*MOTION\s*$", path.read_text(errors="replace"), maxsplit=1, flags=re.MULTILINE | re.IGNORECASE
    )
    if not tail or "HIERARCHY" not in head.upper():
        raise KpError(f"{path}: not a BVH file; it has HIERARCHY, then MOTION")
    joints = _read_joints(re.split("HIERARCHY", head, maxsplit=1, flags=re.IGNORECASE)[1], path)
    header = re.match(r"\s*Frames:\s*(\d{1,9})\s+Frame\s+Time:[^\S\n]*(\S+)[^\S\n]*(?:\n|$)", tail[0], re.IGNORECASE)
    seconds = _numbers([header[2]], path, "Frame Time")[0] if header else 0
    if not header or seconds <= 0:
        raise KpError(f"{path}: 'Frames: …' and 'Frame Time: …' must follow MOTION, both above 0; export it again")
    rows = [line.split() for line in tail[0][header.end() :].splitlines() if line.strip()]
    wanted = sum(len(joint.channels) for joint in joints)
    if not 0 < int(header[1]) <= len(rows):  # some have one more than they promise
        raise KpError(f"{path}: promises {header[1]} frames and holds {len(rows)}; it may be cut short: copy it again")
    for i, row in enumerate(rows):
        if len(row) != wanted:
            raise KpError(
                f"{path}: frame {i} has {len(row)} values, the joints have {wanted} channels; export it again"
            )
    return Take(joints, seconds, np.stack([_numbers(row, path, f"frame {i}") for i, row in enumerate(rows)]))


def _numbers(words: list[str], path: Path, where: str) -> Float[np.ndarray, " n"]:
    try:
        numbers = np.array(words, float)
    except ValueError as error:
        raise KpError(f"{path}: {where} holds what is no number ({error}); export it again") from error
    if not (np.abs(numbers) < LIMIT).all():
        raise KpError(f"{path}: {where} holds values that are not finite, or beyond {LIMIT:,.0f}; export it again")
    return numbers


def _read_joints(text: str, path: Path) -> list[Joint]:
    """The joints of a hierarchy, in the order of the file."""
    joints: list[dict] = []
    stack: list[int] = []
    for line in re.sub(r"([{}])", r"\n\1\n", text).splitlines():
        words = line.split()
        match [*map(str.upper, words[:1]), *words[1:]]:
            case []:
                continue
            case ["ROOT" | "JOINT" as kind, *name] if (
                name and bool(stack) == (kind == "JOINT") and (stack or not joints)
            ):
                joints.append(dict(name=" ".join(name), parent=stack[-1] if stack else -1, channels=()))
            case ["END", *_] if stack:
                joints.append(dict(name=f"{joints[stack[-1]]['name']}_end", parent=stack[-1], channels=()))
            case ["{"] if joints:
                stack.append(len(joints) - 1)
            case ["}"] if stack:
                stack.pop()
            case ["OFFSET", x, y, z] if stack:
                joints[stack[-1]]["offset"] = _numbers([x, y, z], path, f"the OFFSET of {joints[stack[-1]]['name']!r}")
            case ["CHANNELS", count, *channels] if (
                stack and {c.lower() for c in channels} <= CHANNELS and count == str(len(set(channels)))
            ):
                joints[stack[-1]]["channels"] = tuple(channel.lower() for channel in channels)
            case ["ROOT", *_] if joints and not stack:
                raise KpError(f"{path}: holds more than one ROOT; export one subject a file")
            case _:
                raise KpError(f"{path}: the hierarchy breaks at '{line.strip()[:60]}'; export it again")
    bare = next((joint["name"] for joint in joints if "offset" not in joint), None)
    if stack or bare or not joints:
        raise KpError(
            f"{path}: the hierarchy is not whole{f', joint {bare!r} has no OFFSET' if bare else ''}; export it again"
        )
    check_size(path, POSES, len(joints))
    return [Joint(**joint) for joint in joints]


def own_joints(take: Take) -> tuple[list[int], tuple[tuple[str, str], ...]]:
    """(numbers of the joints that lie apart from their parents, the edges between their names), for a topology of the
    file's own.
    """
    numbers, edges = [], []
    for i, joint in enumerate(take.joints):
        distinct = (
            joint.parent < 0 or np.abs(joint.offset).max() > 0 or any(c.endswith("position") for c in joint.channels)
        )
        if distinct:
            above = next((above for above in take.above(i) if above in numbers), None)
            edges += [] if above is None else [(take.joints[above].name, joint.name)]
            numbers.append(i)
    return numbers, tuple(edges)


def body_joints(take: Take) -> dict[str, list[int]] | None:
    """For each joint of the skeleton "body" the numbers of the file's joints whose mean it is; None if one is missing.

    Names: see :mod:`kp.formats.bodies`. Joints that lie on their parents do not count: in
    CMU's, Neck lies on Spine1, and Neck1 is the neck. The pelvis lies between the hips; the spine is the joint of the
    back that is nearest its middle. Both as seen in the first frame.
    """
    points = take.positions(np.array([0]))[0]
    bones = np.linalg.norm(points - points[[max(joint.parent, 0) for joint in take.joints]], axis=1)
    distinct = np.flatnonzero(bones > SHORT * np.ptp(points, 0).max())
    numbers = find_joints(take.joints[i].name for i in distinct)
    numbers = {joint: None if n is None else int(distinct[n]) for joint, n in numbers.items()}
    if None in numbers.values():
        return None
    hips, neck = [numbers["left_hip"], numbers["right_hip"]], numbers["neck"]

    def far(i, point):
        return np.linalg.norm(points[i] - point)

    back = [i for i in take.above(neck) if i not in take.above(hips[0])]
    if not back:
        return None
    numbers["spine"] = min(back, key=lambda i: abs(far(i, points[hips].mean(0)) - far(i, points[neck])))
    return {joint: hips if joint == "pelvis" else [numbers[joint]] for joint in BODY.joints}


def unit(vectors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Vectors of length 1; those of no length become (1, 0, 0)."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(length > 1e-9, vectors / np.maximum(length, 1e-9), np.array([[1.0, 0.0, 0.0]]))


def film(
    points: Float[np.ndarray, "n k 3"],
    left: Float[np.ndarray, "n 3"] | None,
    up: Float[np.ndarray, "3"],
    chance: np.random.Generator,
) -> Float[np.ndarray, "n k 2"]:
    """Each pose as a random camera sees it: (x, y), y down, in the points' unit where the subject is.

    ``left``: directions to the subjects' left; cameras stand within 70° of where they face, or anywhere around if it is
    None; between 10° below and 25° above; three to six heights away, in perspective. A camera twice as far has a lens
    twice as long, so that sizes can be compared.
    """
    count = len(points)
    centred = points - (points.min(1, keepdims=True) + points.max(1, keepdims=True)) / 2
    upright = np.tile(up, (count, 1))
    level = np.tile(np.roll(up, 1), (count, 1)) if left is None else left
    level = unit(level - (level @ up)[:, None] * up)
    facing = np.cross(level, upright)
    azimuth = np.radians(
        chance.uniform(-AZIMUTH, AZIMUTH, count) if left is not None else chance.uniform(-180, 180, count)
    )[:, None]
    elevation = np.radians(chance.uniform(*ELEVATION, count))[:, None]
    # of the camera
    towards = np.cos(elevation) * (np.cos(azimuth) * facing + np.sin(azimuth) * level) + np.sin(elevation) * upright
    right = unit(np.cross(upright, towards))
    above = np.cross(towards, right)
    height = np.quantile(np.ptp(centred, 1).max(1), 0.95)
    distance = chance.uniform(*DISTANCE, (count, 1)) * max(height, 1e-9)

    def along(axis):
        return np.einsum("nkc,nc->nk", centred, axis)

    nearer = distance / (distance - along(towards))
    return np.stack([along(right) * nearer, -along(above) * nearer], -1)


def poses_of(path: Path) -> tuple[Float[np.ndarray, "n k 2"], tuple[str, ...], tuple[tuple[str, str], ...]]:
    """(10,000 poses as random cameras see them, the names of their joints, the edges): the skeleton "body" if the file
    has all its joints.

    Otherwise the file's own joints and bones. Frames and cameras are drawn at random, the same ones every time. Upright
    is the axis along which the head lies above the hips, else y. KpError for a file that is no BVH or in which nothing
    is apart from the root.
    """
    take, chance = read_take(path), np.random.default_rng(SEED)
    points = take.positions(chance.integers(0, len(take.values), POSES))
    names = [joint.name for joint in take.joints]
    body, up = body_joints(take), np.array([0.0, 1.0, 0.0])
    if body:
        joints, edges = BODY.joints, BODY.edges
        points = np.stack([points[:, body[joint]].mean(1) for joint in joints], 1)
        rise = (points[:, BODY.index("head")] - points[:, BODY.index("pelvis")]).mean(0)
        up = np.eye(3)[np.abs(rise).argmax()] * np.sign(rise[np.abs(rise).argmax()])
        sides = (BODY.index("left_hip"), BODY.index("right_hip"))
    else:
        numbers, edges = own_joints(take)
        joints, points = tuple(names[i] for i in numbers), points[:, numbers]
        pairs = find_mirror_pairs(joints)
        sides = tuple(map(joints.index, pairs[0])) if pairs else None
    if len(joints) < 2:
        raise KpError(f"{path}: all joints lie in one point; export it again")
    return film(points, points[:, sides[0]] - points[:, sides[1]] if sides else None, up, chance), joints, edges
