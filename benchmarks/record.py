"""Train one full-length run of a setting and keep its numbers as a record: ``python benchmarks/record.py background --seed 0 --out FILE``.

Settings: full (masked, matched prior), background, other_prior, or any ablation of kp.ablations.
"""

import dataclasses
import sys
from pathlib import Path

import tyro

from kp.ablations import find_ablation
from kp.config import find_preset
from kp.evaluate import evaluate, load_test, regressor_floor
from kp.poses import load_poses
from kp.predict import Predictor
from kp.record import read_metrics, write_json
from kp.skeleton import find_skeleton
from kp.train import train


def main(setting: tyro.conf.Positional[str], out: Path, preset: str = "laptop", seed: int = 0, steps: int = 0) -> None:
    """Train, evaluate on the test people and write the numbers with machine, versions and command.

    Args:
        setting: full, background, other_prior, or an ablation.
        out: JSON file to write.
        preset: Configuration to start from.
        seed: Seed of the run.
        steps: Steps of the main training; 0 takes those of the preset.
    """
    name, change = find_ablation(setting)
    config = dataclasses.replace(change(find_preset(preset)()), seed=seed)
    config = dataclasses.replace(config, optimizer=dataclasses.replace(config.optimizer, steps=steps or config.optimizer.steps))
    run = Path("runs/records") / f"{setting}_seed{seed}_steps{config.optimizer.steps}"
    data = config.data
    poses = load_poses(data.videos / "priors" / f"{data.prior}.npz", find_skeleton(data.skeleton), data.size)
    state = train(config, run, poses=poses)
    predictor = Predictor.of(state)
    test = load_test(data)
    last, _ = evaluate(Predictor(state.model, state.first_regressor), test, poses)
    scores, _ = evaluate(predictor, test, poses)
    metrics = read_metrics(run)
    seconds = {p: max(m["seconds"] for m in metrics if m["phase"] == p) for p in ("pretrain", "train")}
    numbers = dataclasses.asdict(scores) | {
        "setting": name,
        "raw_last_weights": last.raw,
        "regressor_floor": regressor_floor(predictor, test.keypoints.flatten(0, 1)),
        "seconds_pretrain": seconds["pretrain"],
        "seconds_train": seconds["train"] - seconds["pretrain"],
        "config": dataclasses.asdict(config),
        "command": " ".join(["python", *sys.argv]),
    }
    write_json(out, numbers)
    print(f"{name}, seed {seed}: error {scores.raw:.2f} % (mean pose {scores.mean_pose:.2f}), written to {out}")


if __name__ == "__main__":
    tyro.cli(main)
