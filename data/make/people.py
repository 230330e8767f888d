"""Clothed bodies: shape, skin, hair, garments and their colours, posed by linear blend skinning.

Bodies come from ``anny`` (MakeHuman's mesh and rig, CC0), garments, hair and skins from
MakeHuman's CC0 base set. World axes as in motion.py; vertices in metres.
"""

import colorsys
import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numba
import numpy as np
from PIL import Image

INPUTS = Path(__file__).parent / "inputs"
ASSETS = INPUTS / "package/public/data"
BODY_VERTICES = 13380  # the first vertices of the mesh are the body; eyes, teeth and helpers follow
TEXTURE = 512  # pixels a side: ample for pictures of 128

SUITS = {
    "male": [f"male_casualsuit0{i}" for i in range(1, 7)] + ["male_elegantsuit01"],
    "female": ["female_casualsuit01", "female_casualsuit02", "female_elegantsuit01", "female_sportsuit01"],
}
SHOES = [f"shoes0{i}" for i in range(1, 7)]
HAIR = {
    "male": ["short01", "short02", "short03", "short04", "afro01"],
    "female": ["afro01", "bob01", "bob02", "Braid01", "long01", "ponytail01"],
}
ANCESTRY = ("african", "asian", "caucasian")
AGES = {"young": 0.62, "middleage": 0.72}

JOINT_NAMES = (
    "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "spine", "neck",
    "head", "head_top", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
)  # fmt: skip
_JOINT_BONES = {
    "right_hip": "upperleg01.R", "right_knee": "lowerleg01.R", "right_ankle": "foot.R",
    "left_hip": "upperleg01.L", "left_knee": "lowerleg01.L", "left_ankle": "foot.L",
    "spine": "spine02", "neck": "neck01", "head": "head",
    "left_shoulder": "upperarm01.L", "left_elbow": "lowerarm01.L", "left_wrist": "wrist.L",
    "right_shoulder": "upperarm01.R", "right_elbow": "lowerarm01.R", "right_wrist": "wrist.R",
}  # fmt: skip

APPEARANCE = ("top", "bottom", "shoes", "skin", "hair")  # what the appearance vector lists, an sRGB colour each


@dataclass(frozen=True)
class Identity:
    """All that makes a person look like this person."""

    shape: dict
    skin: str
    suit: str
    shoes: str
    hair: str
    tints: dict  # part → (hue shift, saturation factor, value factor)


def sample_identity(rng: np.random.Generator) -> Identity:
    sex = ("male", "female")[rng.integers(2)]
    ancestry = ANCESTRY[rng.integers(3)]
    age = list(AGES)[rng.integers(2)]
    shape = {k: float(rng.uniform(0.3, 0.7)) for k in ("muscle", "weight", "height", "proportions")}
    shape |= {"gender": 0.05 if sex == "male" else 0.95, "age": AGES[age] + float(rng.uniform(-0.05, 0.05))}
    shape |= {a: float(a == ancestry) for a in ANCESTRY}

    def tint(hue):
        return (float(rng.uniform(0, hue)), float(rng.uniform(0.7, 1.6)), float(rng.uniform(0.75, 1.35)))

    return Identity(
        shape,
        f"{age}_{ancestry}_{sex}",
        str(rng.choice(SUITS[sex])),
        str(rng.choice(SHOES)),
        str(rng.choice(HAIR[sex])),
        {"suit": tint(1.0), "shoes": tint(1.0), "hair": tint(0.05)},
    )


@cache
def body_model(actions: str = "none"):
    os.environ.setdefault("ANNY_CACHE_DIR", str(INPUTS / "anny_cache"))
    import anny
    import torch

    torch.set_num_threads(1)
    options = dict(
        rig="anny", topology="makehuman-full", local_changes="none", facial_actions=actions, phenotypes="all"
    )
    return anny.Anny(**options).to(torch.float32)


def _to_world(p) -> np.ndarray:
    """MakeHuman decimetres (y up, z forwards) → metres (z up, -y forwards)."""
    p = np.asarray(p, float)
    return np.stack([p[..., 0], -p[..., 2], p[..., 1]], -1) * 0.1


def _triangles(mesh: dict):
    """Vertex and texture indices of three.js "version 3" faces; quads become two triangles."""
    faces, uv = mesh["faces"], np.asarray(mesh["uvs"][0], np.float32).reshape(-1, 2)
    vertices, coordinates, i = [], [], 0
    while i < len(faces):
        kind = faces[i]
        n = 4 if kind & 1 else 3
        corner = faces[i + 1 : i + 1 + n]
        i += 1 + n + bool(kind & 2) + bool(kind & 4)
        texture = faces[i : i + n] if kind & 8 else corner
        i += n * bool(kind & 8) + bool(kind & 16) + n * bool(kind & 32) + bool(kind & 64) + n * bool(kind & 128)
        for a, b, c in ((0, 1, 2), (0, 2, 3))[: n - 2]:
            vertices.append((corner[a], corner[b], corner[c]))
            coordinates.append((texture[a], texture[b], texture[c]))
    return np.asarray(vertices, np.int32), uv[np.asarray(coordinates)]


