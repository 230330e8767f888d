"""SLEAP's and NWB's files, read by sleap-io."""

from pathlib import Path

import numpy as np

from kp.errors import KpError, library
from kp.formats.hdf5 import check_hdf5
from kp.formats.poses import PoseFile
from kp.sides import split_side


def read_sleap(path: Path) -> PoseFile:
    """What sleap-io reads: .slp, .nwb, SLEAP's analysis .h5 and .csv.

    In a frame that a user labelled, predictions do not count. KpError if there are no poses, or several skeletons.
    """
    sio = library("sleap_io", "formats", path)
    if path.suffix.lower() != ".csv":
        check_hdf5(path)
    try:
        labels = sio.load_file(str(path), open_videos=False)
    except (LookupError, AttributeError, TypeError, ValueError) as error:
        if path.suffix.lower() != ".nwb":
            raise
        raise KpError(
            f"{path}: an NWB file that SLEAP did not write, which kp cannot read; write its poses as a table (CSV)"
        ) from error
    instances = [(frame.video, i) for frame in labels for i in (frame.user_instances or frame.instances)]
    if not instances:
        raise KpError(f"{path}: holds no poses; label some frames, or predict them, and save again")
    skeletons = {id(instance.skeleton): instance.skeleton for _, instance in instances}
    if len(skeletons) > 1:
        each = ", ".join(f"{sum(i.skeleton is s for _, i in instances)} of '{s.name}'" for s in skeletons.values())
        raise KpError(f"{path}: holds poses of several skeletons ({each}); keep the instances of one")
    (skeleton,) = skeletons.values()
    joints = tuple(skeleton.node_names)
    scores = np.full((len(instances), len(joints)), np.nan)
    for row, (_, instance) in zip(scores, instances, strict=True):
        if isinstance(instance, sio.PredictedInstance):
            row[:] = instance.numpy(scores=True)[:, 2]
    pairs = tuple(tuple(sorted(pair, key=lambda joint: split_side(joint)[0])) for pair in skeleton.symmetry_names)
    videos = list(dict.fromkeys(id(video) for video, _ in instances))
    return PoseFile(
        path,
        np.stack([instance.numpy() for _, instance in instances]).astype(float),
        joints,
        tuple(map(tuple, skeleton.edge_names)),
        pairs or None,
        scores if np.isfinite(scores).any() else None,
        np.array([videos.index(id(video)) for video, _ in instances]),
    )
