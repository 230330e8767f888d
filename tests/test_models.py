"""The published models are what their cards say."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import kp
from kp.evaluation.evaluate import load_test
from kp.evaluation.metrics import normalised_errors
from kp.geometry import joint_errors
from kp.inference.confidence import CLOSE
from kp.inference.published import MODELS, examples
from kp.research.flies import errors, load_labels

ROOT = Path(__file__).parents[1]
CARDS = {name: (MODELS / f"{name}.md").read_text() for name in ("people", "faces", "flies")}


@pytest.fixture(scope="module")
def people():
    return kp.load("people")


@pytest.mark.parametrize(("background", "least"), [(False, 3.1), (True, 4.0)], ids=["on black", "in rooms"])
def test_people_it_has_never_seen(people, background, least):
    data = replace(people.model.config.data, videos=ROOT / "data/people", background=background)
    test = load_test(data, progress=False)
    images, true = test.images[:, ::4].flatten(0, 1), test.keypoints[:, ::4].flatten(0, 1)
    assert joint_errors(people(images).keypoints, true).mean().item() < least


@pytest.mark.parametrize("background", [False, True], ids=["on black", "before a background"])
def test_faces_it_has_never_seen(background):
    faces = kp.load("faces")
    test = load_test(
        replace(faces.model.config.data, videos=ROOT / "data/faces", background=background), progress=False
    )
    images, true = test.images[:, ::4].flatten(0, 1), test.keypoints[:, ::4].flatten(0, 1)
    # % of the outer eye corners' distance
    assert normalised_errors(faces(images).keypoints, true, faces.skeleton).mean().item() < 8


@pytest.mark.parametrize(("name", "most"), [("first", 4.6), ("second", 3.5)])
def test_flies_that_people_labelled(name, most):
    flies = kp.load("flies")
    labels = load_labels(ROOT / "data/flies" / name, flies.skeleton, flies.size)
    keypoints, sure = flies.with_confidence(labels.images)
    assert errors(keypoints, labels, flies.skeleton)["test"]["all"] < most
    distance = joint_errors(keypoints, labels.keypoints)
    assert sure[distance <= CLOSE].mean() > sure[distance > CLOSE].mean() + 0.1


def test_the_card_of_flies_tells_the_scores_of_the_record():
    record = json.loads((ROOT / "data/runs/flies/model_seed0.json").read_text())
    told = [record[name]["test"][joints] for name in ("first", "second") for joints in ("all", "tips")]
    assert all(f"{number:.2f}" in CARDS["flies"] for number in told)
    assert f"{record['confidence']['ranking']:.0%}".strip("%") + " of 100" in CARDS["flies"]


@pytest.mark.parametrize("name", CARDS)
def test_the_files_are_small(name):
    assert (MODELS / f"{name}.safetensors").stat().st_size < 25e6


@pytest.mark.parametrize(("name", "folder"), [("people", "people"), ("faces", "faces")])
@pytest.mark.parametrize("place", ["black", "rooms"])
def test_the_card_tells_the_scores_of_the_records(name, folder, place):
    record = json.loads((ROOT / f"data/runs/{folder}/student_{place}_seed0.json").read_text())
    told = [record["raw"], record["raw_mirrored"], record["mean_pose"]] + (
        [record["normalised"]] if record.get("normalised") else []
    )
    assert all(f"{number:.2f}" in CARDS[name] for number in told)


def test_a_square_video_of_any_size_goes_in(people):
    from kp.video import read_video

    frames = read_video(ROOT / "data/people/videos/test/000.mp4")[:4]
    xy = people.pixels(frames)  # in a room: no mask is asked for
    assert xy.shape == (4, 17, 2) and xy.min() >= 0 and xy.max() <= 127


def test_the_examples_are_frames_that_the_model_has_never_seen(people):
    frames = examples()
    assert frames.shape == (8, 3, 64, 64) and frames.min() == -1 and frames.max() <= 1
    data = replace(people.model.config.data, videos=ROOT / "data/people", background=False)
    test = load_test(data, progress=False)
    torch.testing.assert_close(frames, test.images[::10, 4], atol=1 / 127, rtol=0)
    assert joint_errors(people(frames).keypoints, test.keypoints[::10, 4]).mean() < 3.1


def test_the_card_of_people_on_film_tells_the_numbers_of_the_records():
    card = (MODELS / "people_on_film.md").read_text()
    record = json.loads((ROOT / "data/runs/own_video/people_on_film.json").read_text())
    film = json.loads((ROOT / "data/runs/own_video/person_seed0.json").read_text())
    told = [
        record["test"]["error"],
        *(film[f"{name}_disagreement"] for name in ("people_on_film", "published", "mean_pose")),
    ]
    assert all(f"{number:.2f}" in card for number in told)
    assert f"{record['test']['ranking']:.0%}".strip("%") + " of 100" in card
