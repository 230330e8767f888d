"""What a drawing tells of left and right: ``python -m kp.research.scripts.sides``.

η reads perfect drawings of test people. Nothing else is trained: what η cannot read from a perfect drawing, a Φ that
draws perfectly cannot tell it. Three settings have cameras all around; beside them stands the usual one.
"""

import json
from pathlib import Path

import torch
import tyro
from tqdm import tqdm

from kp.config import Config, study, to_json
from kp.datasets.sets import open_prior
from kp.evaluation.evaluate import load_test
from kp.geometry import joint_errors
from kp.provenance import command_line, data_checksum, write_record
from kp.research.ablations import find_ablation
from kp.research.study import record_path, shared_regressor
from kp.skeletons import resolve_flips
from kp.training.state import load_state

SETTINGS = ("full", "circle", "circle_tolerant", "circle_sides")


def sides(config: Config) -> dict[str, float]:
    """Errors of the pre-trained η on drawings of the true test poses, % of the image size: as it names the sides, and
    were left and right of a pose exchanged where that is nearer; and the mean pose's.
    """
    predictor = load_state(shared_regressor(config), torch.device("cpu")).predictor()
    true = load_test(config.data, progress=False).keypoints.flatten(0, 1)
    read = predictor.reread(true)
    mean = open_prior(config.data, config.seed).keypoints.mean(0)
    return {
        "regressor_floor": joint_errors(read, true).mean().item(),
        "flip_minimum": joint_errors(resolve_flips(read, true, predictor.skeleton), true).mean().item(),
        "mean_pose": joint_errors(mean.expand_as(true), true).mean().item(),
    }


def main(seeds: tuple[int, ...] = (0, 1, 2), steps: int = 2000, out: Path = Path("results/sides")) -> None:
    """Train η for every setting and seed that has no record in ``out`` yet, and measure it.

    Args:
        seeds: Seeds of η.
        steps: Steps of η's training.
        out: Folder for the records.
    """
    for setting, seed in tqdm([(s, n) for s in SETTINGS for n in seeds], unit="η"):
        path = record_path(out, setting, seed)
        if path.exists():
            continue
        name, change = find_ablation(setting)
        config = change(study().but(seed=seed, **{"optimizer.pretrain_steps": steps, "optimizer.steps": 0}))
        about = {"setting": setting, "description": name, "seed": seed, "command": command_line()}
        about |= {"data_checksum": data_checksum(config.data.videos), "config": json.loads(to_json(config))}
        write_record(path, about | sides(config))


if __name__ == "__main__":
    tyro.cli(main)
