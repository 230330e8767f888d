"""A tiny video set in the format of data/people: a stick figure in a coloured box that drifts to the right."""

import csv
import hashlib
from pathlib import Path

import av
import numpy as np

JOINTS = [
    "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "spine", "neck", "head", "head_top",
    "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
]  # fmt: skip
STANDING = np.array(
    [
        (0, 0), (-1, 0), (-1, 4), (-1, 8), (1, 0), (1, 4), (1, 8), (0, -3), (0, -6), (0, -8), (0, -10),
        (2, -6), (3, -3), (3, 0), (-2, -6), (-3, -3), (-3, 0),
    ],
    np.float32,
)  # fmt: skip
"""The subject faces us: its right is on our left. x to the right, y down."""

CLIPS = {"train": ("cmu", "cmu", "deepmimic"), "val": ("cmu", "deepmimic"), "test": ("cmu", "deepmimic")}
FRAMES = 8


def write_video(path: Path, frames: np.ndarray, **options: str) -> None:
    """H.264 mp4 of uint8 frames (t, h, w, 3). options: of the mp4 container."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=20)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.thread_count = "yuv420p", 1
        stream.options = {"crf": "10", "preset": "ultrafast"}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def moving_box(size: int, frames: int, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames, masks and keypoints (pixels) of one clip: a box in its own colour around the joints."""
    colour = ((200, 60, 60), (60, 200, 60), (60, 60, 200))[number % 3]
    images = np.full((frames, size, size, 3), 100, np.uint8)
    masks = np.zeros_like(images)
    keypoints = np.empty((frames, len(JOINTS), 2), np.float32)
    for t in range(frames):
        keypoints[t] = STANDING * (size / 32) + (size / 2 - 3 + t * 0.5, size / 2)
        (left, top), (right, bottom) = keypoints[t].min(0).astype(int), keypoints[t].max(0).astype(int)
        images[t, top : bottom + 1, left : right + 1] = colour
        masks[t, top : bottom + 1, left : right + 1] = 255
    return images, masks, keypoints


def prior_arrays(count: int = 60, size: int = 128) -> dict:
    """Standing poses with jitter, as a prior file holds them."""
    rng = np.random.default_rng(0)
    poses = (
        STANDING * (size / 32) * rng.uniform(0.8, 1.2, (count, 1, 1))
        + rng.normal(0, 2, (count, len(JOINTS), 2))
        + size / 2
    )
    sources = np.array(["cmu", "deepmimic"])[np.arange(count) % 2]
    return dict(
        keypoints=poses.astype(np.float32), source=sources, joint_names=np.array(JOINTS), frame_size=np.array(size)
    )


def seal(root: Path) -> None:
    """(Re)write SHA256SUMS."""
    files = sorted(p for p in root.rglob("*") if p.is_file() and p.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(root).as_posix()}\n" for p in files]
    (root / "SHA256SUMS").write_text("".join(lines))


def make_set(root: Path, size: int = 48, frames: int = FRAMES) -> Path:
    """videos/, masks/, clips.csv, priors/, truth/ and SHA256SUMS below ``root``."""
    rows = []
    for split, sources in CLIPS.items():
        truth = {"clip": [], "keypoints": [], "identity": [], "appearance": []}
        for i, source in enumerate(sources):
            images, masks, keypoints = moving_box(size, frames, i)
            name = f"{i:03d}"
            write_video(root / "videos" / split / f"{name}.mp4", images)
            write_video(root / "masks" / split / f"{name}.mp4", masks)
            rows.append(dict(split=split, clip=name, source=source, take=f"{split}_{i}", start=0))
            for key, value in dict(
                clip=name, keypoints=keypoints, identity=i, appearance=np.full((5, 3), i / 4, np.float32)
            ).items():
                truth[key].append(value)
        (root / "truth").mkdir(exist_ok=True)
        columns = {k: np.stack(v) for k, v in truth.items()}
        columns["appearance_names"] = np.array(["top", "bottom", "shoes", "skin", "hair"])
        np.savez_compressed(
            root / "truth" / f"{split}.npz", **columns, joint_names=np.array(JOINTS), frame_size=np.array(size)
        )
    with open(root / "clips.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    (root / "priors").mkdir()
    np.savez_compressed(root / "priors" / "matched.npz", **prior_arrays())
    seal(root)
    return root
