"""COCO's keypoint annotations: pictures, annotations, and a category that names joints and edges."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from kp.errors import KpError
from kp.formats.poses import PoseFile, number_of

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
    categories = {c["id"]: c for c in content["categories"] if c.get("keypoints")}
    if not categories:
        raise KpError(f"{path}: no category has keypoints; COCO's person_keypoints files do")
    annotations = [a for a in content["annotations"] if a.get("keypoints") and a["category_id"] in categories]
    counts = Counter(a["category_id"] for a in annotations)
    if len(counts) > 1:
        each = ", ".join(f"{counts[i]} of '{categories[i].get('name', i)}'" for i in counts)
        raise KpError(f"{path}: holds poses of several categories ({each}); keep the annotations of one")
    category = categories[next(iter(counts), next(iter(categories)))]
    joints = tuple(map(str, category["keypoints"]))
    values = np.array([a["keypoints"] for a in annotations], float).reshape(len(annotations), len(joints), 3)
    marked = values[..., 2:] > 0
    scores = _scores(annotations, values)
    films = {image["id"]: str(image.get("video", image.get("video_id", ""))) for image in content.get("images", [])}
    return PoseFile(
        path,
        np.where(marked, values[..., :2], np.nan),
        joints,
        _edges(category, joints, path),
        _mirror_pairs(category, joints, path),
        scores,
        number_of([films.get(a.get("image_id"), "") for a in annotations]),
    )


def _scores(annotations: list[dict], values: np.ndarray) -> np.ndarray | None:
    """Scores of joints: an extra field, the third number where it is no visibility (0, 1 or 2), or one a pose."""
    fields = [a.get("keypoint_scores", a.get("keypoints_scores")) for a in annotations]
    if any(field is not None for field in fields):
        none = [np.nan] * values.shape[1]
        return np.array([none if field is None else field for field in fields], float).reshape(values.shape[:2])
    if (values[..., 2] != values[..., 2].round()).any():
        return values[..., 2]
    if any("score" in a for a in annotations):
        return np.repeat(np.array([[a.get("score", np.nan)] for a in annotations], float), values.shape[1], 1)
    return None


def _edges(category: dict[str, Any], joints: tuple[str, ...], path: Path) -> tuple[tuple[str, str], ...]:
    """Edges by name. COCO counts joints from 1; where one is number 0, all count from 0."""
    pairs = category.get("skeleton") or []
    numbers = [end for pair in pairs for end in pair if not isinstance(end, str)]
    first = 0 if 0 in numbers else 1
    wrong = [end for end in numbers if not (isinstance(end, int) and first <= end < first + len(joints))]
    wrong += [end for pair in pairs for end in pair if isinstance(end, str) and end not in joints]
    if wrong:
        raise KpError(f"{path}: an edge ends at joint {wrong[0]!r}, but there are {len(joints)}; correct 'skeleton'")
    return tuple(tuple(end if isinstance(end, str) else joints[end - first] for end in pair) for pair in pairs)


def _mirror_pairs(category: dict[str, Any], joints: tuple[str, ...], path: Path) -> tuple[tuple[str, str], ...] | None:
    """Pairs that a category declares, by name or by number; None if it declares none."""
    pairs = next((category[name] for name in PAIRS if category.get(name)), None)
    if pairs is None:
        return None
    return _edges({"skeleton": pairs}, joints, path)
