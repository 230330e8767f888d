"""What outlines alone give, on the same test clips: ``python -m kp.research.scripts.outlines``.

Writes one record a way of reading, silhouettes and prior into <out>; what is there already is skipped.
"""

import dataclasses
import itertools
import tempfile
from functools import cache
from pathlib import Path

import torch
import tyro
from torch import Tensor

from kp.config import Config, Optimizer, find_preset
from kp.datasets.clips import Clips, load_clips, to_images
from kp.datasets.priors import Poses
from kp.datasets.retrieval import silhouettes
from kp.datasets.sets import open_prior
from kp.evaluation.evaluate import EVERY, load_test
from kp.evaluation.metrics import score
from kp.method.networks import Encoder
from kp.own_video.masks.motion import subject_mask, train_foreground
from kp.provenance import command_line, write_record
from kp.research.ablations import find_ablation
from kp.research.baselines import read
from kp.research.outlines import motion_silhouettes, retrieve, train_on_outlines
from kp.skeletons import find_skeleton
from kp.training.distil import train_student
from kp.training.loop import train

PRIORS = {"near": "full", "far": "other_prior"}  # name → the setting whose videos and prior they are
MASKS = ("true", "motion", "learnt", "training")
WAYS = ("retrieval", "network", "student")
LESSONS = 2  # every second frame of a training clip teaches a student


@cache  # retrieval and student ask the same network
def foreground(config: Config) -> Encoder:
    """A network that learnt from the training clips, without any mask, which pixels look like what moves."""
    data = config.data
    return train_foreground(load_clips(data.videos, "train", data.size, True, data.source), seed=config.seed).eval()


def shapes(config: Config, split: str, masks: str, every: int) -> Tensor:
    """Silhouettes (n, 1, s, s) of every so many frames of a split: by the true masks, by what moves in the clip, or by
    a network that learnt what moves.
    """
    data, true = config.data, masks in ("true", "training")
    clips = load_clips(data.videos, split, data.size, not true, data.source)
    if true:
        return torch.cat([silhouettes(to_images(frames[::every])) for frames in clips.frames])
    if masks == "motion":
        return torch.cat([motion_silhouettes(frames)[::every] for frames in clips.frames])
    net = foreground(config)
    return torch.cat([subject_mask(net, frames)[::every, None].float() for frames in clips.frames])


def student(config: Config, masks: str, poses: Poses) -> torch.nn.Module:
    """A network that learnt from the training frames themselves what the retrieval found in their silhouettes. It
    begins with η as it reads drawings of the prior, and an untrained Φ.
    """
    data = config.data
    clips = load_clips(data.videos, "train", data.size, masks != "true", data.source)
    clips = Clips(clips.names, clips.sources, [frames[::LESSONS] for frames in clips.frames])
    found = retrieve(shapes(config, "train", masks, LESSONS), poses, find_skeleton(data.skeleton), config.seed)
    with tempfile.TemporaryDirectory() as folder:
        beginner = train(config.but(**{"optimizer.steps": 0}), Path(folder) / "run", poses=poses).predictor()
    rates = {"optimizer.schedule": "one-cycle", "optimizer.lr": 1e-3, "data.augment": True}
    lessons = list(found.split([len(frames) for frames in clips.frames]))
    return train_student(beginner, config.but(**rates), clips, lessons).model


def main(
    out: Path = Path("results/outlines"),
    split: str = "test",
    ways: tuple[str, ...] = WAYS,
    masks: tuple[str, ...] = MASKS,
    priors: tuple[str, ...] = tuple(PRIORS),
    preset: str = "study",
    steps: int = 2000,
    seed: int = 0,
) -> None:
    """Read the poses of a split from outlines, and measure.

    Args:
        out: Folder for the records.
        split: test, or val to choose constants on.
        ways: retrieval: weighted, no training; network: taught by drawings; student: of the retrieval, from images.
        masks: true: frames are black around the subject; motion: what differs from the median of its clip; learnt: a
            network that learnt what moves; training (student only): true masks in training, frames with their rooms.
        priors: near: all videos, a prior of the same kind; far: videos of source A, prior of source B.
        preset: Sizes and rates of what is trained.
        steps: Steps of the network and of the student.
        seed: Of weights, batches and copies of poses.
    """
    for name, kind, way in itertools.product(priors, masks, ways):
        if kind == "training" and way != "student":
            continue
        path = out / f"{way}_{kind}_{name}_seed{seed}.json"
        if path.exists():
            print(f"{path}: there already, skipped")
            continue
        config = find_ablation(PRIORS[name])[1](find_preset(preset)()).but(seed=seed)
        config = config.but(**{"data.background": kind != "true", "optimizer.steps": steps})
        skeleton, poses = find_skeleton(config.data.skeleton), open_prior(config.data, seed)
        test = load_test(config.data, split)
        if way == "student":  # sees the frames themselves; silhouettes teach it, and are not needed any more
            keypoints = read(student(config, kind, poses), test.images.flatten(0, 1))
        else:
            seen = shapes(config, split, kind, EVERY)
            if way == "retrieval":
                keypoints = retrieve(seen, poses, skeleton, seed)
            else:
                rates = Optimizer(lr=2e-3, steps=steps)
                keypoints = read(train_on_outlines(poses, skeleton, config, rates, "outlines"), seen * 2 - 1)
        found, mean = keypoints.unflatten(0, test.keypoints.shape[:2]), poses.keypoints.mean(0)
        scores = dataclasses.asdict(score(found, test.keypoints, found, mean, skeleton, test.factors))
        scores.pop("label_free")  # that reading belongs to the method
        about = {"way": way, "masks": kind, "prior": name, "split": split, "seed": seed}
        numbers = about | scores | {"config": dataclasses.asdict(config)}
        write_record(path, numbers | {"command": command_line()})
        print(f"{way}, {kind} masks, {name} prior: error {scores['raw']:.2f} %", flush=True)


if __name__ == "__main__":
    tyro.cli(main)
