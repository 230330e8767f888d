"""A grid of trainings: settings × seeds, unattended. Each run leaves a record; what has one is skipped.

Every run has a process of its own, so one that crashes does not stop the others, and several can go
side by side. A training that was cut off goes on from its checkpoint. Runs that need the same
pre-trained η share it.
"""

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import torch
from tqdm import tqdm

import kp
from kp.config import Config, Data, Loss, Method, find_preset, to_json
from kp.datasets.sets import open_prior
from kp.errors import KpError
from kp.evaluation.evaluate import TestSet, load_test, measure, regressor_floor
from kp.evaluation.metrics import nearest_pose_error
from kp.geometry import joint_errors
from kp.inference.predictor import Prediction
from kp.method.step import settle_precision
from kp.provenance import data_checksum, write_record
from kp.research.ablations import find_ablation, names_for
from kp.research.legibility import legibility
from kp.research.records import config_of, read_record
from kp.training.log import read_metrics
from kp.training.loop import train
from kp.training.state import State
from kp.validation import check_names

WORK = Path("runs/study")  # and its subfolders for presets other than study; records go to --out


def study_config(setting: str, preset: str, seed: int, steps: int, precision: str) -> Config:
    """The configuration of one run: the preset, the study's steps and arithmetic, then the setting's departure from
    them.
    """
    base = find_preset(preset)()
    _, change = find_ablation(setting)
    check_names([setting], names_for(preset), f"setting of the preset '{preset}'")
    steps = steps or base.optimizer.steps
    return change(base.but(seed=seed, **{"optimizer.steps": steps, "optimizer.precision": precision}))


def work(preset: str, precision: str = "auto", device: str = "cpu") -> Path:
    """Where the runs of a preset leave checkpoints, weights, snapshots and logs: a folder for each arithmetic."""
    return (WORK if preset == "study" else WORK / preset) / settle_precision(precision, device)


def record_path(out: Path, setting: str, seed: int) -> Path:
    return out / f"{setting}_seed{seed}.json"


def is_done(path: Path, config: Config) -> bool:
    """Whether ``path`` is a record of this configuration on these data; KpError if it is one of others.

    A field that kp did not have when the record was made counts as having had its default. A record in another
    arithmetic counts where ``config`` leaves it open ("auto"). One by another version of kp counts, with a word on the
    terminal.
    """
    if not path.is_file():
        return False
    record = read_record(path)
    recorded = config_of(record, path)
    if config.optimizer.precision == "auto":
        config = config.but(**{"optimizer.precision": recorded.optimizer.precision})
    parts = [f.name for f in dataclasses.fields(Config) if getattr(recorded, f.name) != getattr(config, f.name)]
    if parts:
        raise KpError(
            f"{path}: a record of other settings ({', '.join(parts)} differ); delete it or choose another --out"
        )
    checksum = data_checksum(config.data.videos)
    if record.get("data_checksum", checksum) != checksum:
        raise KpError(
            f"{path}: a record of other data than {config.data.videos} holds now; delete it or choose another --out"
        )
    if (version := record.get("provenance", {}).get("kp")) != kp.__version__:
        tqdm.write(f"{path}: made by kp {version}; delete it to measure kp {kp.__version__}")
    return True


def shared_regressor(config: Config, device: str = "cpu") -> Path:
    """Checkpoint of a pre-trained η for this configuration, trained now if no run has needed it yet.

    η's pre-training depends on the prior, the drawing, its network, the optimiser and the seed, on the data and on kp.
    """
    fields = ("videos", "prior", "prior_size", "second_prior", "second_share", "size", "skeleton")
    shared = config.but(
        data=Data(**{name: getattr(config.data, name) for name in fields}),
        method=Method(flip_tolerant=config.method.flip_tolerant),
        loss=Loss(),
        **{"network.width": 4, "network.discriminator_width": 4, "network.scales": 1, "network.halvings": 3},
        **{"optimizer.steps": 0, "optimizer.lr": 1e-3, "optimizer.average": 0.0},
    )
    made_from = to_json(shared) + data_checksum(config.data.videos) + kp.__version__
    name = hashlib.sha256(made_from.encode()).hexdigest()[:12]
    folder = WORK / "regressors" / name
    if not (folder / "checkpoint.pt").is_file():
        mine = folder.with_name(f"{name}.{os.getpid()}")  # two processes may want it at once: the first to finish wins
        train(shared, mine, device=device)
        if folder.exists():
            shutil.rmtree(mine)
        else:
            mine.rename(folder)
    return folder / "checkpoint.pt"


def errors_by_clip(prediction: Prediction, test: TestSet) -> list[float]:
    """Mean error of every clip, % of the image size."""
    errors = joint_errors(prediction.keypoints, test.keypoints.flatten(0, 1)).mean(1)
    return [round(e, 4) for e in errors.view(len(test.clips), -1).mean(1).tolist()]


