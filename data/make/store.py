"""How a rendered set is stored: videos and masks, one table of clips, truth apart, checksums."""

import csv
import hashlib
from pathlib import Path

import numpy as np

from kp.video import write_video


def write_clip(out: Path, split: str, name: str, images: list, covers: list) -> None:
    """Frames (S, S, 3) and coverages (S, S) in [0, 1] as a video and a video of masks."""

    def to_bytes(frames):
        return (np.stack(frames).clip(0, 1) * 255 + 0.5).astype(np.uint8)

    write_video(out / "videos" / split / f"{name}.mp4", to_bytes(images), 18)
    write_video(out / "masks" / split / f"{name}.mp4", np.repeat(to_bytes(covers)[..., None], 3, -1), 28)


def write_tables(
    out: Path, splits: list, rows: list, listed: list, appearance: tuple, common: dict, decimals: int = 2
) -> None:
    """clips.csv with the columns ``listed``, and truth/<split>.npz.

    ``common``: as in the priors; keypoints to ``decimals`` of a pixel.
    """
    rows = sorted(rows, key=lambda r: (splits.index(r["split"]), r["clip"]))
    with open(out / "clips.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, ["split", "clip", *listed], extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    (out / "truth").mkdir(exist_ok=True)
    for split in splits:
        own = [r for r in rows if r["split"] == split]
        columns = {
            k: np.stack([r[k] for r in own])
            for k in ("clip", "keypoints", "identity", "appearance", "turned", "elevation")
        }
        columns["keypoints"] = columns["keypoints"].astype(np.float32).round(decimals)
        for k in ("appearance", "turned", "elevation"):
            columns[k] = columns[k].astype(np.float32).round(3)
        np.savez_compressed(out / "truth" / f"{split}.npz", appearance_names=np.array(appearance), **columns, **common)


def write_prior(out: Path, name: str, keypoints: list, sources: list, common: dict, decimals: int = 2) -> None:
    (out / "priors").mkdir(exist_ok=True)
    poses = np.stack(keypoints).astype(np.float32).round(decimals)
    np.savez_compressed(out / "priors" / f"{name}.npz", keypoints=poses, source=np.array(sources), **common)


def write_sums(out: Path) -> None:
    """SHA256SUMS of every file of the set."""
    files = sorted(p for p in out.rglob("*") if p.is_file() and p.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(out).as_posix()}\n" for p in files]
    (out / "SHA256SUMS").write_text("".join(lines))
