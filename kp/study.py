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
from dataclasses import replace
from pathlib import Path

import torch
from tqdm import tqdm

from kp.ablations import find_ablation
from kp.config import Config, Data, Loss, Method, find_preset, from_json, to_json
from kp.datasets import open_prior
from kp.errors import KpError
from kp.evaluate import evaluate, load_test, regressor_floor
from kp.metrics import joint_errors, nearest_pose_error
from kp.predict import Predictor
from kp.record import read_metrics, write_json
from kp.state import State
from kp.train import train
from kp.weights import save_weights

WORK = Path("runs/study")  # and its subfolders for presets other than study; records go to --out


def study_config(setting: str, preset: str, seed: int, steps: int, precision: str) -> Config:
    """The configuration of one run: the preset, the study's steps and arithmetic, then the setting's departure from them."""
    base = find_preset(preset)()
    _, change = find_ablation(setting)
    rates = replace(base.optimizer, steps=steps or base.optimizer.steps, precision=precision)
    return change(replace(base, optimizer=rates, seed=seed))


def work(preset: str) -> Path:
    """Where the runs of a preset leave checkpoints, weights, snapshots and logs."""
    return WORK if preset == "study" else WORK / preset


def record_path(out: Path, setting: str, seed: int) -> Path:
    return out / f"{setting}_seed{seed}.json"


def is_done(path: Path, config: Config) -> bool:
    """Whether ``path`` is a record of this configuration; KpError if it is one of another.

    A field that kp did not have when the record was made counts as having had its default.
    """
    if not path.is_file():
        return False
    recorded = json.loads(to_json(from_json(json.dumps(json.loads(path.read_text())["config"]))))
    wanted = json.loads(to_json(config))
    if recorded != wanted:
        parts = [k for k in wanted if recorded[k] != wanted[k]]
        raise KpError(f"{path}: a record of other settings ({', '.join(parts)} differ); delete it or choose another --out")
    return True


def shared_regressor(config: Config, device: str = "cpu") -> Path:
    """Checkpoint of a pre-trained η for this configuration, trained now if no run has needed it yet.

    η's pre-training depends on the prior, the drawing, its network, the optimiser and the seed, and on nothing else.
    """
    data = replace(
        Data(), **{k: getattr(config.data, k) for k in ("prior", "prior_size", "second_prior", "second_share", "size", "skeleton")}
    )
    kept = replace(
        config,
        data=replace(data, videos=config.data.videos),
        network=replace(config.network, width=4, discriminator_width=4, scales=1, halvings=3),
        method=Method(flip_tolerant=config.method.flip_tolerant),
        loss=Loss(),
        optimizer=replace(config.optimizer, steps=0, lr=1e-3, average=0.0),
    )
    name = hashlib.sha256(to_json(kept).encode()).hexdigest()[:12]
    folder = WORK / "regressors" / name
    if not (folder / "checkpoint.pt").is_file():
        mine = folder.with_name(f"{name}.{os.getpid()}")  # two processes may want it at once: the first to finish wins
        train(kept, mine, device=device)
        if folder.exists():
            shutil.rmtree(mine)
        else:
            mine.rename(folder)
    return folder / "checkpoint.pt"


def run_one(setting: str, config: Config, out: Path, preset: str, snapshots: tuple[int, ...] = (), device: str = "cpu") -> None:
    """Train (or go on with) one run of ``preset`` on ``device``, evaluate it on the test people and write its record to ``out``."""
    name, _ = find_ablation(setting)
    place, run = work(preset), f"{setting}_steps{config.optimizer.steps}_seed{config.seed}"
    folder = place / run
    poses = open_prior(config.data, config.seed)

    def snapshot(state: State, *_) -> None:
        if state.step in snapshots:
            save_weights(Predictor(state.model, state.first_regressor), place / "snapshots" / f"{run}_at{state.step}.safetensors")

    state = train(config, folder, None, poses, device, shared_regressor(config, device), on_step=snapshot)
    predictor, test = Predictor.of(state), load_test(config.data)
    scores, made = evaluate(predictor, test, poses)
    last, _ = evaluate(Predictor(state.model, state.first_regressor), test, poses)
    metrics = [m for m in read_metrics(folder) if m["phase"] == "train"]
    true, rates = test.keypoints.flatten(0, 1), config.optimizer
    numbers = dataclasses.asdict(scores) | {
        "setting": setting,
        "description": name,
        "raw_last_weights": last.raw,
        "raw_by_clip": [round(e, 4) for e in joint_errors(made.keypoints, true).mean(1).view(len(test.clips), -1).mean(1).tolist()],
        "regressor_floor": regressor_floor(predictor, true),
        "nearest_prior_pose": nearest_pose_error(true[::4], poses),
        "seconds_train": metrics[-1]["seconds"] if metrics else 0.0,
        "curves": {k: [round(m[k], 4) for m in metrics] for k in (metrics[0] if metrics else {}) if k not in ("phase", "seconds")},
        "config": json.loads(to_json(config)),
        "data_checksum": checksum(config.data.videos),
        "command": f"kp study {setting} --preset {preset} --seeds {config.seed} --steps {rates.steps} --precision {rates.precision}",
    }
    write_json(record_path(out, setting, config.seed), numbers)
    save_weights(predictor, place / "weights" / f"{run}.safetensors")
    shutil.rmtree(folder)
    print(f"{name}, seed {config.seed}: error {scores.raw:.2f} %", flush=True)


def checksum(videos: Path) -> str:
    """First 12 digits of the SHA-256 of the video set's SHA256SUMS; "none" for a set without."""
    sums = videos / "SHA256SUMS"
    return hashlib.sha256(sums.read_bytes()).hexdigest()[:12] if sums.is_file() else "none"


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
    """Run what has no record yet: each run in its own process, ``workers`` at a time, with its output in runs/study/<run>.log.

    A single run stays in this process. KpError at the start for an unknown setting or a record of other settings; at the end,
    naming the runs that failed.
    """
    jobs = {(s, seed): study_config(s, preset, seed, steps, precision) for seed in seeds for s in settings}
    todo = [(s, seed) for (s, seed), config in jobs.items() if not is_done(record_path(out, s, seed), config)]
    print(f"{len(jobs)} runs: {len(jobs) - len(todo)} have records already, {len(todo)} to do", flush=True)
    if len(jobs) == 1 and todo:
        return run_one(todo[0][0], jobs[todo[0]], out, preset, snapshots, device)
    logs = work(preset)
    logs.mkdir(parents=True, exist_ok=True)
    threads = max(1, torch.get_num_threads() // workers)

    def launch(setting: str, seed: int) -> bool:
        command = [sys.executable, "-m", "kp.cli", "study", setting, "--seeds", str(seed), "--out", str(out), "--preset", preset]
        command += ["--steps", str(steps), "--precision", precision, "--device", device, "--snapshots", *map(str, snapshots)]
        with open(logs / f"{setting}_seed{seed}.log", "a") as log:
            return subprocess.run(command, stdout=log, stderr=log, env=os.environ | {"OMP_NUM_THREADS": str(threads)}).returncode == 0

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
            f"{len(failed)} runs failed: {', '.join(sorted(failed))}; their logs are in {logs}; the same command tries them again"
        )
