import importlib
import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from kp.config import from_json, smoke
from kp.errors import KpError
from kp.inference.published import load
from kp.provenance import data_checksum
from kp.research import study
from kp.research.study import is_done, record_path, run_study, shared_regressor, study_config


@pytest.fixture
def place(tiny, tmp_path, monkeypatch):
    """A study of tiny runs in a folder of its own."""
    monkeypatch.setattr(study, "WORK", tmp_path / "work")
    made = smoke(tiny)
    made = replace(made, optimizer=replace(made.optimizer, pretrain_steps=3, steps=4, batch=2))
    monkeypatch.setattr(study, "find_preset", lambda name: lambda: made)
    return tmp_path


def run(place, settings, seeds=(0,), **options):
    arguments = dict(out=place / "out", preset="smoke", steps=4, precision="float32", workers=1) | options
    run_study(settings, list(seeds), **arguments)


def test_study_config_departs_from_the_preset():
    config = study_config("no_discriminator", "study", seed=3, steps=50, precision="bfloat16")
    assert (config.seed, config.optimizer.steps, config.optimizer.precision, config.loss.adversarial) == (
        3,
        50,
        "bfloat16",
        0,
    )
    assert study_config("full", "study", 0, 0, "float32").optimizer.steps == 1000


def test_a_run_leaves_a_record(place, tiny):
    run(place, ["full"], snapshots=(2, 4))
    record = json.loads((place / "out" / "full_seed0.json").read_text())
    assert record["setting"] == "full" and record["description"] == "the method"
    assert from_json(json.dumps(record["config"])) == study_config("full", "smoke", 0, 4, "float32")
    assert len(record["raw_by_clip"]) == 2 and sum(record["raw_by_clip"]) / 2 == pytest.approx(record["raw"], abs=1e-3)
    assert (
        record["curves"]["step"] == [4]
        and record["provenance"]["torch"]
        and record["data_checksum"] == data_checksum(tiny)
    )
    assert record["command"] == "kp study full --preset smoke --seeds 0 --steps 4 --precision float32"
    assert 0 < record["nearest_prior_pose"] < 50
    names = sorted(
        p.relative_to(place / "work" / "smoke" / "float32").as_posix()
        for p in (place / "work" / "smoke").rglob("*.safetensors")
    )
    assert names == [
        "snapshots/full_steps4_seed0_at2.safetensors",
        "snapshots/full_steps4_seed0_at4.safetensors",
        "weights/full_steps4_seed0.safetensors",
    ]
    assert load(place / "work" / "smoke" / "float32" / names[2]).model.config.seed == 0
    assert not (place / "work" / "smoke" / "float32" / "full_steps4_seed0").exists()  # the checkpoint is not kept


def test_what_has_a_record_is_skipped(place, capsys):
    run(place, ["full"])
    before = (place / "out" / "full_seed0.json").read_bytes()
    run(place, ["full"])
    assert "1 runs: 1 have records already, 0 to do" in capsys.readouterr().out
    assert (place / "out" / "full_seed0.json").read_bytes() == before


def test_a_record_of_other_settings_stops_the_study(place):
    run(place, ["full"])
    path = record_path(place / "out", "full", 0)
    with pytest.raises(
        KpError,
        match=re.escape(f"{path}: a record of other settings (optimizer differ); delete it or choose another --out"),
    ):
        run(place, ["full"], steps=5)
    assert is_done(path, study_config("full", "smoke", 0, 4, "float32"))


def test_a_record_may_lack_newer_fields_that_have_their_default(place):
    run(place, ["full"])
    path, config = record_path(place / "out", "full", 0), study_config("full", "smoke", 0, 4, "float32")
    record = json.loads(path.read_text())
    del record["config"]["loss"]["motion"]
    path.write_text(json.dumps(record))
    assert is_done(path, config)
    with pytest.raises(KpError, match=r"\(loss differ\)"):
        is_done(path, replace(config, loss=replace(config.loss, motion=1.0)))


