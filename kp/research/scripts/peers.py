"""One peer of the method, measured on the same test clips.

``python -m kp.research.scripts.peers imm --seed 0 --labelled 50 500 0``

Writes one record a peer, number of labelled frames and seed; what is there already is skipped.
"""

import dataclasses
import sys
import time
from pathlib import Path
from typing import Literal

import torch
import tyro
from torch import Tensor, nn

from kp.config import Precision, find_preset
from kp.datasets.clips import load_clips
from kp.datasets.priors import load_prior
from kp.datasets.retrieval import nearest_prior
from kp.errors import KpError
from kp.evaluation.evaluate import load_test
from kp.evaluation.metrics import oracle_nearest_prior, score
from kp.evaluation.truth import load_truth
from kp.inference.published import load
from kp.method.step import settle_precision
from kp.provenance import command_line, write_record
from kp.research.baselines import (
    labelled_frames,
    linear_read_out,
    read,
    read_at,
    train_imm,
    train_supervised,
    truth_at,
)
from kp.skeletons import find_skeleton
from kp.training.log import read_metrics

TOLD = {
    "nearest_prior": "unpaired poses; no labels",
    "oracle_nearest_prior": "unpaired poses, and the truth of the test frames: the bound of any retrieval",
    "supervised": "{} labelled frames; no unpaired poses",
    "imm": "{} labelled frames, for the read-out alone; no unpaired poses",
    "read_out": "unpaired poses, and {} labelled frames for the read-out alone",
}
"""Peer → what it is told beside the images; {} takes how many frames."""


def main(
    peer: tyro.conf.Positional[Literal["nearest_prior", "oracle_nearest_prior", "supervised", "imm", "read_out"]],
    out: Path = Path("results/peers"),
    preset: str = "study",
    videos: Path = Path("data/people"),
    seed: int = 0,
    steps: int = 0,
    labelled: tuple[int, ...] = (0,),
    points: int = 30,
    run: Path | None = None,
    precision: Precision = "auto",
    threads: int = 0,
) -> None:
    """Train a peer where it needs training, measure it on the test people, write its records.

    Args:
        peer: read_out is the method itself with a linear read-out on its keypoints.
        out: Folder for the records.
        preset: Sizes, batch, rates and data.
        videos: Folder of the video set.
        seed: Seed of the weights, the batches and the choice of labelled frames. read_out takes that of its run.
        steps: Steps of the training; 0 takes those of the preset.
        labelled: Numbers of labelled frames, a record each; 0 is all.
        points: Unnamed points of imm.
        run: Run folder or weights of the method, for read_out.
        precision: Of the training; auto takes what the machine is fastest in. Prediction is in float32.
        threads: Cores to use; 0 leaves that to PyTorch.
    """
    if (peer == "read_out") != (run is not None):
        raise KpError("--run names the run folder that read_out reads; give it with read_out and with no other peer")
    if threads:
        torch.set_num_threads(threads)
    if run:
        method = load(run).model
        config = method.config
    else:
        base = find_preset(preset)(videos)
        precision = settle_precision(precision)
        settings = {"optimizer.steps": steps or base.optimizer.steps, "optimizer.precision": precision}
        config = base.but(seed=seed, **settings)
    with_labels = "{}" in TOLD[peer]

    def name(count):
        return f"{peer}_{count or 'all'}_seed{config.seed}.json" if with_labels else f"{peer}_seed{config.seed}.json"

    missing = []
    for count in labelled if with_labels else (0,):
        if (out / name(count)).exists():
            print(f"{out / name(count)}: there already, skipped")
        else:
            missing.append(count)
    if not missing:
        return

    data = config.data
    skeleton = find_skeleton(data.skeleton)
    poses = load_prior(data, config.seed)
    test = load_test(data)
    images, true = test.images.flatten(0, 1), test.keypoints.flatten(0, 1)

    def record(predicted: Tensor, count: int, knowledge: str, **more) -> None:
        def clips_of(p):
            return p.unflatten(0, test.keypoints.shape[:2])

        scores = dataclasses.asdict(
            score(clips_of(predicted), clips_of(true), clips_of(predicted), poses.keypoints.mean(0), skeleton)
        )
        scores.pop("label_free")  # that reading belongs to the method
        numbers = {"peer": peer, "told": knowledge, **scores, "seed": config.seed, **more}
        write_record(
            out / name(count),
            numbers | {"config": dataclasses.asdict(config), "command": command_line()},
        )
        print(
            f"{peer}, {knowledge}: error {scores['raw']:.2f} % (mean pose {scores['mean_pose']:.2f}), written to "
            f"{out / name(count)}"
        )

    if not with_labels:
        keypoints = (
            nearest_prior(images, poses, skeleton) if peer == "nearest_prior" else oracle_nearest_prior(true, poses)
        )
        record(keypoints, 0, TOLD[peer], steps=0, minutes=0.0, parameters=0)
        return

    clips = load_clips(data.videos, "train", data.size, data.background, data.source)
    truth = load_truth(data.videos, "train", skeleton, data.size).of(clips.names).keypoints
    trained = dict(steps=config.optimizer.steps, precision=precision)
    started = time.perf_counter()

    def minutes():
        return (time.perf_counter() - started) / 60

    if peer == "imm":
        net = train_imm(config, clips, points).detector
        trained |= dict(minutes=minutes(), points=points)
    elif peer == "read_out":
        net = nn.Sequential(method.encoder, method.regressor)
        trained = dict(
            steps=config.optimizer.steps,
            minutes=read_metrics(run)[-1]["seconds"] / 60 if run.is_dir() else None,
            run=str(run),
        )
    for count in missing:
        where = labelled_frames(clips, count, config.seed)
        if peer == "supervised":
            started = time.perf_counter()
            net = train_supervised(config, clips, truth, count)
            trained["minutes"] = minutes()
            keypoints, extra = read(net, images), 0
        else:
            unnamed = read(net, images)
            keypoints = linear_read_out(read_at(net, clips, where), truth_at(truth, where), unnamed)
            extra = (unnamed[0].numel() + 1) * keypoints[0].numel()
        parameters = sum(p.numel() for p in net.parameters()) + extra
        record(keypoints, count, TOLD[peer].format(len(where)), labelled=len(where), parameters=parameters, **trained)


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except KpError as error:
        sys.exit(f"peers: {error}")