@cache
def _garment(kind: str, name: str) -> dict:
    """A mesh that rides on the body: each vertex is a weighted mean of three body vertices plus an offset."""
    path = ASSETS / "proxies" / kind / name / f"{name}.json"
    mesh = json.loads(path.read_text())
    triangles, uv = _triangles(mesh)
    hidden = np.zeros(19158, bool)
    hidden |= np.asarray(mesh["metadata"].get("deleteVerts") or hidden, bool)
    return dict(
        anchors=np.asarray(mesh["ref_vIdxs"]),
        weights=np.asarray(mesh["weights"], float),
        offsets=_to_world(mesh["offsets"]),
        triangles=triangles,
        uv=uv,
        hides=hidden,
        texture=path.parent / mesh["materials"][0]["mapDiffuse"],
    )


@cache
def _texture(path: Path) -> np.ndarray:
    image = Image.open(path).convert("RGBA")
    return (
        np.asarray(image.resize((min(TEXTURE, image.width), min(TEXTURE, image.height)), Image.BOX), np.float32) / 255
    )


def _tinted(texture: np.ndarray, hue: float, saturation: float, value: float) -> np.ndarray:
    from matplotlib.colors import hsv_to_rgb, rgb_to_hsv

    hsv = rgb_to_hsv(texture[..., :3])
    hsv = np.stack(
        [(hsv[..., 0] + hue) % 1, (hsv[..., 1] * saturation).clip(0, 1), (hsv[..., 2] * value).clip(0, 1)], -1
    )
    return np.concatenate([hsv_to_rgb(hsv), texture[..., 3:]], -1).astype(np.float32)


def random_colour(rng: np.random.Generator, low: float, high: float) -> np.ndarray:
    """A muted sRGB colour whose value lies in [low, high]."""
    return np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.05, 0.45), rng.uniform(low, high)))


@numba.njit(cache=True, fastmath=True)
def _skin(rest, bones, weights, rotation, offset):
    out = np.zeros_like(rest)
    for i in range(rest.shape[0]):
        for k in range(bones.shape[1]):
            b, w = bones[i, k], weights[i, k]
            for r in range(3):
                moved = offset[b, r]
                for c in range(3):
                    moved += rotation[b, r, c] * rest[i, c]
                out[i, r] += w * moved
    return out


