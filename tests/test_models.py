"""The published models are what their cards say."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import kp
from kp.evaluate import load_test
from kp.metrics import joint_errors
from kp.weights import MODELS

ROOT = Path(__file__).parents[1]
CARD = (MODELS / "people.md").read_text()


@pytest.fixture(scope="module")
def people():
    return kp.load("people")


@pytest.mark.parametrize(("background", "least"), [(False, 3.1), (True, 4.0)], ids=["on black", "in rooms"])
def test_people_it_has_never_seen(people, background, least):
    data = replace(people.model.config.data, videos=ROOT / "data/people", background=background)
    test = load_test(data, progress=False)
    images, true = test.images[:, ::4].flatten(0, 1), test.keypoints[:, ::4].flatten(0, 1)
    assert joint_errors(people(images).keypoints, true).mean().item() < least


def test_the_file_is_small():
    assert (MODELS / "people.safetensors").stat().st_size < 25e6


@pytest.mark.parametrize("place", ["black", "rooms"])
def test_the_card_tells_the_scores_of_the_records(place):
    record = json.loads((ROOT / f"data/runs/headline/student_{place}_seed0.json").read_text())
    assert f"{record['raw']:.2f}" in CARD and f"{record['raw_mirrored']:.2f}" in CARD


def test_a_square_video_of_any_size_goes_in(people):
    from kp.predict import read_frames

    frames = read_frames(ROOT / "data/people/videos/test/000.mp4")[:4]
    xy = people.pixels(frames)  # in a room: no mask is asked for
    assert xy.shape == (4, 17, 2) and xy.min() >= 0 and xy.max() <= 127
