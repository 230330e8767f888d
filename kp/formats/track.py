"""What was found in a film: a track, and the files that other tools open.

Every format holds the same numbers: (x, y) as pixel indices of the stored, upright frames, 0 at the centre of the first
pixel, and a confidence from 0 to 1 for every joint of every frame. Files appear whole or not at all.
"""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from kp.errors import KpError, library
from kp.figures import draw_poses, grid, overlay, write_figure
from kp.files import atomic_write
from kp.geometry import longest_run
from kp.pictures import count_pages, is_picture, pictures_in
from kp.skeletons import Skeleton
from kp.video import read_frames, write_video

SCORER = "DLC_kp"  # who marked the points; DeepLabCut looks for <film><scorer>.h5, and its scorers begin so
GLIMPSES = 8  # frames kept to be looked at


@dataclass(frozen=True)
class Track:
    """One subject in one film: ``keypoints`` (x, y) as pixel indices of its stored, upright frames, ``confidence`` in
    [0, 1].

    ``size``: (width, height) of these frames; ``rate``: frames a second, 1 for a picture. ``glimpses``: up to eight
    squares as the model saw them, at its size, with their keypoints in [-1, 1]. ``times``: seconds on the film's own
    clock, which may start anywhere; None means evenly spaced from 0. ``seen``: in which frames the subject was found;
    in the others the model looked where it was before. None means that whole frames were seen.
    ``second``: share of the frames with something else, nearly as large as the subject; ``blank``: share of
    those that show nothing, or noise.
    """

    video: Path
    size: tuple[int, int]
    rate: float
    skeleton: Skeleton
    keypoints: Float[np.ndarray, "t k 2"]
    confidence: Float[np.ndarray, "t k"]
    glimpses: list[tuple[Float[Tensor, "3 s s"], Float[Tensor, "k 2"]]]
    times: Float[np.ndarray, " t"] | None = None
    seen: Bool[np.ndarray, " t"] | None = None
    second: float = 0.0
    blank: float = 0.0

    @property
    def clock(self) -> Float[np.ndarray, " t"]:
        """Seconds of each frame."""
        return np.arange(len(self.keypoints)) / self.rate if self.times is None else self.times

    @property
    def longest_gap(self) -> int:
        """The most frames in a row in which the subject was not found."""
        return longest_run(~self.in_sight)

    @property
    def in_sight(self) -> Bool[np.ndarray, " t"]:
        """In which frames the subject was found, all of them where nobody looked for it."""
        return np.ones(len(self.keypoints), bool) if self.seen is None else self.seen

    def save(self, path: str | Path) -> None:
        """Write the file that the name's ending asks for: .csv and .npz (kp's), DLC_kp.csv, .dlc.csv or .h5
        (DeepLabCut), .json (COCO), .slp (SLEAP), .mp4 (the poses drawn over the film, which is read again), .png (some
        frames with their poses).

        KpError for another ending, if the file is the film itself, if it cannot be written, or if a library for it is
        missing.
        """
        path = Path(path)
        check_target(path, self.video)
        for ending, write in WRITERS.items():
            if path.name.lower().endswith(ending):
                return write(self, path)
        raise KpError(f"{path}: no format has this ending; use one of: {', '.join(WRITERS)}")


def pictures_of(film: Path) -> list[Path]:
    """The files of a folder of pictures, or of a single picture, a frame each; none for a film or a stack, or where
    they can be read no more.
    """
    try:
        if film.is_dir():
            return pictures_in(film)
        return [film] if film.is_file() and is_picture(film) and count_pages(film) == 1 else []
    except (OSError, KpError):
        return []


def check_target(path: Path, film: Path) -> None:
    """KpError if a file would take the place of a film, or of a picture in the folder of pictures that is one."""
    if path.resolve() in {film.resolve(), *(picture.resolve() for picture in pictures_of(film))}:
        raise KpError(f"{path}: is the film that was tracked, and would be lost; choose another name")


def write_csv(track: Track, path: Path) -> None:
    """One line per joint and frame: ``frame,joint,x,y,confidence,time,seen``; frames count from 0, ``time`` is in
    seconds, ``seen`` is 0 where the subject was not found.
    """
    with atomic_write(path) as part, open(part, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["frame", "joint", "x", "y", "confidence", "time", "seen"])
        rows = zip(track.keypoints.tolist(), track.confidence.tolist(), track.clock, track.in_sight, strict=True)
        for t, (pose, sure, time, seen) in enumerate(rows):
            lines = zip(track.skeleton.joints, pose, sure, strict=True)
            end = [f"{time:.6g}", int(seen)]
            writer.writerows([t, joint, f"{x:.3f}", f"{y:.3f}", f"{c:.3f}", *end] for joint, (x, y), c in lines)


