"""Heads that talk, nod and turn: bodies with brows, lashes and teeth, whose faces move by ``anny``'s blendshapes."""

from functools import cache

import numpy as np
from people import Body, Identity, body_model

LANDMARKS = (
    5385, 875, 5407, 911, 894, 915, 917, 5292, 5296, 11898, 7619, 7617, 7596, 7613, 12006, 7580, 11985,
    179, 178, 176, 180, 165, 6942, 6956, 6952, 6954, 6955, 133, 131, 164, 5054, 318, 313, 312,
    7076, 7080, 18, 4849, 55, 4871, 47, 36, 11489, 6839, 11467, 6802, 6820, 6831, 500, 5351, 450,
    455, 7210, 11953, 7249, 7166, 7235, 492, 480, 406, 431, 515, 520, 7262, 7191, 7236, 493, 481,
)  # fmt: skip
"""Vertices of the body mesh in the order of the 300-W markup, chosen by hand on close-ups of a neutral face."""

APPEARANCE = ("top", "skin", "hair", "eyes", "brows")
EYES = ("blue", "bluegreen", "brown", "brownlight", "deepblue", "green", "grey", "ice", "lightblue")
TALK = ("jawOpen", "mouthFunnel", "mouthPucker", "mouthLowerDown", "mouthUpperUp", "mouthStretch", "mouthSmile")
STILL = ("eyeLook", "tongue", "mouthClose", "eyeBlink")  # not used as gestures; blinks have their own rhythm


class Head(Body):
    """A body framed from the shoulders up.

    ``actions``: names of the blendshapes; ``moves``: their offsets of every vertex at weight 1.
    """

    def __init__(self, identity: Identity, rng: np.random.Generator):
        import torch

        worn = {
            "suit": ("clothes", identity.suit, None),
            "hair": ("hair", identity.hair, None),
            "eyes": ("eyes", "Low-Poly", f"{EYES[rng.integers(len(EYES))]}_eye.png"),
            "brows": ("eyebrows", f"eyebrow{rng.integers(1, 13):03d}", None),
            "lashes": ("eyelashes", "eyelashes02", None),
            "teeth": ("teeth", "Teeth_Base", None),
        }
        super().__init__(identity, "all", worn)
        model = body_model("all")
        self.actions = list(model.facial_action_labels)
        n = len(self.actions)
        shape = {k: torch.full((n,), identity.shape.get(k, 0.5)) for k in model.phenotype_labels}
        weights = {a: torch.eye(n)[i] for i, a in enumerate(self.actions)}
        with torch.no_grad():
            pose = torch.eye(4).expand(n, model.bone_count, 4, 4)
            made = model(pose_parameters=pose, phenotype_kwargs=shape, facial_actions=weights)
        self.moves = made["rest_vertices"].numpy() - self.rest.astype(np.float32)

    def face(self, expression: np.ndarray) -> list:
        """Vertices of each part before skinning, for weights (A,) of the actions."""
        rest = self.rest + np.tensordot(expression.astype(np.float32), self.moves, 1)

        def worn(p):
            return (rest[p["anchors"]] * p["share"]).sum(1) + p["offsets"]

        return [np.ascontiguousarray(worn(p) if "anchors" in p else rest, np.float32) for p in self.parts]

    def talking(self, expression: np.ndarray, rotation: np.ndarray, position: np.ndarray) -> list:
        """Skinned vertices of each part for one moment: expression (A,), rotation (B, 3, 3), position (B, 3)."""
        return self.skinned(self.face(expression), rotation, position)

    def pose(self, turned: np.ndarray):
        """Rotations (T, B, 3, 3) and positions (T, B, 3) of an upright body's bones, its head turned by (T, 3, 3)."""
        still = np.broadcast_to(np.eye(3), turned.shape)
        feet = self.heads[0] - [0, 0, self.rest[:, 2].min()]
        return self.kinematics(
            {self.bones[0]: still, "neck01": halfway(turned), "head": turned}, np.broadcast_to(feet, (len(turned), 3))
        )

    def landmarks(self, expression: np.ndarray, rotation: np.ndarray, position: np.ndarray) -> np.ndarray:
        """The 68 points in metres, (T, 68, 3), for expressions (T, A) and bones' rotations and positions (T, B, …)."""
        chosen, skin = list(LANDMARKS), self.parts[0]
        rest = self.rest[chosen] + np.einsum("ta,alc->tlc", expression, self.moves[:, chosen])
        offset = position - np.einsum("tbij,bj->tbi", rotation, self.heads)
        bones, weights = skin["bones"][chosen], skin["weights"][chosen]
        moved = np.einsum("tlkij,tlj->tlki", rotation[:, bones], rest) + offset[:, bones]
        return (moved * weights[..., None]).sum(2)


