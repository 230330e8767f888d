"""Found keypoints as files that other tools open: CSV, DeepLabCut CSV and HDF5, COCO JSON, SLEAP.

Every format holds the same numbers: (x, y) as pixel indices of the video, 0 at the centre of the first pixel, and a
confidence from 0 to 1 for every joint of every frame. Files appear whole or not at all.
"""

import csv
import json
from pathlib import Path

import numpy as np
from jaxtyping import Float

from kp.libraries import library
from kp.tracking import Track
from kp.whole import whole

SCORER = "kp"  # DeepLabCut's name for who marked the points


def write_csv(track: Track, path: Path) -> None:
    """One line a joint and frame: ``frame,joint,x,y,confidence``; frames count from 0."""
    with whole(path) as part, open(part, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["frame", "joint", "x", "y", "confidence"])
        for t, (pose, sure) in enumerate(zip(track.keypoints.tolist(), track.confidence.tolist(), strict=True)):
            lines = zip(track.skeleton.joints, pose, sure, strict=True)
            writer.writerows([t, joint, f"{x:.3f}", f"{y:.3f}", f"{c:.3f}"] for joint, (x, y), c in lines)


def _columns(track: Track) -> tuple[list[tuple[str, str]], Float[np.ndarray, "t c"]]:
    """DeepLabCut's columns, (joint, x | y | likelihood), and their values."""
    values = np.concatenate([track.keypoints, track.confidence[..., None]], -1)
    return [(joint, what) for joint in track.skeleton.joints for what in ("x", "y", "likelihood")], values.reshape(len(values), -1)


def write_deeplabcut_csv(track: Track, path: Path) -> None:
    """DeepLabCut's table: three header lines (scorer, bodyparts, coords), then a line a frame."""
    columns, values = _columns(track)
    with whole(path) as part, open(part, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["scorer", *[SCORER] * len(columns)])
        writer.writerow(["bodyparts", *(joint for joint, _ in columns)])
        writer.writerow(["coords", *(what for _, what in columns)])
        writer.writerows([t, *(f"{v:.3f}" for v in row)] for t, row in enumerate(values.tolist()))


def write_deeplabcut_h5(track: Track, path: Path) -> None:
    """The same table as HDF5, as pandas reads it. KpError if pandas or tables is not installed."""
    pandas = library("pandas", "formats", path)
    tables = library("tables", "formats", path)
    columns, values = _columns(track)
    names = pandas.MultiIndex.from_tuples([(SCORER, *c) for c in columns], names=["scorer", "bodyparts", "coords"])
    with whole(path) as part:
        try:
            pandas.DataFrame(values, columns=names).to_hdf(part, key="df_with_missing", mode="w", format="table")
        except tables.HDF5ExtError as error:  # how it reports a write that failed
            raise OSError(str(error).splitlines()[-1]) from error


def write_coco(track: Track, path: Path) -> None:
    """COCO's keypoint annotations: one image and one annotation a frame. Confidences: an extra field, ``keypoint_scores``."""
    width, height = track.size
    images, annotations = [], []
    for t, (pose, sure) in enumerate(zip(track.keypoints, track.confidence, strict=True)):
        name = f"{track.video.stem}_{t:06d}.png"
        images.append({"id": t + 1, "file_name": name, "width": width, "height": height, "video": track.video.name, "frame": t})
        low, span = pose.min(0), np.ptp(pose, 0)
        annotations.append(
            {
                "id": t + 1,
                "image_id": t + 1,
                "category_id": 1,
                "iscrowd": 0,
                "num_keypoints": len(pose),
                "keypoints": [v for x, y in pose.tolist() for v in (round(x, 3), round(y, 3), 2)],
                "keypoint_scores": [round(c, 3) for c in sure.tolist()],
                "bbox": [round(v, 3) for v in (*low.tolist(), *span.tolist())],
                "area": round(float(span.prod()), 3),
                "score": round(float(sure.mean()), 3),
            }
        )
    edges = [[a + 1, b + 1] for a, b in track.skeleton.edge_indices]  # COCO counts from 1
    category = {"id": 1, "name": track.skeleton.name, "keypoints": list(track.skeleton.joints), "skeleton": edges}
    with whole(path) as part:
        part.write_text(json.dumps({"images": images, "annotations": annotations, "categories": [category]}) + "\n")


def write_sleap(track: Track, path: Path) -> None:
    """SLEAP's .slp, predicted instances with scores, by sleap-io. KpError if it is not installed."""
    sio = library("sleap_io", "formats", path)
    skeleton = sio.Skeleton(
        nodes=list(track.skeleton.joints),
        edges=list(track.skeleton.edges),
        symmetries=list(track.skeleton.mirror_pairs),
        name=track.skeleton.name,
    )
    video = sio.Video(filename=str(track.video), open_backend=False)
    frames = []
    for t, (pose, sure) in enumerate(zip(track.keypoints, track.confidence, strict=True)):
        found = sio.PredictedInstance.from_numpy(pose, point_scores=sure, score=float(sure.mean()), skeleton=skeleton)
        frames.append(sio.LabeledFrame(video=video, frame_idx=t, instances=[found]))
    with whole(path) as part:
        sio.save_slp(sio.Labels(frames), str(part))


FORMATS = {
    "csv": (".csv", write_csv),
    "dlc": (".dlc.csv", write_deeplabcut_csv),
    "dlc-h5": (".dlc.h5", write_deeplabcut_h5),
    "coco": (".coco.json", write_coco),
    "sleap": (".slp", write_sleap),
}
"""Format → (ending, writer)."""
