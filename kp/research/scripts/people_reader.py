"""The model of people on film, ``kp.load("people_on_film")``: ``python -m kp.research.scripts.people_reader``.

A reader is taught by cardboard figures of people (kp/own_video/figures/people.json) in the poses that ship, and sees no
film. Then it is measured on rendered people in rooms, whose outlines a network finds: the curve of its confidence is
fitted on the validation clips and tried on the test clips, as its error is.
"""

import time
from dataclasses import replace
from pathlib import Path

import tyro

from kp.config import study
from kp.evaluation.evaluate import load_test
from kp.formats.read import fit_skeleton, read_pose_file
from kp.geometry import joint_errors
from kp.inference.confidence import CLOSE, Curve, confidence, fit_still_curve
from kp.inference.outlines import NAME, READER, SIZE, OutlinePredictor, save_reader
from kp.inference.published import MODELS, load
from kp.own_video.fit import find_poses
from kp.own_video.lessons import READER as RATES
from kp.own_video.lessons import people_of_cardboard
from kp.own_video.prepare import in_squares
from kp.own_video.reader import teach_reader
from kp.provenance import command_line, data_checksum, write_record
from kp.research.scripts.confidence import ranking
from kp.skeletons import BODY


def measured(model: OutlinePredictor) -> tuple[dict, Curve]:
    """Its error on rendered test people in rooms, % of the side of the square, and how well its confidence ranks their
    joints; and the curve of its confidence, fitted on the validation people. A film is weighed like its single frames.
    """
    data, curve, numbers = replace(study().data, size=model.size, background=True), model.curve, {}
    for split in ("val", "test"):
        people = load_test(data, split)
        found, cues = model.readings(people.images.flatten(0, 1))
        true = people.keypoints.flatten(0, 1)
        distance = joint_errors(found, true)
        right = distance <= CLOSE
        if split == "val":
            curve = fit_still_curve(cues.flatten(0, 1), right.flatten())
        sure = confidence(cues, found, curve, film=False)
        numbers[split] = {
            "error": distance.mean().item(),
            "by_joint": dict(zip(BODY.joints, distance.mean(0).tolist(), strict=True)),
            "close": CLOSE,
            "right_share": right.double().mean().item(),
            "ranking": ranking(sure.flatten(), right.flatten()),
        }
    return numbers, curve


def main(
    steps: int = 10000,
    seed: int = 0,
    runs: Path = Path("runs/people_reader"),
    weights: Path = READER,
    out: Path = Path("results/own_video"),
) -> None:
    """Teach the reader, or take the one that is there, and measure it.

    Args:
        steps: Of 16 figures each.
        seed: Of weights and figures.
        runs: Folder for a training that was cut off; the same command goes on there.
        weights: The reader, in half precision. If it is there, it is measured as it is.
        out: Folder for the record.
    """
    record = {
        "steps": steps,
        "seed": seed,
        "command": command_line(),
        "data_checksum": data_checksum(study().data.videos),
    }
    if not weights.is_file():
        runs.mkdir(parents=True, exist_ok=True)
        poses = in_squares(*fit_skeleton(read_pose_file(find_poses("people")), BODY), SIZE)
        started, rates = time.perf_counter(), replace(RATES, steps=steps)
        save_reader(teach_reader(poses, people_of_cardboard(), rates, seed, name="reader", keep=runs / "part"), weights)
        record["seconds"] = round(time.perf_counter() - started)
    numbers, curve = measured(load(NAME))
    (MODELS / f"{NAME}.json").write_text(curve.text() + "\n")
    write_record(out / f"{NAME}.json", record | numbers)
    print(f"error on test people in rooms: {numbers['test']['error']:.2f} %")
    print(f"a right joint has more confidence than a wrong one in {numbers['test']['ranking']:.0%} of pairs")


if __name__ == "__main__":
    tyro.cli(main)
