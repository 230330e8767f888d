"""COCO's keypoint annotations: pictures, annotations, and a category that names joints and edges."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from kp.errors import KpError
from kp.formats.poses import PoseFile, number_of
from kp.sides import find_mirror_pairs

Pair = tuple[str, str]
PAIRS = ("mirror_pairs", "symmetry", "symmetries", "flip_pairs")  # what tools call them; COCO itself has none


def read_coco(path: Path) -> PoseFile:
    """Every annotation with keypoints is a pose; annotations of one film, where pictures name it, share a scale.

    KpError if the file names no joints, or if poses are of several kinds of subject.
    """
    content = json.loads(path.read_text(encoding="utf-8-sig"))
    if isinstance(content, list):
        raise KpError(
            f"{path}: a list of COCO results, which names no joints; give the file of annotations, with categories"
        )
    if isinstance(content, dict) and "people" in content:
        raise KpError(f"{path}: OpenPose's file of one picture, which names no joints; write a table or COCO's file")
    lacking = next((name for name in ("categories", "annotations") if name not in content), None)
    if lacking:
        raise KpError(f"{path}: has no '{lacking}', so it is no COCO file of annotations; export it as COCO keypoints")
    categories = {str(c["id"]): c for c in content["categories"] if c.get("keypoints")}
    if not categories:
        raise KpError(f"{path}: no category has keypoints; COCO's person_keypoints files do")
    of_kind = [a for a in content["annotations"] if str(a["category_id"]) in categories]
    annotations = [a for a in of_kind if a.get("keypoints")]
    left_out = {
        "of categories without joints": len(content["annotations"]) - len(of_kind),
        "without keypoints": len(of_kind) - len(annotations),
    }
    counts = Counter(str(a["category_id"]) for a in annotations)
    if len(counts) > 1:
        each = ", ".join(f"{counts[i]} of '{categories[i].get('name', i)}'" for i in counts)
        raise KpError(f"{path}: holds poses of several categories ({each}); keep the annotations of one")
    category = categories[next(iter(counts), next(iter(categories)))]
    joints = tuple(map(str, category["keypoints"]))
    values = np.array([a["keypoints"] for a in annotations], float).reshape(len(annotations), len(joints), 3)
    marked = values[..., 2:] > 0
    scores = _scores(annotations, values)
    films = {
        str(image["id"]): str(image.get("video", image.get("video_id", ""))) for image in content.get("images", [])
    }
    return PoseFile(
        path,
        np.where(marked, values[..., :2], np.nan),
        joints,
        _edges(category, joints, path),
        _mirror_pairs(category, joints, path),
        scores,
        number_of([films.get(str(a.get("image_id")), "") for a in annotations]),
        notes=tuple(f"{count} annotations {what}" for what, count in left_out.items() if count),
    )


def _scores(annotations: list[dict], values: np.ndarray) -> np.ndarray | None:
    """Scores of joints: an extra field, the third number where it is no visibility (0, 1 or 2), or one per pose."""
    fields = [a.get("keypoint_scores", a.get("keypoints_scores")) for a in annotations]
    if any(field is not None for field in fields):
        none = [np.nan] * values.shape[1]
        return np.array([none if field is None else field for field in fields], float).reshape(values.shape[:2])
    if (values[..., 2] != values[..., 2].round()).any():
        return values[..., 2]
    if any("score" in a for a in annotations):
        return np.repeat(np.array([[a.get("score", np.nan)] for a in annotations], float), values.shape[1], 1)
    return None


def _edges(category: dict[str, Any], joints: tuple[str, ...], path: Path) -> tuple[Pair, ...]:
    """Edges by name. COCO counts joints from 1, some tools from 0: where numbers allow both, what makes the skeleton
    equal to its mirror image counts, else COCO's way.
    """
    found = _by_name(category.get("skeleton") or [], joints, path, "skeleton")
    pairs = dict(find_mirror_pairs(joints))
    other = pairs | {right: left for left, right in pairs.items()}

    def mirrored(edges: tuple[Pair, ...]) -> bool:
        return {frozenset(other.get(end, end) for end in edge) for edge in edges} == set(map(frozenset, edges))

    return next((edges for edges in found if pairs and mirrored(edges)), found[0])


def _mirror_pairs(category: dict[str, Any], joints: tuple[str, ...], path: Path) -> tuple[Pair, ...] | None:
    """Pairs that a category declares, by name or by number; None if it declares none. KpError if it cannot be known
    whether the numbers count from 0 or from 1.
    """
    name = next((name for name in PAIRS if category.get(name)), None)
    if name is None:
        return None
    found = _by_name(category[name], joints, path, name)
    named = set(map(frozenset, find_mirror_pairs(joints)))
    agreeing = [pairs for pairs in found if set(map(frozenset, pairs)) <= named]
    if len(found) == 1 or agreeing:
        return (agreeing or found)[0]
    raise KpError(
        f"{path}: the numbers in '{name}' may count from 0 or from 1, and neither fits the names of the joints; write "
        "the names"
    )


def _by_name(pairs: list[Any], joints: tuple[str, ...], path: Path, field: str) -> list[tuple[Pair, ...]]:
    """Pairs of joints, by name or by number, as pairs of names: with numbers from 1, and with numbers from 0, as far
    as they allow that. KpError if they allow neither.
    """
    ends = [end for pair in pairs for end in pair]
    if any(len(pair) != 2 for pair in pairs):
        raise KpError(f"{path}: '{field}' must hold pairs of joints; correct it")
    ways = [dict(enumerate(joints, first)) | {joint: joint for joint in joints} for first in (1, 0)]
    fitting = [way for way in ways if all(end in way for end in ends)]
    if not fitting:
        wrong = next((end for end in ends if not any(end in way for way in ways)), max(ends, key=str))
        raise KpError(f"{path}: '{field}' names joint {wrong!r}, but there are {len(joints)}; correct it")
    return list(dict.fromkeys(tuple((way[a], way[b]) for a, b in pairs) for way in fitting))
