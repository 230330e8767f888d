"""The published model of flies: ``python -m kp.research.scripts.flies_model``.

For each of the two flies a reader, taught by cardboard figures of the other fly's poses and by the fly's film; then one
student of both readers, which is the model. No label is used for that. Then it is measured: its errors on both flies'
labels; the curve of its confidence is fitted on the labels of val, 20 frames a fly, and tried on those of test.
"""

import time
from pathlib import Path

import torch
import tyro

from kp.config import flies
from kp.datasets.clips import Clips, load_clips, to_images
from kp.datasets.priors import load_prior
from kp.geometry import joint_errors
from kp.inference.confidence import CLOSE, Curve, confidence, fit_still_curve
from kp.inference.predictor import Predictor
from kp.inference.published import load
from kp.own_video.reader import read_frames
from kp.provenance import command_line, data_checksum, write_record
from kp.research.flies import errors, load_labels, to_move
from kp.research.scripts.confidence import ranking
from kp.research.scripts.flies import FLIES, FOLDER, teach
from kp.skeletons import embed
from kp.training.distil import train_student
from kp.training.loop import train

TOLERANCES = (2.0, 3.0, 5.0)  # % of the side of the crop: how far a draft for labels may be off


def teach_both(seed: int, steps: int, lessons: int, runs: Path) -> Predictor:
    """The student of the two flies' readers, taught by their films."""
    names, sources, frames, labels = [], [], [], []
    for fly in FLIES:
        config = flies(FOLDER / fly).but(seed=seed)
        reader, renderer = teach(config, steps, runs)
        clips = load_clips(config.data.videos, "train", config.data.size, background=True)
        names += [f"{fly}/{name}" for name in clips.names]
        sources += clips.sources
        frames += clips.frames
        labels += [read_frames(reader, to_images(clip), renderer) for clip in clips.frames]
    config = flies(FOLDER / "first").but(seed=seed)
    config = config.but(**{"data.skeleton": embed(config.data.skeleton)})  # the model holds its skeleton
    start = train(config.but(**{"optimizer.steps": 0}), runs / f"start_first_seed{seed}").predictor()
    rates = {"optimizer.steps": lessons, "optimizer.batch": 16}
    return train_student(start, config.but(**rates), Clips(names, sources, frames), labels)


def measured(student: Predictor) -> tuple[dict, Curve]:
    """Errors on both flies' labels, in % of the side of the crop; how well confidence ranks the joints of the test
    frames; and its curve, fitted on those of val. A film is weighed like its single frames.
    """
    numbers, cues, right, points, tests = {}, [], [], [], []
    for fly in FLIES:
        labels = load_labels(FOLDER / fly, student.skeleton, student.size)
        found, known = student.readings(labels.images)
        numbers[fly] = errors(found, labels, student.skeleton)
        mean = load_prior(flies(FOLDER / fly).data).keypoints.mean(0).expand_as(found)
        drafts = {"model": found, "mean pose": mean, "sleap": labels.tracked}
        numbers[fly]["to_move"] = {
            f"{tolerance:g}": {name: to_move(draft, labels, tolerance) for name, draft in drafts.items()}
            for tolerance in TOLERANCES
        }
        distance = joint_errors(found, labels.keypoints)
        seen = distance.isfinite()
        cues.append(known[seen])
        points.append(found[seen])
        right.append(distance[seen] <= CLOSE)
        tests.append(labels.test[:, None].expand_as(seen)[seen])
    cues, right, points, test = map(torch.cat, (cues, right, points, tests))
    curve = fit_still_curve(cues[~test], right[~test])
    sure = confidence(cues[test], points[test], curve, film=False)
    numbers["confidence"] = {
        "close": CLOSE,
        "right_share": right[test].double().mean().item(),
        "ranking": ranking(sure, right[test]),
        "ranking_of_people's_curve": ranking(confidence(cues[test], points[test], student.curve, False), right[test]),
    }
    return numbers, curve


def main(
    seed: int = 0,
    steps: int = 2000,
    lessons: int = 3000,
    runs: Path = Path("runs/flies"),
    weights: Path = Path("kp/models/flies.safetensors"),
    out: Path = Path("results/flies"),
) -> None:
    """Train the model, or take the one that is there, and measure it.

    Args:
        seed: Seed of all that is trained.
        steps: Steps of each reader.
        lessons: Steps of the student.
        runs: Where to keep what is trained on the way.
        weights: The model, in half precision. If it is there, it is measured as it is.
        out: Folder for the record.
    """
    runs.mkdir(parents=True, exist_ok=True)
    record = {"seed": seed, "steps": steps, "lessons": lessons, "command": command_line()}
    record["data_checksum"] = {fly: data_checksum(FOLDER / fly) for fly in FLIES}
    if not weights.is_file():
        started = time.perf_counter()
        teach_both(seed, steps, lessons, runs).save(weights, half=True)
        record["seconds"] = round(time.perf_counter() - started)
    numbers, curve = measured(load(weights))
    weights.with_suffix(".json").write_text(curve.text() + "\n")
    write_record(out / f"model_seed{seed}.json", record | numbers)
    for fly in FLIES:
        print(f"{fly} fly: {numbers[fly]['test']['all']:.2f} % on test frames")
    print(f"a right joint has more confidence than a wrong one in {numbers['confidence']['ranking']:.0%} of pairs")


if __name__ == "__main__":
    tyro.cli(main)
