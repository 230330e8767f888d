"""Teach a student what a trained run sees, measure it on black and in rooms.

``python -m kp.research.scripts.student --teacher WEIGHTS --seed 0``

With ``--start`` the student begins as another model, such as an earlier student, which knows the rooms already. Writes
the student's weights and two records, in the form of kp study's: student_black and student_rooms.
"""

import dataclasses
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
import tyro

from kp.datasets.clips import Clips, load_clips
from kp.datasets.priors import load_prior
from kp.evaluation.evaluate import load_test, measure
from kp.evaluation.metrics import nearest_pose_error
from kp.geometry import joint_errors
from kp.inference.published import load
from kp.provenance import command_line, data_checksum, write_record
from kp.research.study import record_path
from kp.training.distil import pseudo_labels, train_student

EVERY = 2  # frames of the lessons: neighbours are nearly equal


PLACES = {"black": "on black", "rooms": "in rooms"}


def main(
    teacher: Path,
    start: Path | None = None,
    out: Path = Path("results/headline"),
    weights: Path = Path("runs/student/student.safetensors"),
    sees: Literal["black", "rooms", "both"] = "both",
    steps: int = 1000,
    seed: int = 0,
    precision: Literal["auto", "float32", "bfloat16"] = "auto",
) -> None:
    """Train one student and measure it.

    Args:
        teacher: Run folder or weights of a model trained on people on black.
        start: Run folder or weights that the student begins as, Ψ included; the teacher, if it is left out.
        out: Folder for the records.
        weights: Where to write the student.
        sees: What the student's images show around the people: nothing, the rooms, or either.
        steps: Steps of its training.
        seed: Its seed.
        precision: Arithmetic of the networks.
    """
    master = load(teacher)
    beginner = load(start) if start else master
    config = beginner.model.config
    data = replace(config.data, augment=True, background=sees != "black")
    rates = replace(config.optimizer, steps=steps, precision=precision, schedule="one-cycle", lr=1e-3)
    config = replace(config, data=data, optimizer=rates, seed=seed)

    def sparse(clips):
        return Clips(clips.names, clips.sources, [f[::EVERY] for f in clips.frames])

    black = sparse(load_clips(data.videos, "train", data.size, False, data.source, masks=data.masks))
    lessons = pseudo_labels(master, black)
    rooms = sparse(load_clips(data.videos, "train", data.size, True, data.source)) if sees != "black" else black
    clips, all_labels = {"black": (black, lessons), "rooms": (rooms, lessons)}.get(sees, (None, 2 * lessons))
    clips = clips or Clips(black.names + rooms.names, black.sources + rooms.sources, black.frames + rooms.frames)
    started = time.perf_counter()
    student = train_student(beginner, config, clips, all_labels)
    seconds = time.perf_counter() - started
    student.save(weights)
    poses = load_prior(data, seed)
    for place, background in (("black", False), ("rooms", True)):
        if sees == "black" and background:
            continue
        test = load_test(replace(data, background=background))
        scores, made = measure(student, test, poses)
        images, true = test.images.flatten(0, 1), test.keypoints.flatten(0, 1)
        mirrored = joint_errors(student.mirrored_mean(images), true).mean().item()
        numbers = dataclasses.asdict(scores) | {
            "setting": f"student_{place}",
            "description": f"a student of the method, {config.data.videos.name} {PLACES[place]}",
            "raw_mirrored": mirrored,
            "raw_by_clip": joint_errors(made.keypoints, true).mean(1).view(len(test.clips), -1).mean(1).tolist(),
            "nearest_prior_pose": nearest_pose_error(true[::4], poses),
            "seconds_train": seconds,
            "threads": torch.get_num_threads(),
            "parameters": sum(
                p.numel() for net in (student.model.encoder, student.model.regressor) for p in net.parameters()
            ),
            "sees": sees,
            "teacher": teacher.name,
            "start": start.name if start else "",
            "config": json.loads(json.dumps(dataclasses.asdict(config), default=Path.as_posix)),
            "data_checksum": data_checksum(data.videos),
            "command": command_line(),
        }
        write_record(record_path(out, f"student_{place}", seed), numbers)
        print(f"{place}: error {scores.raw:.2f} %, averaged with its mirror image {mirrored:.2f} %")


if __name__ == "__main__":
    tyro.cli(main)