def _path(rng: np.random.Generator, frames: int, knots: int, low: float, high: float) -> np.ndarray:
    """A smooth random curve (frames,) between ``low`` and ``high``: cosines between ``knots`` random values."""
    values = rng.uniform(low, high, knots)
    at = np.linspace(0, knots - 1, frames)
    i = np.minimum(at.astype(int), knots - 2)
    share = 0.5 - 0.5 * np.cos(np.pi * (at - i))
    return values[i] * (1 - share) + values[i + 1] * share


@cache
def _gestures(actions: tuple) -> dict:
    """Gesture → columns of its actions: left and right together, but for those that move the whole mouth or jaw to a
    side.
    """
    found = {}
    for column, action in enumerate(actions):
        if not action.startswith(STILL):
            whole = action in ("mouthLeft", "mouthRight", "jawLeft", "jawRight")
            name = action if whole else action.removesuffix("Left").removesuffix("Right")
            found.setdefault(name, []).append(column)
    return found


def express(actions: list, rng: np.random.Generator, frames: int) -> np.ndarray:
    """Weights (frames, A) of a talking, changing face: some gestures, mostly alike on both sides, speech, a blink."""
    weights = np.zeros((frames, len(actions)))
    gestures = _gestures(tuple(actions))
    silent = [g for g in gestures if g not in TALK or g == "mouthSmile"]
    for gesture in rng.choice(silent, rng.integers(3, 7), replace=False):
        curve = _path(rng, frames, rng.integers(2, 5), 0, rng.uniform(0.2, 0.9))
        sides = gestures[gesture]
        lone = rng.integers(len(sides)) if rng.random() < 0.2 else None
        for k, column in enumerate(sides):
            weights[:, column] += curve * (1 if lone in (None, k) else 0.2)
    if rng.random() < 0.75:  # speech: the jaw opens and shuts three to five times a second
        weights[:, gestures["jawOpen"][0]] += _path(rng, frames, rng.integers(8, 15), -0.15, 0.6).clip(0)
        for gesture in rng.choice(TALK[1:], 3, replace=False):
            weights[:, gestures[gesture]] += _path(rng, frames, rng.integers(5, 10), -0.3, 0.6).clip(0)[:, None]
    if rng.random() < 0.5:
        start = rng.integers(frames - 5)
        shut = [i for i, a in enumerate(actions) if a.startswith("eyeBlink")]
        weights[start : start + 5, shut] += np.array([0.5, 1, 1, 0.7, 0.3])[:, None]
    return weights.clip(0, 1)


def turn(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Rotations (frames, 3, 3) of a head: yaw within ±35°, pitch within ±15°, roll within ±10°, smoothly."""
    knots = rng.integers(2, 5)
    yaw, pitch, roll = (np.radians(_path(rng, frames, knots, -limit, limit)) for limit in (35, 15, 10))
    c, s, one, nil = np.cos, np.sin, np.ones(frames), np.zeros(frames)

    def stack(rows):
        return np.moveaxis(np.array(rows), 2, 0)

    about_z = stack([[c(yaw), -s(yaw), nil], [s(yaw), c(yaw), nil], [nil, nil, one]])
    about_x = stack([[one, nil, nil], [nil, c(pitch), -s(pitch)], [nil, s(pitch), c(pitch)]])
    about_y = stack([[c(roll), nil, s(roll)], [nil, one, nil], [-s(roll), nil, c(roll)]])
    return about_z @ about_x @ about_y


def halfway(rotation: np.ndarray) -> np.ndarray:
    """Rotations (T, 3, 3) by half the angle: what the neck contributes to a turned head."""
    mean = rotation + np.eye(3)
    u, _, v = np.linalg.svd(mean)
    return u @ v
