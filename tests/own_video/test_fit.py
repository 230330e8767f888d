import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny import prior_arrays, write_video

import kp
import kp.own_video.fit
from kp.errors import KpError
from kp.inference.predictor import Predictor
from kp.inference.published import load
from kp.own_video.fit import Fit, choose_config, find_films, find_poses, fit_stages, skeleton_of
from kp.skeletons import FACE
from kp.training.diagnostics import Verdict
from kp.training.state import State


@pytest.fixture
def asked(tmp_path):
    """A fit of a few steps: two square videos in which a textured box moves before noise, and a file of poses."""
    chance = np.random.default_rng(0)
    for name in "ab":
        frames = np.repeat(chance.integers(40, 120, (1, 96, 96, 1), np.uint8), 3, -1).repeat(24, 0)
        for t in range(24):
            frames[t, 20:70, 10 + 2 * t : 34 + 2 * t] = 200
        write_video(tmp_path / f"my videos é/{name}.mp4", frames)
    np.savez(tmp_path / "poses.npz", **prior_arrays())
    return Fit(
        (tmp_path / "my videos é",),
        tmp_path / "poses.npz",
        size=64,
        steps=3,
        pretrain_steps=3,
        mask_steps=2,
        student_steps=2,
    )


@pytest.fixture
def small(monkeypatch):
    """The study preset with tiny networks and batches."""
    plain = kp.own_video.fit.study

    def tiny_study():
        base = plain()
        network = replace(base.network, width=4, regressor_width=8, discriminator_width=8)
        return replace(base, network=network, optimizer=replace(base.optimizer, batch=2))

    monkeypatch.setattr(kp.own_video.fit, "study", tiny_study)


def test_from_videos_to_a_model_that_reads_them(asked, small, tmp_path):
    model = fit_stages(asked, tmp_path / "run")
    assert model.model.config.data.background and load(tmp_path / "run").skeleton.name == "body"
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "checkpoint.pt", "config.json", "fit.json", "masks", "metrics.jsonl", "model.safetensors", "set",
    ]  # fmt: skip
    found = load(tmp_path / "run").track(asked.videos[0] / "a.mp4", progress=False)
    assert found.keypoints.shape == (24, 17, 2) and np.isfinite(found.keypoints).all()


def test_stages_that_are_done_are_skipped_and_the_end_is_the_same(asked, small, tmp_path, monkeypatch):
    """Cut off after each stage, and once within the training: the same weights as in one go."""
    fit_stages(asked, tmp_path / "whole")

    def stop(*_, **__):
        raise KeyboardInterrupt

    def stop_training(state, *_):
        if state.step == 2:
            raise KeyboardInterrupt

    for stage in ("write_masks", "train", "lessons_of", "student_of"):
        with monkeypatch.context() as patch:
            patch.setattr(kp.own_video.fit, stage, stop)
            with pytest.raises(KeyboardInterrupt):
                fit_stages(asked, tmp_path / "parts")
        if stage == "train":
            with pytest.raises(KeyboardInterrupt):
                fit_stages(asked, tmp_path / "parts", on_step=stop_training)
    fit_stages(asked, tmp_path / "parts")
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_without_masks_there_is_no_student(asked, small, tmp_path):
    model = fit_stages(replace(asked, masks="none"), tmp_path / "run")
    assert model.model.config.data.background and not (tmp_path / "run/masks").exists()
    trained = Predictor.load(tmp_path / "run/checkpoint.pt")
    one, other = (p.model.encoder.state_dict() for p in (trained, model))
    assert all(torch.equal(one[k], other[k]) for k in one)


def test_going_on_from_a_model(asked, small, tmp_path):
    """No pre-training, and after no steps the very model one started from."""
    config = kp.own_video.fit.study()
    torch.manual_seed(1)
    state = State(config, torch.device("cpu"))
    state.predictor().save(tmp_path / "start.safetensors")
    going = replace(asked, start=str(tmp_path / "start.safetensors"), steps=0, masks="none")
    found, start = fit_stages(going, tmp_path / "run"), load(tmp_path / "start.safetensors")
    for part in ("encoder", "regressor", "decoder"):
        one, other = (getattr(p.model, part).state_dict() for p in (found, start))
        assert all(torch.equal(one[k], other[k]) for k in one)
    assert (tmp_path / "run/metrics.jsonl").read_text() == ""
    expected = (
        f"{asked.poses}: holds other joints than those of the skeleton 'face', which the model of --start finds; leave"
    )
    with pytest.raises(KpError, match=re.escape(expected)):
        fit_stages(replace(asked, start="faces"), tmp_path / "other")


