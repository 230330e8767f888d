"""How much of a skeleton Φ's drawings stay while it trains: ``python -m kp.research.scripts.legible``.

Reads the snapshots and final weights that a study left below runs/study, and measures on the validation clips.
Needs: kp study full skeleton_alone frozen_regressor --preset laptop --steps 12000 --snapshots 300 1000 2000 4000 8000
"""

from pathlib import Path

import tyro

from kp.evaluation.evaluate import load_test
from kp.inference.published import load
from kp.provenance import command_line, write_record
from kp.research.legibility import legibility
from kp.research.study import work


def main(
    settings: tyro.conf.Positional[tuple[str, ...]] = ("full", "skeleton_alone", "no_frame", "frozen_regressor"),
    preset: str = "laptop",
    steps: int = 12000,
    seed: int = 0,
    out: Path = Path("data/runs/steps12000/legibility.json"),
) -> None:
    """Measure every snapshot of one run per setting.

    Args:
        settings: Settings of the study.
        preset: Its preset.
        steps: Steps of its runs.
        seed: Seed of its runs.
        out: The record to write.
    """
    place, found, val = work(preset), {}, None
    for setting in settings:
        stem = f"{setting}_steps{steps}_seed{seed}"
        files = {int(p.stem.partition("_at")[2]): p for p in (place / "snapshots").glob(f"{stem}_at*.safetensors")}
        files[steps] = place / "weights" / f"{stem}.safetensors"
        found[setting] = []
        for step, path in sorted(files.items()):
            predictor = load(path)
            val = val or load_test(predictor.model.config.data, "val")
            made = predictor(val.images.flatten(0, 1))
            found[setting].append({"step": step} | legibility(predictor, made, val.keypoints.flatten(0, 1)))
            print(setting, found[setting][-1], flush=True)
    about = {"command": command_line(), "steps": steps, "seed": seed}
    write_record(out, about | {"over_time": found})


if __name__ == "__main__":
    tyro.cli(main)