class Body:
    """An identity's meshes and rig. ``parts`` are dicts of arrays (rest, bones, weights, triangles, uv, texture).

    worn: name → (kind, asset, texture or None for its own); None: suit, shoes, hair, brown eyes.
    """

    def __init__(self, identity: Identity, actions: str = "none", worn: dict | None = None):
        import torch

        model = body_model(actions)
        shape = {k: torch.tensor([identity.shape.get(k, 0.5)]) for k in model.phenotype_labels}
        with torch.no_grad():
            rest = model(pose_parameters=torch.eye(4).expand(1, model.bone_count, 4, 4), phenotype_kwargs=shape)
        self.rest = rest["rest_vertices"][0].double().numpy()
        self.heads = rest["rest_bone_heads"][0].double().numpy()
        self.bones, self.parents = model.bone_labels, [-1 if p is None else p for p in model.bone_parents]
        self.index = {b: i for i, b in enumerate(self.bones)}
        weights = np.zeros((len(self.rest), len(self.bones)))
        for bone, weight in zip(model.vertex_bone_indices.T, model.vertex_bone_weights.T, strict=True):
            np.add.at(weights, (np.arange(len(weights)), bone.numpy()), weight.numpy())
        weights /= weights.sum(1, keepdims=True).clip(1e-8)
        worn = worn or {
            "suit": ("clothes", identity.suit, None),
            "shoes": ("clothes", identity.shoes, None),
            "hair": ("hair", identity.hair, None),
            "eyes": ("eyes", "Low-Poly", "brown_eye.png"),
        }
        garments = {name: _garment(kind, asset) for name, (kind, asset, _) in worn.items()}
        skin = sorted((ASSETS / "skins" / identity.skin / "textures").glob("*diffuse*.png"))[0]
        self.parts = [
            self._body_part(model, weights, np.any([g["hides"] for g in garments.values()], 0), _texture(skin))
        ]
        for name, garment in garments.items():
            path = garment["texture"].parent / (worn[name][2] or garment["texture"].name)
            texture = _texture(path)
            if name in identity.tints:
                texture = _tinted(texture, *identity.tints[name])
            self.parts.append(self._worn_part(name, garment, weights, texture))

    @staticmethod
    def _part(name, rest, weights, triangles, uv, texture) -> dict:
        bones = np.argsort(-weights, 1)[:, :6]
        top = np.take_along_axis(weights, bones, 1)
        linear = np.where(texture <= 0.04045, texture / 12.92, ((texture + 0.055) / 1.055) ** 2.4)
        linear[..., 3] = texture[..., 3]
        return dict(
            name=name,
            rest=rest.astype(np.float32),
            bones=bones.astype(np.int32),
            weights=(top / top.sum(1, keepdims=True)).astype(np.float32),
            triangles=np.ascontiguousarray(triangles, np.int32),
            uv=np.ascontiguousarray(uv, np.float32),
            texture=linear.astype(np.float32),
        )

    def _body_part(self, model, weights, hidden, texture) -> dict:
        quads, corners = model.faces.numpy(), model.face_texture_coordinate_indices.numpy()
        triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
        corners = np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]])
        shown = np.tile((quads < BODY_VERTICES).all(1), 2) & ~hidden[triangles].any(1)
        return self._part(
            "skin", self.rest, weights, triangles[shown], model.texture_coordinates.numpy()[corners[shown]], texture
        )

    def _worn_part(self, name, garment, weights, texture) -> dict:
        share = garment["weights"][..., None]
        rest = (self.rest[garment["anchors"]] * share).sum(1) + garment["offsets"]
        worn = (weights[garment["anchors"]] * share).sum(1).clip(0)
        part = self._part(name, rest, worn / worn.sum(1, keepdims=True), garment["triangles"], garment["uv"], texture)
        return part | dict(anchors=garment["anchors"], share=share, offsets=garment["offsets"])

    def kinematics(self, pose: dict, root: np.ndarray):
        """Global bone rotations (T, B, 3, 3) and positions (T, B, 3); bones without a rotation follow their parent."""
        n, count = len(root), len(self.bones)
        rotation, position = np.empty((n, count, 3, 3)), np.empty((n, count, 3))
        for i, bone in enumerate(self.bones):
            p = self.parents[i]
            if p < 0:
                rotation[:, i], position[:, i] = pose[bone], root
            else:
                rotation[:, i] = pose.get(bone, rotation[:, p])
                position[:, i] = position[:, p] + rotation[:, p] @ (self.heads[i] - self.heads[p])
        return rotation, position

    def joints(self, rotation: np.ndarray, position: np.ndarray) -> np.ndarray:
        """The named joints, (T, 17, 3)."""
        joint = {k: position[:, self.index[b]] for k, b in _JOINT_BONES.items()}
        joint["pelvis"] = (joint["right_hip"] + joint["left_hip"]) / 2
        head = self.index["head"]
        crown = np.array([0, self.heads[head][1], self.rest[:BODY_VERTICES, 2].max()])
        joint["head_top"] = position[:, head] + rotation[:, head] @ (crown - self.heads[head])
        return np.stack([joint[k] for k in JOINT_NAMES], 1)

    def vertices(self, rotation: np.ndarray, position: np.ndarray) -> list:
        """Skinned vertices of each part for one moment; rotation (B, 3, 3), position (B, 3)."""
        return self.skinned([p["rest"] for p in self.parts], rotation, position)

    def skinned(self, rest: list, rotation: np.ndarray, position: np.ndarray) -> list:
        """Each part's vertices ``rest``, moved with the bones."""
        offset = (position - np.einsum("bij,bj->bi", rotation, self.heads)).astype(np.float32)
        rotation = rotation.astype(np.float32)
        return [_skin(r, p["bones"], p["weights"], rotation, offset) for r, p in zip(rest, self.parts, strict=True)]

    def appearance(self, wanted: tuple = APPEARANCE) -> np.ndarray:
        """Mean sRGB colour of the named parts, (n, 3) in [0, 1], over the texels that are worn."""
        colours = {}
        waist = self.heads[self.index["spine05"]][2]
        for part in self.parts:
            height, width = part["texture"].shape[:2]
            middle = part["uv"].mean(1) % 1
            texel = part["texture"][
                ((1 - middle[:, 1]) * (height - 1)).astype(int), (middle[:, 0] * (width - 1)).astype(int)
            ]
            corner = part["rest"][part["triangles"]]
            area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
            weight = area * (texel[:, 3] > 0.35)
            names = {part["name"]: np.ones(len(area), bool)}
            if part["name"] == "suit":
                upper = corner[..., 2].mean(1) > waist
                names = {"top": upper, "bottom": ~upper}
            for name, chosen in names.items():
                w = weight * chosen
                linear = (texel[:, :3] * w[:, None]).sum(0) / max(w.sum(), 1e-9)
                colours[name] = np.where(
                    linear <= 0.0031308, linear * 12.92, 1.055 * linear.clip(1e-9) ** (1 / 2.4) - 0.055
                )
        return np.stack([colours[k] for k in wanted])