def test_an_interrupted_run_goes_on(place, monkeypatch):
    training = importlib.import_module("kp.training.loop")
    train, train_step, steps = study.train, training.train_step, []

    def cut_short(config, folder, *args, on_step=None, **options):
        train(config, folder, *args, stop_after=2, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(
        study, "train", lambda c, f, *a, **o: train(c, f) if c.optimizer.steps == 0 else cut_short(c, f, *a, **o)
    )
    with pytest.raises(KeyboardInterrupt):
        run(place, ["full"])
    assert not (place / "out").exists()
    monkeypatch.setattr(study, "train", train)
    monkeypatch.setattr(training, "train_step", lambda state, *a: steps.append(state.step) or train_step(state, *a))
    run(place, ["full"])
    assert steps == [2, 3] and (place / "out" / "full_seed0.json").exists()


def test_runs_share_a_pretrained_regressor(place):
    full, other = (study_config(s, "smoke", 0, 4, "float32") for s in ("full", "no_discriminator"))
    first = shared_regressor(full)
    written = first.stat().st_mtime_ns
    assert shared_regressor(other) == first and first.stat().st_mtime_ns == written
    assert shared_regressor(full.but(**{"network.profile": "gaussian"})) != first
    assert shared_regressor(study_config("prior_50", "smoke", 0, 4, "float32")) != first
    assert shared_regressor(replace(full, seed=1)) != first


def test_a_setting_of_another_dataset():
    with pytest.raises(KpError, match=r"^no setting of the preset 'faces' 'circle'; "):
        study_config("circle", "faces", 0, 4, "float32")
    with pytest.raises(KpError, match=r"^no setting of the preset 'study' 'unmoved'; "):
        study_config("unmoved", "study", 0, 4, "float32")


@pytest.mark.slow
def test_runs_side_by_side_have_processes_of_their_own(tiny, tmp_path):
    """By the command line, as everybody starts them: each leaves its record, or is named."""
    options = {"out": tmp_path / "out", "preset": "smoke", "steps": 4, "precision": "float32", "seeds": 0, "workers": 2}
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    command = [sys.executable, "-m", "kp", "study", "full", "circle", *words]
    (tmp_path / "data").mkdir()
    (tmp_path / "data/people").symlink_to(tiny)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["full_seed0.json"]
    assert (
        done.returncode == 1
        and "kp: 1 runs failed: circle_seed0; their logs are in runs/study/smoke/float32" in done.stderr
    )


def test_an_unknown_setting(place):
    with pytest.raises(KpError, match="unknown ablation 'nonsense'; use some of: full, "):
        run(place, ["full", "nonsense"])


def test_settings_that_fail_are_named_and_the_others_finish(place, monkeypatch):
    class Finished:
        def __init__(self, code):
            self.returncode = code

    def fake(command, **options):
        setting = command[4]
        if setting == "full":
            record_path(place / "out", "full", 0).parent.mkdir(parents=True, exist_ok=True)
            record_path(place / "out", "full", 0).write_text("{}")
        assert options["env"]["OMP_NUM_THREADS"] == "1"
        return Finished(setting == "no_frame")

    monkeypatch.setattr(study.subprocess, "run", fake)
    with pytest.raises(KpError, match=re.escape("1 runs failed: no_frame_seed0; their logs are in ")):
        run(place, ["no_frame", "full"], workers=2)
    assert record_path(place / "out", "full", 0).exists()


def test_a_record_of_other_data_stops_the_study(place):
    run(place, ["full"])
    path, config = record_path(place / "out", "full", 0), study_config("full", "smoke", 0, 4, "float32")
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"data_checksum": "0123456789ab"}))
    with pytest.raises(KpError, match=re.escape(f"{path}: a record of other data than {config.data.videos} holds now")):
        is_done(path, config)


def test_what_another_version_made_is_said(place, capsys):
    run(place, ["full"])
    path, config = record_path(place / "out", "full", 0), study_config("full", "smoke", 0, 4, "float32")
    record = json.loads(path.read_text())
    record["provenance"]["kp"] = "0.0.1"
    path.write_text(json.dumps(record))
    capsys.readouterr()
    assert is_done(path, config) and f"{path}: made by kp 0.0.1" in "".join(capsys.readouterr())


def test_precision_left_open_takes_any_record_and_two_precisions_keep_apart(place):
    run(place, ["full"], precision="float32")
    assert is_done(record_path(place / "out", "full", 0), study_config("full", "smoke", 0, 4, "auto"))
    assert study.work("smoke", "float32") != study.work("smoke", "bfloat16")


def test_a_regressor_is_not_shared_with_other_data(place, tiny, monkeypatch):
    full = study_config("full", "smoke", 0, 4, "float32")
    first = shared_regressor(full)
    monkeypatch.setattr(study, "data_checksum", lambda videos: "0123456789ab")
    assert shared_regressor(full) != first