def test_faces_are_moved_and_drawn_with_thinner_lines(asked, tmp_path):
    points = np.random.default_rng(0).uniform(20, 100, (5, 68, 2)).astype(np.float32)
    prior = dict(
        keypoints=points, joint_names=np.array(FACE.joints), frame_size=np.array(128), source=np.array(["a"] * 5)
    )
    (tmp_path / "set/priors").mkdir(parents=True)
    np.savez(tmp_path / "set/priors/own.npz", **prior)
    config = choose_config(asked, tmp_path)
    assert (skeleton_of(tmp_path / "set"), config.data.skeleton, config.data.move, config.network.sigma) == (
        "face",
        "face",
        True,
        0.15,
    )


def test_shipped_poses():
    assert find_poses("people").is_file() and find_poses("faces").is_file() and str(find_poses("a/b.csv")) == "a/b.csv"


def test_shipped_poses_of_an_installed_package_lie_beside_its_models(monkeypatch, tmp_path):
    monkeypatch.setattr(kp, "__file__", str(tmp_path / "site/kp/__init__.py"))
    path = tmp_path / "site/kp/models/priors/people.npz"
    path.parent.mkdir(parents=True)
    path.touch()
    assert find_poses("people") == path


def test_a_folder_holds_one_fit(asked, small, tmp_path):
    run = tmp_path / "run"
    fit_stages(replace(asked, masks="none"), run)
    expected = f"{run}: holds a fit with other settings (masks differ); choose another --out or delete it"
    with pytest.raises(KpError, match=re.escape(expected)):
        fit_stages(replace(asked, steps=9), run)
    with pytest.raises(KpError, match="no such file"):  # nothing was made yet: a mistake in the command can be mended
        fit_stages(replace(asked, poses=tmp_path / "gone.npz"), tmp_path / "second")
    assert fit_stages(replace(asked, masks="none"), tmp_path / "second").skeleton.name == "body"
    (run / "fit.json").write_text('{"videos"')
    with pytest.raises(
        KpError, match=re.escape(f"{run / 'fit.json'}: not readable; delete {run} or choose another --out")
    ):
        fit_stages(asked, run)
    with pytest.raises(
        KpError, match=re.escape(f"{tmp_path / 'my videos é'}: is in use already; delete it or choose another --out")
    ):
        fit_stages(asked, tmp_path / "my videos é")


def test_the_record_names_all_settings(asked, small, tmp_path):
    fit_stages(replace(asked, masks="none"), tmp_path / "run")
    told = json.loads((tmp_path / "run/fit.json").read_text())
    assert told["videos"] == [str(asked.videos[0])] and told["steps"] == 3 and told["masks"] == "none"


def test_more_steps_go_on_and_fewer_are_refused(asked, small, tmp_path):
    run, short = tmp_path / "run", replace(asked, masks="none")
    fit_stages(short, run)
    fit_stages(replace(short, steps=5), run)
    assert json.loads((run / "config.json").read_text())["optimizer"]["steps"] == 5
    assert Predictor.load(run / "checkpoint.pt").model.config.optimizer.steps == 5
    with pytest.raises(KpError, match="holds a fit with other settings"):
        fit_stages(short, run)