def run_one(
    setting: str, config: Config, out: Path, preset: str, snapshots: tuple[int, ...] = (), device: str = "cpu"
) -> None:
    """Train (or go on with) one run of ``preset`` on ``device``, evaluate it on the test people and write its record to
    ``out``.
    """
    name, _ = find_ablation(setting)
    precision = settle_precision(config.optimizer.precision, device)
    config = config.but(**{"optimizer.precision": precision})
    place, run = work(preset, precision), f"{setting}_steps{config.optimizer.steps}_seed{config.seed}"
    folder = place / run
    poses = open_prior(config.data, config.seed)

    def snapshot(state: State, *_) -> None:
        if state.step in snapshots:
            state.predictor(averaged=False).save(place / "snapshots" / f"{run}_at{state.step}.safetensors")

    state = train(config, folder, None, poses, device, shared_regressor(config, device), on_step=snapshot)
    predictor, test = state.predictor(), load_test(config.data)
    scores, prediction = measure(predictor, test, poses)
    last, _ = measure(state.predictor(averaged=False), test, poses)
    metrics = [m for m in read_metrics(folder) if m["phase"] == "train"]
    true, rates = test.keypoints.flatten(0, 1), config.optimizer
    validation = {}
    if (config.data.videos / "videos" / "val").is_dir():
        val = load_test(config.data, "val")
        on_val = predictor(val.images.flatten(0, 1))
        validation = legibility(predictor, on_val, val.keypoints.flatten(0, 1)) | {
            "by_clip": errors_by_clip(on_val, val)
        }
    numbers = dataclasses.asdict(scores) | {
        "trained": state.origin,
        "setting": setting,
        "description": name,
        "raw_last_weights": last.raw,
        "raw_by_clip": errors_by_clip(prediction, test),
        "val": validation,
        "regressor_floor": regressor_floor(predictor, true),
        "nearest_prior_pose": nearest_pose_error(true[::4], poses),
        "seconds_train": metrics[-1]["seconds"] if metrics else 0.0,
        "curves": {
            k: [round(m[k], 4) for m in metrics]
            for k in (metrics[0] if metrics else {})
            if k not in ("phase", "seconds")
        },
        "config": json.loads(to_json(config)),
        "data_checksum": data_checksum(config.data.videos),
        "command": (
            f"kp study {setting} --preset {preset} --seeds {config.seed} --steps {rates.steps} --precision "
            f"{rates.precision}"
        ),
    }
    write_record(record_path(out, setting, config.seed), numbers)
    predictor.save(place / "weights" / f"{run}.safetensors")
    shutil.rmtree(folder)
    print(f"{name}, seed {config.seed}: error {scores.raw:.2f} %", flush=True)


def run_study(
    settings: list[str],
    seeds: list[int],
    out: Path,
    preset: str,
    steps: int,
    precision: str,
    workers: int,
    snapshots: tuple[int, ...] = (),
    device: str = "cpu",
) -> None:
    """Run what has no record yet: each run in its own process, ``workers`` at a time, with its output in
    runs/study/<run>.log.

    A single run stays in this process. KpError at the start for an unknown setting or a record of other settings; at
    the end, naming the runs that failed.
    """
    jobs = {(s, seed): study_config(s, preset, seed, steps, precision) for seed in seeds for s in settings}
    todo = [(s, seed) for (s, seed), config in jobs.items() if not is_done(record_path(out, s, seed), config)]
    print(f"{len(jobs)} runs: {len(jobs) - len(todo)} have records already, {len(todo)} to do", flush=True)
    if len(jobs) == 1 and todo:
        return run_one(todo[0][0], jobs[todo[0]], out, preset, snapshots, device)
    logs = work(preset, precision, device)
    logs.mkdir(parents=True, exist_ok=True)
    threads = max(1, torch.get_num_threads() // workers)

    def launch(setting: str, seed: int) -> bool:
        """Run one in a process of its own; whether it left its record."""
        options = {
            "seeds": seed,
            "out": out,
            "preset": preset,
            "steps": steps,
            "precision": precision,
            "device": device,
        }
        words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
        command = [sys.executable, "-m", "kp", "study", setting, *words, "--snapshots", *map(str, snapshots)]
        with open(logs / f"{setting}_seed{seed}.log", "a") as log:
            threaded = os.environ | {"OMP_NUM_THREADS": str(threads)}
            done = subprocess.run(command, stdout=log, stderr=log, env=threaded)
        return done.returncode == 0 and record_path(out, setting, seed).is_file()

    failed = []
    with ThreadPoolExecutor(workers) as pool, tqdm(total=len(todo), unit="run") as bar:
        futures = {pool.submit(launch, *job): job for job in todo}
        for future in as_completed(futures):
            bar.update()
            if not future.result():
                failed.append("{}_seed{}".format(*futures[future]))
                bar.write(f"failed: {failed[-1]} (see {logs / failed[-1]}.log)")
    if failed:
        raise KpError(
            f"{len(failed)} runs failed: {', '.join(sorted(failed))}; their logs are in {logs}; the same command tries "
            "them again"
        )
