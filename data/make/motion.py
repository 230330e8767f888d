"""Motion capture from two packages, read into one form and moved onto any body.

A :class:`Motion` holds, for every time sample, the global rotation of each body
segment away from the source's own rest pose. Axes everywhere: x to the person's
left, -y forwards, z up; metres, seconds, degrees.

Source A ("cmu"): BVH files of Debian's ``assimp-testmodels`` (two CMU takes and one
boxing take). Source B ("deepmimic"): the DeepMimic clips of PyPI's ``pybullet``.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from kp.formats.bvh import read_take

LIMBS = ("thigh", "shin", "uarm", "larm")

# Bones of the rendered body that each captured segment drives.
BONES = {
    "pelvis": ["root", "pelvis.L", "pelvis.R"],
    "chest": ["spine01"],
    "neck": ["neck01"],
    "head": ["head", "neck03"],
}
NEXT_BONE = {
    "thigh": ("upperleg01", "lowerleg01"),
    "shin": ("lowerleg01", "foot"),
    "uarm": ("upperarm01", "lowerarm01"),
    "larm": ("lowerarm01", "wrist"),
}
for _s in "LR":
    BONES |= {
        f"thigh{_s}": [f"upperleg01.{_s}", f"upperleg02.{_s}"],
        f"shin{_s}": [f"lowerleg01.{_s}", f"lowerleg02.{_s}"],
        f"foot{_s}": [f"foot.{_s}"],
        f"uarm{_s}": [f"upperarm01.{_s}", f"upperarm02.{_s}"],
        f"larm{_s}": [f"lowerarm01.{_s}"],
        f"hand{_s}": [f"wrist.{_s}"],
    }


@dataclass(frozen=True)
class Motion:
    """One take. ``rotation[name]`` is (T, 3, 3); ``rest_direction`` maps a limb segment to
    the way it points in the source's rest pose; ``root`` is (T, 3); ``leg`` the source's leg length."""

    name: str
    source: str
    fps: float
    rotation: dict
    rest_direction: dict
    root: np.ndarray
    leg: float

    @property
    def duration(self) -> float:
        return (len(self.root) - 1) / self.fps

    def facing(self) -> np.ndarray:
        """Yaw of the pelvis in degrees, (T,), unwrapped; 0 means facing -y."""
        forward = self.rotation["pelvis"] @ np.array([0, -1.0, 0])
        return np.degrees(np.unwrap(np.arctan2(forward[:, 0], -forward[:, 1])))

    def mirrored(self) -> "Motion":
        """The same movement with left and right exchanged."""
        flip = np.diag([-1.0, 1, 1])

        def swap(k):
            return k[:-1] + {"L": "R", "R": "L"}[k[-1]] if k[-1] in "LR" else k

        return replace(
            self,
            rotation={swap(k): flip @ v @ flip for k, v in self.rotation.items()},
            rest_direction={swap(k): flip @ v for k, v in self.rest_direction.items()},
            root=self.root @ flip,
        )

    def window(self, start: float, seconds: float, samples: int) -> "Motion":
        """``samples`` equally spaced moments of ``seconds`` from ``start``, interpolated on the sphere."""
        own = np.arange(len(self.root)) / self.fps
        times = np.clip(start + np.linspace(0, seconds, samples), 0, own[-1])
        return replace(
            self,
            fps=(samples - 1) / seconds,
            rotation={k: Slerp(own, Rotation.from_matrix(v))(times).as_matrix() for k, v in self.rotation.items()},
            root=np.stack([np.interp(times, own, self.root[:, k]) for k in range(3)], 1),
        )


def _minimal_rotation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The smallest rotation that turns direction a into direction b (opposite directions do not occur)."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    v = np.cross(a, b)
    k = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.eye(3) + k + k @ k / (1 + a @ b)


def read_deepmimic(path: Path) -> Motion:
    """A DeepMimic text file: per frame the duration, root position and joint quaternions (w, x, y, z)."""
    frames = np.array(json.loads(path.read_text())["Frames"], float)
    axes = np.array([[0, 0, -1], [-1, 0, 0], [0, 1, 0]], float)  # x forwards, y up, z right

    def ball(i):
        return Rotation.from_quat(frames[:, [i + 1, i + 2, i + 3, i]]).as_matrix()

    def hinge(i):
        return Rotation.from_rotvec(np.stack([0 * frames[:, i], 0 * frames[:, i], frames[:, i]], 1)).as_matrix()

    pelvis = ball(4)
    chest = pelvis @ ball(8)
    head = chest @ ball(12)
    rotation = {"pelvis": pelvis, "chest": chest, "neck": head, "head": head}
    for side, i in (("R", 16), ("L", 30)):
        thigh = pelvis @ ball(i)
        shin = thigh @ hinge(i + 4)
        arm = chest @ ball(i + 9)
        forearm = arm @ hinge(i + 13)
        foot = shin @ ball(i + 5)
        parts = dict(thigh=thigh, shin=shin, foot=foot, uarm=arm, larm=forearm, hand=forearm)
        rotation |= {k + side: v for k, v in parts.items()}
    down = np.array([0, 0, -1.0])
    return Motion(
        path.stem.replace("humanoid3d_", ""),
        "deepmimic",
        1 / frames[0, 0],
        {k: axes @ v @ axes.T for k, v in rotation.items()},
        {limb + side: down for limb in LIMBS for side in "LR"},
        frames[:, 1:4] @ axes.T,
        0.85,
    )


def read_bvh(path: Path) -> Motion:
    """A BVH take in either of the two joint vocabularies of the package (CMU's and the boxing file's)."""
    take = read_take(path)
    axes = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)  # x left, y up, z forwards
    world, column, index = [], 0, {}
    for i, joint in enumerate(take.joints):
        channels = joint.channels
        block = take.values[:, column : column + len(channels)]
        column += len(channels)
        index[joint.name] = i
        if not channels:
            world.append(world[joint.parent])
            continue
        order = [(c[0], k) for k, c in enumerate(channels) if c.endswith("rotation")]
        local = Rotation.from_euler(
            "".join(a for a, _ in order), block[:, [k for _, k in order]], degrees=True
        ).as_matrix()
        if joint.parent < 0:
            root = block[:, [channels.index(a + "position") for a in "XYZ"]]
            world.append(local)
        else:
            world.append(world[joint.parent] @ local)
    cmu = "LeftUpLeg" in index
    name = dict(pelvis="Hips", chest="Spine1" if cmu else "Chest", neck="Neck1" if cmu else "Neck", head="Head")
    parts = (
        ["UpLeg", "Leg", "Foot", "Arm", "ForeArm", "Hand"]
        if cmu
        else ["Hip", "Knee", "Ankle", "Shoulder", "Elbow", "Wrist"]
    )
    for side, word in (("L", "Left"), ("R", "Right")):
        name |= {
            k + side: word + p for k, p in zip(("thigh", "shin", "foot", "uarm", "larm", "hand"), parts, strict=True)
        }
        name["clav" + side] = word + ("Shoulder" if cmu else "Collar")
    child = dict(thigh="shin", shin="foot", uarm="larm", larm="hand")
    offset = {k: take.joints[index[n]].offset for k, n in name.items()}
    return Motion(
        path.stem,
        "cmu",
        1 / take.seconds,
        {k: axes @ world[index[n]] @ axes.T for k, n in name.items()},
        {a + s: axes @ offset[b + s] for a, b in child.items() for s in "LR"},
        root @ axes.T,
        np.linalg.norm(offset["shinL"]) + np.linalg.norm(offset["footL"]),
    )


def recombine(legs: Motion, trunk: Motion) -> Motion:
    """Pelvis and legs of one window with trunk, head and arms of another, frame by frame (equal lengths)."""
    turn = legs.rotation["pelvis"] @ trunk.rotation["pelvis"].transpose(0, 2, 1)

    def below(k):
        return k == "pelvis" or k[:-1] in ("thigh", "shin", "foot")

    lower = {k: v for k, v in legs.rotation.items() if below(k)}
    upper = {k: turn @ v for k, v in trunk.rotation.items() if not below(k)}
    rest = {k: (legs if below(k) else trunk).rest_direction[k] for k in legs.rest_direction}
    return replace(legs, name=f"{legs.name}+{trunk.name}", rotation=lower | upper, rest_direction=rest)


def _between(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    """The rotation a fraction t of the way from a to b, (T, 3, 3)."""
    step = Rotation.from_matrix(a.transpose(0, 2, 1) @ b).as_rotvec()
    return a @ Rotation.from_rotvec(t * step).as_matrix()


def retarget(motion: Motion, body) -> tuple:
    """Pose ``body`` (see people.Body) at every sample of ``motion``.

    Rest poses differ (A-pose, arms down, T-pose), so each limb first turns by one minimal
    rotation from the body's rest direction to the source's, then by the captured global
    rotation. Returns (bone name → global rotations (T, 3, 3), root positions (T, 3)).
    """
    correction = {}
    for limb, (a, b) in NEXT_BONE.items():
        for s in "LR":
            own = body.heads[body.index[f"{b}.{s}"]] - body.heads[body.index[f"{a}.{s}"]]
            correction[limb + s] = _minimal_rotation(own, motion.rest_direction[limb + s])
    for s in "LR":
        correction["hand" + s] = correction["larm" + s]
    captured = motion.rotation
    pose = {b: captured[k] @ correction.get(k, np.eye(3)) for k, bones in BONES.items() for b in bones}
    for bone, t in (("spine05", 0.2), ("spine04", 0.4), ("spine03", 0.6), ("spine02", 0.8)):
        pose[bone] = _between(captured["pelvis"], captured["chest"], t)
    pose["neck02"] = _between(captured["neck"], captured["head"], 0.5)
    chest = captured["chest"]
    for s in "LR":
        if "clav" + s in captured:  # captured collar bone, slightly damped
            pose["clavicle." + s] = pose["shoulder01." + s] = _between(chest, captured["clav" + s], 0.8)
        else:  # not captured: the collar bone follows a raised arm
            pose["shoulder01." + s] = _between(chest, pose["upperarm01." + s], 0.25)
            pose["clavicle." + s] = _between(chest, pose["upperarm01." + s], 0.10)
        pose["lowerarm02." + s] = _between(pose["lowerarm01." + s], pose["wrist." + s], 0.5)
    leg = (body.heads[body.index["upperleg01.L"]] - body.heads[body.index["foot.L"]])[2]
    return pose, motion.root * (leg / motion.leg)