def test_a_second_fit_in_the_folder_is_refused(tmp_path):
    """By another process, before anything is read into it."""
    code = "import sys, time; from pathlib import Path; from kp.files import alone\nwith alone(Path(sys.argv[1])):\n"
    code += "    print('here', flush=True); time.sleep(60)"
    other = subprocess.Popen([sys.executable, "-c", code, tmp_path / "run"], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "here\n"
        with pytest.raises(KpError, match=rf"run: process {other.pid} .since .*. works in it; wait for its end"):
            kp.fit(tmp_path / "a.mp4", "people", tmp_path / "run")
    finally:
        other.kill()
        other.wait()


def test_films_that_came_later_are_not_passed_over(asked, small, tmp_path):
    fit_stages(replace(asked, masks="none"), tmp_path / "run")
    new = asked.videos[0] / "c.mp4"
    new.write_bytes((asked.videos[0] / "a.mp4").read_bytes())
    with pytest.raises(KpError, match=re.escape(f"holds a fit of other films (not both have {new})")):
        fit_stages(replace(asked, masks="none"), tmp_path / "run")


def test_what_would_spoil_a_training_stops_it_first(asked, small, tmp_path):
    """Poses that stand on their heads: nothing is written; --no-check trains all the same."""
    with np.load(asked.poses) as file:
        prior = dict(file)
    prior["keypoints"] = 128 - prior["keypoints"]
    np.savez(tmp_path / "turned.npz", **prior)
    turned = replace(asked, poses=tmp_path / "turned.npz")
    with pytest.raises(KpError, match=r"this would spoil the training: The poses stand on their heads: .*--no-check"):
        fit_stages(turned, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    fit_stages(replace(turned, check=False), tmp_path / "run")


def test_the_conclusion(asked, small, tmp_path):
    model = fit_stages(asked, tmp_path / "run")
    for level, words in (("wrong", "not usable: seen; look at the overlay of a film"), ("well", "")):
        told = kp.own_video.fit.conclusion(model, tmp_path / "run", Verdict(level, "seen"))
        assert told.startswith(words) and (words or " of the joints are likely in the footage itself" in told)


def test_a_folder_of_the_version_before_goes_on(asked, small, tmp_path):
    """There, masks were true or false."""
    run = tmp_path / "run"
    fit_stages(replace(asked, masks="none"), run)
    record = json.loads((run / "fit.json").read_text())
    (run / "fit.json").write_text(json.dumps(record | {"masks": False}))
    assert fit_stages(replace(asked, masks="none"), run).skeleton.name == "body"
    with pytest.raises(KpError, match="holds a fit with other settings"):
        fit_stages(asked, run)


def test_the_reader_that_ships_is_not_taught_again(asked, small, tmp_path, monkeypatch):
    monkeypatch.setattr(kp.own_video.fit, "lessons_of_figures", None)
    shipped = replace(asked, figure="people", poses=find_poses("people").absolute())
    assert fit_stages(shipped, tmp_path / "run").skeleton.name == "body"
    assert (tmp_path / "run/model.safetensors").is_file() and not list((tmp_path / "run").glob("*.part"))


def test_a_figure_teaches_in_the_methods_place(asked, small, tmp_path, capsys):
    """η is pre-trained, a reader of figures looks at the film, and the student learns what the reader sees."""
    model = fit_stages(replace(asked, figure="people"), tmp_path / "run")
    assert model.skeleton.name == "body" and Predictor.load(tmp_path / "run/checkpoint.pt").size == 64
    assert not list((tmp_path / "run").glob("*.part"))
    said = capsys.readouterr().out
    assert "stage 3 of 5: η, which reads drawings" in said and "stage 4 of 5: a reader of figures" in said
    figure = tmp_path / "figure.json"
    figure.write_text("{}")
    going = replace(asked, figure=str(figure))
    with pytest.raises(KpError, match=re.escape(str(figure))):  # before anything is made
        fit_stages(going, tmp_path / "third")
    assert not (tmp_path / "third/set").exists()
    with pytest.raises(KpError, match="figures are read on black; leave --masks none out"):
        fit_stages(replace(going, masks="none"), tmp_path / "other")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"masks": "brightnes"}, "masks is 'brightnes'; it must be one of 'motion', 'person', 'selfie', 'brightness'"),
        ({"every": 0}, "every is 0; it must be at least 1"),
        ({"crop": "persn"}, "crop is 'persn'; it must be one of"),
        ({"step": 100}, "step"),
    ],
)
def test_a_setting_that_does_not_fit(tmp_path, settings, message):
    with pytest.raises(KpError, match=message):
        kp.fit(tmp_path / "a.mp4", "people", tmp_path / "run", **settings)


def test_a_fit_beside_its_films_does_not_read_what_it_wrote(asked, small):
    run = asked.videos[0] / "run"
    fit_stages(replace(asked, masks="none"), run)
    assert find_films(asked, run) == sorted(asked.videos[0].glob("*.mp4"))
    fit_stages(replace(asked, masks="none"), run)
