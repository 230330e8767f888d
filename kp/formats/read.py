"""Poses from the files that other tools write: points in pixels of any images, with the names of their joints.

SLEAP and NWB are read by sleap-io. kp reads the rest itself: its own CSV and NPZ, motion capture (BVH), and
DeepLabCut's and COCO's files, since sleap-io leaves out every frame whose image is not at hand, and pandas executes
what an HDF5 file says (kp/formats/hdf5.py).
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from kp.errors import KpError, library
from kp.files import read_npz
from kp.formats import deeplabcut
from kp.formats.bodies import as_body
from kp.formats.bvh import poses_of
from kp.formats.coco import read_coco
from kp.formats.poses import MIN_LIKELIHOOD, PoseFile, checked
from kp.formats.rows import read_rows
from kp.formats.sleap import read_sleap
from kp.formats.tables import is_long, read_long, read_wide
from kp.skeletons import BODY, SHIPPED, Skeleton, pairs_by_name


def read_pose_file(path: Path, min_likelihood: float = MIN_LIKELIHOOD) -> PoseFile:
    """Read a pose file by its ending and, for CSV, its first line. Joints of a lower score than ``min_likelihood`` are
    not marked. KpError names the file and what is wrong with it.
    """
    if not path.is_file():
        raise KpError(f"{path}: no such file; check the path")
    readers: dict[str, Callable[[Path], PoseFile]] = {
        ".npz": _read_npz,
        ".csv": _read_csv,
        ".h5": _read_h5,
        ".json": read_coco,
        ".slp": read_sleap,
        ".nwb": read_sleap,
        ".bvh": _read_bvh,
    }
    if path.suffix.lower() not in readers:
        raise KpError(f"{path}: not a pose file that kp reads; it takes {', '.join(readers)}")
    try:
        poses = readers[path.suffix.lower()](path)
    except (OSError, LookupError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise KpError(f"{path}: not a readable pose file ({type(error).__name__}: {reason}); write it again") from error
    return checked(poses, pixels=path.suffix.lower() != ".bvh").likely(min_likelihood)


def _read_npz(path: Path) -> PoseFile:
    data = read_npz(path, ("keypoints", "joint_names"), ("confidence", "frame_size", "time"))
    keypoints, joints = np.asarray(data["keypoints"], float), tuple(map(str, data["joint_names"]))
    if keypoints.ndim != 3 or keypoints.shape[1:] != (len(joints), 2):
        raise KpError(f"{path}: keypoints have shape {keypoints.shape}; expected (poses, {len(joints)}, 2)")
    # a prior of kp's lies in one frame, a track in one film: sizes can be compared
    one = {"frame_size", "time"} & set(data)
    scores = np.asarray(data["confidence"], float) if "confidence" in data else None
    if scores is not None and scores.shape != keypoints.shape[:2]:
        raise KpError(f"{path}: confidence has shape {scores.shape}; expected {keypoints.shape[:2]}")
    return PoseFile(path, keypoints, joints, scores=scores, cameras=None if one else np.full(len(keypoints), -1))


def _read_csv(path: Path) -> PoseFile:
    rows = read_rows(path)
    first = [cell.lower() for cell in rows.rows[0].cells] if rows.rows else []
    if first and first[0] in deeplabcut.HEADS:
        return deeplabcut.read_csv_rows(rows)
    if first[:2] == ["track", "frame_idx"]:
        return read_sleap(path)
    if is_long(first):
        return read_long(rows)
    wide = read_wide(rows) if rows.rows else None
    if wide is None:
        raise KpError(
            f"{path}: first line is {','.join(rows.rows[0].cells[:5]) if rows.rows else 'empty'}; expected "
            "frame,joint,x,y or DeepLabCut's 'scorer', or columns such as nose_x and nose_y"
        )
    return wide


def _read_h5(path: Path) -> PoseFile:
    """DeepLabCut's table, or SLEAP's analysis file."""
    with library("h5py", "formats", path).File(path, "r") as file:
        analysis = "node_names" in file and "tracks" in file
        whole = "point_scores" in file
    if analysis and not whole:
        raise KpError(f"{path}: SLEAP's analysis file, but without scores, which its reader needs; give the .slp")
    return read_sleap(path) if analysis else deeplabcut.read_hdf5(path)


def _read_bvh(path: Path) -> PoseFile:
    return PoseFile(path, *poses_of(path))


def fit_skeleton(pose_file: PoseFile, named: Skeleton | None = None) -> tuple[PoseFile, Skeleton]:
    """The poses, and their topology: the one ``named``; else a shipped one that has exactly these joints; else the
    file's own joints and edges.

    Where the skeleton "body" is named, or the file has no edges, joints that other tools name are turned into its
    joints (:mod:`kp.formats.bodies`). Mirror pairs are those that the file declares, else those that the names say.
    KpError if the file lacks joints of the named one, has no edges and fits no shipped one, or if its names say sides
    of which none has an opposite.
    """
    if named and set(named.joints) <= set(pose_file.joints):
        return pose_file, named
    body = as_body(pose_file) if named in (None, BODY) else None
    if named:
        if body:
            return body, BODY
        missing = next(joint for joint in named.joints if joint not in pose_file.joints)
        raise KpError(
            f"{pose_file.path}: has no joint '{missing}' of the skeleton '{named.name}'; it has: "
            f"{', '.join(pose_file.joints)}"
        )
    for skeleton in SHIPPED:
        if set(skeleton.joints) == set(pose_file.joints):
            return pose_file, skeleton
    if pose_file.edges:
        pairs = pose_file.mirror_pairs
        pairs = pairs_by_name(pose_file.joints, pose_file.path) if pairs is None else pairs
        return pose_file, Skeleton(pose_file.path.stem, pose_file.joints, pose_file.edges, pairs)
    if body:
        return body, BODY
    raise KpError(
        f"{pose_file.path}: its {len(pose_file.joints)} joints are those of no shipped skeleton, and it names no "
        "edges; declare a skeleton in a .json file (see data/hand/hand.json) and give it with --skeleton"
    )