def write_npz(track: Track, path: Path) -> None:
    """The same as arrays: keypoints (t, k, 2), confidence (t, k), time (t), seen (t), joint_names (k)."""
    with atomic_write(path) as part, open(part, "wb") as file:
        np.savez_compressed(
            file, keypoints=track.keypoints, confidence=track.confidence, time=track.clock, seen=track.in_sight,
            joint_names=track.skeleton.joints,
        )  # fmt: skip


def _columns(track: Track) -> tuple[list[tuple[str, str]], Float[np.ndarray, "t c"]]:
    """DeepLabCut's columns, (joint, x | y | likelihood), and their values."""
    values = np.concatenate([track.keypoints, track.confidence[..., None]], -1)
    return [(joint, what) for joint in track.skeleton.joints for what in ("x", "y", "likelihood")], values.reshape(
        len(values), -1
    )


def write_deeplabcut_csv(track: Track, path: Path) -> None:
    """DeepLabCut's table: three header lines (scorer, bodyparts, coords), then a line per frame."""
    columns, values = _columns(track)
    with atomic_write(path) as part, open(part, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["scorer", *[SCORER] * len(columns)])
        writer.writerow(["bodyparts", *(joint for joint, _ in columns)])
        writer.writerow(["coords", *(what for _, what in columns)])
        writer.writerows([t, *(f"{v:.3f}" for v in row)] for t, row in enumerate(values.tolist()))


def write_deeplabcut_h5(track: Track, path: Path) -> None:
    """The same table as HDF5, as pandas from 1.5 on reads it. KpError if pandas or tables is not installed."""
    pandas = library("pandas", "formats", path)
    tables = library("tables", "formats", path)
    columns, values = _columns(track)
    names = pandas.MultiIndex.from_tuples([(SCORER, *c) for c in columns], names=["scorer", "bodyparts", "coords"])
    with atomic_write(path) as part:
        try:
            pandas.DataFrame(values, columns=names).to_hdf(part, key="df_with_missing", mode="w", format="table")
            with tables.open_file(part, "a") as file:  # pandas before 3 needs it, and later ones do not write it
                file.root.df_with_missing._v_attrs.pandas_version = "0.15.2"
        except tables.HDF5ExtError as error:  # how it reports a write that failed
            raise OSError(str(error).splitlines()[-1]) from error


def write_coco(track: Track, path: Path) -> None:
    """COCO's keypoint annotations: one image and one annotation a frame. Confidences: an extra field,
    ``keypoint_scores``.
    """
    width, height = track.size
    images, annotations, pictures = [], [], pictures_of(track.video)
    for t, (pose, sure) in enumerate(zip(track.keypoints, track.confidence, strict=True)):
        name = pictures[t].name if pictures else f"{track.video.stem}_{t:06d}.png"
        images.append(
            {"id": t + 1, "file_name": name, "width": width, "height": height, "video": track.video.name, "frame": t}
        )
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
    with atomic_write(path) as part:
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
    pictures = [str(picture.absolute()) for picture in pictures_of(track.video) if picture != track.video]
    video = sio.Video(filename=pictures or str(track.video.absolute()), open_backend=bool(pictures))
    frames = []
    for t, (pose, sure) in enumerate(zip(track.keypoints, track.confidence, strict=True)):
        instance = sio.PredictedInstance.from_numpy(
            pose, point_scores=sure, score=float(sure.mean()), skeleton=skeleton
        )
        frames.append(sio.LabeledFrame(video=video, frame_idx=t, instances=[instance]))
    with atomic_write(path) as part:
        sio.save_slp(sio.Labels(frames), str(part))


def write_overlay(track: Track, path: Path) -> None:
    """A film with the poses of a track drawn over every frame: H.264, at the mean frame rate of the original.

    Length costs no memory. KpError if it cannot be written, or if the original has other frames now.
    """

    def drawn() -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        number = -1
        for number, frame in enumerate(read_frames(track.video)):
            if number == len(track.keypoints):
                break
            stretch = np.array(frame.pixels.shape[1::-1]) / np.array(track.size)
            pose = (track.keypoints[number] + 0.5) * stretch - 0.5
            yield draw_poses(frame.pixels[None], pose[None], track.skeleton)[0]
        if number != len(track.keypoints) - 1:
            raise KpError(
                f"{track.video}: no longer has the {len(track.keypoints)} frames of this track; track it again"
            )

    write_video(path, drawn(), crf=20, rate=track.rate, preset="veryfast")


def write_glimpses(track: Track, path: Path) -> None:
    """The squares that a track kept to be looked at, with their poses, in one row. KpError if it cannot be written."""
    write_figure(grid([("", [overlay(image, pose, track.skeleton) for image, pose in track.glimpses])], 1.6), path)


WRITERS = {
    ".dlc.csv": write_deeplabcut_csv,
    f"{SCORER.lower()}.csv": write_deeplabcut_csv,
    ".csv": write_csv,
    ".npz": write_npz,
    ".h5": write_deeplabcut_h5,
    ".json": write_coco,
    ".slp": write_sleap,
    ".mp4": write_overlay,
    ".png": write_glimpses,
}
"""Ending → writer."""
