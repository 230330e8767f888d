"""Poses from the files that other tools write: points in pixels of any images, with the names of their joints.

SLEAP and NWB are read by sleap-io. kp reads the rest itself: its own CSV and NPZ, motion capture (BVH), and
DeepLabCut's and COCO's files, since sleap-io leaves out every frame whose image is not at hand, and pandas executes
what an HDF5 file says (kp/formats/hdf5.py).
"""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from kp.errors import KpError, library
from kp.files import read_npz
from kp.formats.bvh import poses_of
from kp.formats.hdf5 import read_columns
from kp.skeletons import SHIPPED, Skeleton, mirror_name

FAR = 1_000_000  # pixels: no picture is as large


@dataclass(frozen=True)
class PoseFile:
    """``keypoints`` (x, y) in pixels, NaN where a joint is not marked; ``edges`` between joints and ``mirror_pairs``
    (left, right), as far as the file declares them.

    ``sequence``: whether the poses were seen by one camera, so that their sizes can be compared.
    """

    path: Path
    keypoints: Float[np.ndarray, "n k 2"]
    joints: tuple[str, ...]
    edges: tuple[tuple[str, str], ...] = ()
    sequence: bool = True
    mirror_pairs: tuple[tuple[str, str], ...] = ()


def read_pose_file(path: Path) -> PoseFile:
    """Read a pose file by its ending and, for CSV, its first line. KpError names the file and what is wrong with it."""
    if not path.is_file():
        raise KpError(f"{path}: no such file; check the path")
    readers: dict[str, Callable[[Path], PoseFile]] = {
        ".npz": _read_npz,
        ".csv": _read_csv,
        ".h5": _read_h5,
        ".json": _read_coco,
        ".slp": _read_sleap,
        ".nwb": _read_sleap,
        ".bvh": _read_bvh,
    }
    if path.suffix.lower() not in readers:
        raise KpError(f"{path}: not a pose file that kp reads; it takes {', '.join(readers)}")
    try:
        poses = readers[path.suffix.lower()](path)
    except (OSError, LookupError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise KpError(f"{path}: not a readable pose file ({type(error).__name__}: {reason}); write it again") from error
    if len(set(poses.joints)) < len(poses.joints) or not len(poses.keypoints):
        raise KpError(
            f"{path}: holds {len(poses.keypoints)} poses of {len(poses.joints)} joints; there must be poses, and "
            "joints must differ"
        )
    if (np.abs(poses.keypoints) > FAR).any():  # not NaN: those are joints that are not marked
        raise KpError(f"{path}: holds coordinates beyond {FAR:,} pixels, or infinite ones; remove those poses")
    return poses


def _read_npz(path: Path) -> PoseFile:
    data = read_npz(path, ("keypoints", "joint_names"))
    keypoints, joints = np.asarray(data["keypoints"], float), tuple(map(str, data["joint_names"]))
    if keypoints.ndim != 3 or keypoints.shape[1:] != (len(joints), 2):
        raise KpError(f"{path}: keypoints have shape {keypoints.shape}; expected (poses, {len(joints)}, 2)")
    with np.load(path) as file:
        # a prior of kp's: its poses lie in one frame, so their sizes can be compared
        framed = "frame_size" in file.files
    return PoseFile(path, keypoints, joints, sequence=framed)


def _read_csv(path: Path) -> PoseFile:
    with open(path, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row]
    if rows and rows[0][0] == "scorer":
        return _read_deeplabcut_rows(path, rows)
    if rows and rows[0][:2] == ["track", "frame_idx"]:
        return _read_sleap(path)
    wanted = ["frame", "joint", "x", "y"]
    if not rows or rows[0][:4] != wanted:
        raise KpError(
            f"{path}: first line is {','.join(rows[0][:5]) if rows else 'empty'}; expected frame,joint,x,y or "
            "DeepLabCut's 'scorer'"
        )
    joints = tuple(dict.fromkeys(row[1] for row in rows[1:]))
    frames = {f: i for i, f in enumerate(dict.fromkeys(row[0] for row in rows[1:]))}
    keypoints = np.full((len(frames), len(joints), 2), np.nan)
    for frame, joint, x, y, *_ in rows[1:]:
        keypoints[frames[frame], joints.index(joint)] = (float(x or "nan"), float(y or "nan"))
    return PoseFile(path, keypoints, joints)


def _read_deeplabcut_rows(path: Path, rows: list[list[str]]) -> PoseFile:
    """scorer, [individuals,] bodyparts, coords; then a line a frame.

    Labelled data have two or three columns of names first.
    """
    lines = {"scorer", "individuals", "bodyparts", "coords"}
    head = {row[0]: row for row in rows if row[0] in lines}
    values = [row for row in rows if row[0] not in lines]
    named = zip(head["bodyparts"], head["coords"], strict=True)
    columns = {(joint, what): i for i, (joint, what) in enumerate(named) if what in ("x", "y")}
    if "individuals" in head and len({head["individuals"][i] for i in columns.values()}) > 1:
        raise KpError(f"{path}: shows several individuals; kp reads one: write a file for each")
    joints = tuple(dict.fromkeys(joint for joint, _ in columns))

    def number(text):
        return float(text) if text else float("nan")

    keypoints = np.array(
        [[[number(row[columns[joint, what]]) for what in ("x", "y")] for joint in joints] for row in values]
    )
    return PoseFile(path, keypoints.reshape(len(values), len(joints), 2), joints)


def _read_deeplabcut_h5(path: Path) -> PoseFile:
    columns, values = read_columns(path)
    if len({column.get("individuals") for column in columns}) > 1:
        raise KpError(f"{path}: shows several individuals; kp reads one: write a file for each")
    places = [(column["bodyparts"], column["coords"]) for column in columns]
    joints = tuple(dict.fromkeys(joint for joint, _ in places))
    keypoints = np.stack([np.stack([values[:, places.index((j, what))] for what in ("x", "y")], 1) for j in joints], 1)
    return PoseFile(path, keypoints, joints)


def _read_coco(path: Path) -> PoseFile:
    content = json.loads(path.read_text(encoding="utf-8"))
    (category,) = [c for c in content["categories"] if c.get("keypoints")][:1] or [None]
    if category is None:
        raise KpError(f"{path}: no category has keypoints; COCO's person_keypoints files do")
    joints = tuple(map(str, category["keypoints"]))
    edges = tuple((joints[a - 1], joints[b - 1]) for a, b in category.get("skeleton", []))
    annotations = [
        a["keypoints"] for a in content["annotations"] if a.get("keypoints") and a["category_id"] == category["id"]
    ]
    values = np.array(annotations, float).reshape(len(annotations), len(joints), 3)
    return PoseFile(path, np.where(values[..., 2:] > 0, values[..., :2], np.nan), joints, edges, sequence=False)


def _read_sleap(path: Path) -> PoseFile:
    """What sleap-io reads: .slp, .nwb, SLEAP's analysis .h5.

    In a frame that a user labelled, predictions do not count.
    """
    sio = library("sleap_io", "formats", path)
    labels = sio.load_file(str(path), open_videos=False)
    skeleton = labels.skeleton
    poses = [instance.numpy() for frame in labels for instance in (frame.user_instances or frame.instances)]
    if not poses:
        raise KpError(f"{path}: holds no poses; label some frames, or predict them, and save again")
    pairs = tuple(tuple(sorted(pair, key=_is_right)) for pair in skeleton.symmetry_names)
    edges = tuple(map(tuple, skeleton.edge_names))
    return PoseFile(path, np.stack(poses).astype(float), tuple(skeleton.node_names), edges, False, pairs)


def _is_right(joint: str) -> bool:
    """Whether a name is that of the right-hand joint of a pair: mirroring does not change it."""
    return mirror_name(joint) == joint


def _read_h5(path: Path) -> PoseFile:
    """DeepLabCut's table, or SLEAP's analysis file."""
    with library("h5py", "formats", path).File(path, "r") as file:
        analysis = "node_names" in file and "tracks" in file
        whole = "point_scores" in file
    if analysis and not whole:
        raise KpError(f"{path}: SLEAP's analysis file, but without scores, which its reader wants; give the .slp")
    return _read_sleap(path) if analysis else _read_deeplabcut_h5(path)


def _read_bvh(path: Path) -> PoseFile:
    return PoseFile(path, *poses_of(path))


def choose_skeleton(pose_file: PoseFile, named: Skeleton | None = None) -> Skeleton:
    """The topology of a pose file: the one ``named``; else a shipped one that has exactly these joints; else the file's
    own edges.

    Mirror pairs are those that the file declares, else names such as left_knee and right_knee, or kneeL and kneeR.
    KpError if the file lacks joints of the named one, or has no edges and fits no shipped one.
    """
    if named:
        missing = [j for j in named.joints if j not in pose_file.joints]
        if missing:
            raise KpError(
                f"{pose_file.path}: has no joint '{missing[0]}' of the skeleton '{named.name}'; it has: "
                f"{', '.join(pose_file.joints)}"
            )
        return named
    for skeleton in SHIPPED:
        if set(skeleton.joints) == set(pose_file.joints):
            return skeleton
    if not pose_file.edges:
        raise KpError(
            f"{pose_file.path}: its {len(pose_file.joints)} joints are those of no shipped skeleton, and it names no "
            "edges; declare a skeleton in "
            "a .json file (see data/hand/hand.json) and give it with --skeleton"
        )
    by_name = tuple(
        (joint, other)
        for joint in pose_file.joints
        if (other := mirror_name(joint)) in pose_file.joints and other != joint
    )
    pairs = pose_file.mirror_pairs or by_name
    return Skeleton(pose_file.path.stem, pose_file.joints, pose_file.edges, pairs)
