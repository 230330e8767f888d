"""Bodies as other tools name them, turned into kp's 17 joints.

Rigs and motion capture: SMPL, Rigify, Unreal, Mixamo, Rokoko, Biped, CMU, Biovision. Detectors: COCO-17,
MediaPipe-33, Halpe-26, OpenPose-25. Detectors mark ears and no neck; neck, head and its top then follow from
shoulders, hips and ears, in the proportions of the bodies that kp's published model learnt from.
"""

import re
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from kp.formats.poses import PoseFile
from kp.sides import split_side
from kp.skeletons import BODY

SIDES = {
    "hip": ("upleg", "thigh", "upperleg", "hip"),
    "knee": ("knee", "leg", "shin", "calf", "lowleg", "lowerleg"),
    "ankle": ("ankle", "foot"),
    "shoulder": ("arm", "uparm", "upperarm", "shoulder"),  # where there is an arm, "shoulder" is the collar bone
    "elbow": ("elbow", "forearm", "lowarm", "lowerarm"),
    "wrist": ("wrist", "hand"),
}
MIDDLE = {
    "neck": ("neck", "neck1", "neck01", "spine004"),
    "head": ("head", "spine006"),
    "head_top": ("headend", "headtopend", "headtop", "headnub", "spine006end"),
}
"""Joint of the body → what files call it (letters and digits only, without left or right), the best first."""

DETECTED = {"hip": ("hip",), "shoulder": ("shoulder",)}
"""Where knees and elbows have these names, detectors, not rigs, named the joints: thigh and arm are between them."""

WORDS = {word for words in SIDES.values() for word in words} | {"ear", "eye"}

RIG = re.compile(
    r"^(valvebiped\.bip\d+|j_bip(_c)?|m_avg|mixamorig\d*|def|org|mch|bip\d+|bip|bone|character\d*|j|bind)(?=[ _.\-:])"
    r"|^mixamorig(?=[A-Z])",
    re.IGNORECASE,
)

# shares of a distance in the rendered bodies
NECK = 0.22  # of hips' middle to shoulders' middle, above the shoulders
HEAD, TOP = 0.75, 1.9  # of neck to ears, above the neck
SKULL = 1.55  # of neck to head, from head to its top


def plain(name: str) -> str:
    """A joint's name in letters and digits, without a rig's prefix: mixamorig:Head → head, DEF-shin → shin."""
    return re.sub(r"[^a-z0-9]", "", RIG.sub("", name).rpartition(":")[2].lower())


def places_of(names: Iterable[str]) -> dict[tuple[str, str], int]:
    """(side, plain name) → number of the joint; the side is left, right or empty. The first of a name counts."""
    places: dict[tuple[str, str], int] = {}
    for i, name in enumerate(names):
        bare = RIG.sub("", name).rpartition(":")[2].strip(" _.-")
        side, rest = split_side(bare)
        if not side and bare[:1] in "LR" and plain(bare[1:]) in WORDS:  # Rhip, as some lists of Halpe have it
            side, rest = {"L": "left", "R": "right"}[bare[0]], bare[1:]
        places.setdefault((side, plain(rest)), i)
    return places


def find_joints(names: Iterable[str]) -> dict[str, int | None]:
    """For the joints of arms, legs and head of the skeleton "body" the number of the file's joint, or None."""
    places = places_of(names)
    numbers = {joint: _first(places, "", words) for joint, words in MIDDLE.items()}
    for side in ("left", "right"):
        detected = {(side, "knee"), (side, "elbow")} <= set(places)
        for joint, words in SIDES.items():
            first = DETECTED.get(joint, ()) if detected else ()
            numbers[f"{side}_{joint}"] = _first(places, side, first + words)
    return numbers


def _first(places: dict[tuple[str, str], int], side: str, words: tuple[str, ...]) -> int | None:
    return next((places[side, word] for word in words if (side, word) in places), None)


def as_body(poses: PoseFile) -> PoseFile | None:
    """The poses as those of the skeleton "body"; None if the names are not those of a body's joints.

    The pelvis lies between the hips, the spine between pelvis and neck. A joint is marked where all that it follows
    from is marked; of the ears one is enough.
    """
    numbers, places = find_joints(poses.joints), places_of(poses.joints)
    ears = [places[side, "ear"] for side in ("left", "right") if (side, "ear") in places]
    if None not in (numbers["neck"], numbers["head"], numbers["head_top"]):
        ears = []
    limbs = {(side, word) for side in ("left", "right") for words in SIDES.values() for word in words}
    ends = set(places) <= limbs | {("", "head"), ("", "neck")}  # of twelve limbs, neck and head: its top is marked
    sided = {joint: n for joint, n in numbers.items() if joint not in MIDDLE}
    if None in sided.values() or not (ears or None not in (numbers["neck"], numbers["head"])):
        return None

    def assemble(points: Float[np.ndarray, "n k 2"]) -> Float[np.ndarray, "n 17 2"]:
        joints = {joint: points[:, n] for joint, n in numbers.items() if n is not None}
        joints["pelvis"] = (joints["left_hip"] + joints["right_hip"]) / 2
        if ears:
            shoulders = (joints["left_shoulder"] + joints["right_shoulder"]) / 2
            joints["neck"] = shoulders + NECK * (shoulders - joints["pelvis"])
            up = mean_of_marked(points[:, ears]) - joints["neck"]
            joints["head"], joints["head_top"] = joints["neck"] + HEAD * up, joints["neck"] + TOP * up
        elif ends:
            joints["head_top"] = joints["head"]
            joints["head"] = joints["neck"] + (joints["head_top"] - joints["neck"]) / (1 + SKULL)
        elif "head_top" not in joints:
            joints["head_top"] = joints["head"] + SKULL * (joints["head"] - joints["neck"])
        joints["spine"] = (joints["pelvis"] + joints["neck"]) / 2
        return np.stack([joints[joint] for joint in BODY.joints], 1)

    keypoints = assemble(poses.keypoints)
    faint: Bool[np.ndarray, "n 17"] | None = None
    if poses.faint is not None:  # as a joint that is not marked, were its sources marked
        marked = np.where(poses.faint[..., None], 0.0, poses.keypoints)
        faint = np.isfinite(assemble(marked)).all(-1) & ~np.isfinite(keypoints).all(-1)
    note = "joints named as another tool does, turned into those of 'body'"
    return replace(
        poses, keypoints=keypoints, joints=BODY.joints, edges=BODY.edges, mirror_pairs=BODY.mirror_pairs, scores=None,
        faint=faint, notes=(*poses.notes, note),
    )  # fmt: skip


def mean_of_marked(points: Float[np.ndarray, "n k 2"]) -> Float[np.ndarray, "n 2"]:
    """The mean of those points that are marked, NaN where none is."""
    marked = np.isfinite(points).all(-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.where(marked, points, 0.0).sum(1) / np.where(marked.any(1), marked.sum(1), np.nan)
