"""Real flies against labels that people made: ``python -m kp.research.scripts.flies``.

One record for each fly, way of finding the joints, and seed, and beside it what was found in each labelled frame; what
has a record is skipped. Ways: the prior's mean pose, retrieval by outlines, a reader taught by cardboard figures, a
student of that reader, which is taught by the fly's own film, a network taught by 35 labelled frames of the other fly,
and SLEAP's network, which was taught by labels.
"""

import time
from pathlib import Path

import numpy as np
import torch
import tyro
from torch import Tensor
from tqdm import tqdm

from kp.config import Config, Optimizer, flies, laptop
from kp.datasets.clips import load_clips, to_images
from kp.datasets.priors import load_prior
from kp.files import sha256
from kp.inference.predictor import Predictor
from kp.own_video.cardboard import CardboardRenderer
from kp.own_video.lessons import teach_figures
from kp.own_video.reader import mirrored_mean, read_frames
from kp.provenance import command_line, data_checksum, write_record
from kp.research.flies import Labels, errors, load_labels, train_on_labels
from kp.research.outlines import retrieve
from kp.skeletons import Skeleton, find_skeleton
from kp.training.distil import train_student
from kp.training.loop import train
from kp.validation import check_names

FLIES = {"first": "second", "second": "first"}  # fly → the other
WAYS = ("mean_pose", "retrieval", "reader", "student", "labels_35", "sleap")
RANDOM = ("reader", "student", "labels_35")  # ways that depend on the seed
FOLDER = Path("data/flies")
FIGURE = FOLDER / "cardboard.json"


def teach(config: Config, steps: int, runs: Path) -> tuple[torch.nn.Module, CardboardRenderer]:
    """The reader of a fly's prior and film, and the renderer of the figures that taught it."""
    keep = runs / f"reader_{config.data.videos.name}_seed{config.seed}_{sha256(FIGURE)[:12]}.pt"
    clips = load_clips(config.data.videos, "train", config.data.size, background=True)
    taught = teach_figures(FIGURE, config, clips, steps, keep)
    keep.unlink(missing_ok=True)
    return taught


def student(config: Config, steps: int, lessons: int, runs: Path) -> Predictor:
    """Φ and η, taught by what the reader sees in the fly's film."""
    reader, renderer = teach(config, steps, runs)
    start = runs / f"start_{config.data.videos.name}_seed{config.seed}"
    teacher = train(config.but(**{"optimizer.steps": 0}), start).predictor()
    clips = load_clips(config.data.videos, "train", config.data.size, background=True)
    labels = [read_frames(reader, to_images(frames), renderer) for frames in clips.frames]
    return train_student(teacher, config.but(**{"optimizer.steps": lessons, "optimizer.batch": 16}), clips, labels)


def find(
    way: str, name: str, seed: int, labels: Labels, skeleton: Skeleton, steps: int, lessons: int, runs: Path
) -> Tensor:
    """What one way finds in the labelled frames: keypoints (n, k, 2) in [-1, 1]."""
    config = flies(FOLDER / name).but(seed=seed)
    poses = load_prior(config.data)
    if way == "mean_pose":
        return poses.keypoints.mean(0).expand_as(labels.keypoints)
    if way == "retrieval":
        return retrieve((labels.images[:, :1] > -0.9).float(), poses, skeleton, seed)
    if way == "reader":
        reader, renderer = teach(config, steps, runs)
        return read_frames(reader, labels.images, renderer)
    if way == "student":
        made = student(config, steps, lessons, runs)
        made.save(runs / f"student_{name}_seed{seed}.safetensors")
        return made.mirrored_mean(labels.images)
    if way == "labels_35":
        other = load_labels(FOLDER / FLIES[name], skeleton, config.data.size)
        net = train_on_labels(other, 35, skeleton, Optimizer(steps=steps, batch=16, lr=4e-3), seed)
        return mirrored_mean(net, labels.images[:, :1], skeleton)
    return labels.tracked


def main(
    ways: tuple[str, ...] = WAYS,
    names: tuple[str, ...] = ("first", "second"),
    seeds: tuple[int, ...] = (0, 1, 2),
    steps: int = 2000,
    lessons: int = 1000,
    runs: Path = Path("runs/flies"),
    out: Path = Path("results/flies"),
) -> None:
    """Measure what has no record in ``out`` yet.

    Args:
        ways: Ways of finding the joints.
        names: Flies.
        seeds: Seeds of what is trained.
        steps: Steps of the reader, and of the network taught by labels.
        lessons: Steps of the student.
        runs: Where to keep what is trained.
        out: Folder for the records.
    """
    check_names(ways, WAYS, "way")
    check_names(names, list(FLIES), "fly")
    skeleton = find_skeleton("data/flies/fly.json")
    runs.mkdir(parents=True, exist_ok=True)
    for name in names:
        labels = load_labels(FOLDER / name, skeleton, laptop().data.size)
        for way, seed in tqdm([(w, s) for w in ways for s in (seeds if w in RANDOM else seeds[:1])], name, unit="run"):
            path = out / f"{way}_{name}_seed{seed}.json"
            if path.exists():
                continue
            started = time.perf_counter()
            points = find(way, name, seed, labels, skeleton, steps, lessons, runs)
            found = errors(points, labels, skeleton)
            about = {"way": way, "fly": name, "seed": seed, "command": command_line(), "figure": sha256(FIGURE)[:12]}
            about |= {"steps": steps, "lessons": lessons if way == "student" else 0} if way in RANDOM else {}
            about |= {"data_checksum": data_checksum(FOLDER / name)}
            write_record(path, about | {"seconds": round(time.perf_counter() - started)} | found)
            np.savez_compressed(path.with_suffix(".npz"), keypoints=points.numpy().astype(np.float16))
            print(f"{way}, {name} fly, seed {seed}: val {found['val']['all']:.2f}, test {found['test']['all']:.2f} %")


if __name__ == "__main__":
    tyro.cli(main)
