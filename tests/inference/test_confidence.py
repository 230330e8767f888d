import json
import math
from pathlib import Path

import pytest
import torch

from kp.datasets.clips import to_images
from kp.geometry import joint_errors
from kp.inference.confidence import (
    CUES,
    UNMEASURED,
    Curve,
    confidence,
    film_cues,
    fit_weights,
    look_around,
    moves,
    still_cues,
)
from kp.inference.predictor import Predictor
from kp.inference.published import load
from kp.skeletons import BODY

RECORDS = Path(__file__).parents[2] / "data/runs/confidence"


@pytest.fixture(scope="module")
def predictor(finished):
    return finished[1].predictor()


def test_confidence_by_hand():
    """Odds of 4 to 1 where all cues are 1, of 4 / (2 · 3) where two are 2 and 3; a tiny cue counts as 0.05."""
    curve = Curve((math.log(4), -1.0, -1.0, 0.0, 0.0, 0.0, 0.0), UNMEASURED.film)
    cues = torch.ones(1, 3, 6)
    cues[0, 1, :2] = torch.tensor([2.0, 3.0])
    cues[0, 2, :2] = 0
    sure = confidence(cues, torch.zeros(1, 3, 2), curve, film=True)  # one frame is no film
    torch.testing.assert_close(sure, torch.tensor([[0.8, 0.4, 1 / (1 + 0.05**2 / 4)]]))


def test_cues_of_a_film():
    """The seventh is the distance from the middle of the neighbours; each comes at the moment and over five frames."""
    keypoints = torch.zeros(7, 1, 2)
    keypoints[3, 0, 0] = 0.2  # 10 % of the image size, for one frame
    features = film_cues(torch.ones(7, 1, 6), keypoints)
    assert features.shape == (7, 1, 14) and not features[..., :6].any()
    torch.testing.assert_close(features[:, 0, 6].exp(), torch.tensor([0.05, 0.05, 5.0, 10.0, 5.0, 0.05, 0.05]))
    torch.testing.assert_close(features[3, 0, 13], features[1:6, 0, 6].mean())
    torch.testing.assert_close(features[0, 0, 13], features[:3, 0, 6].mean())


def test_the_weights_that_made_the_data_are_found():
    generator, true = torch.Generator().manual_seed(0), torch.tensor([2.0, -1.5, -0.5])
    features = torch.randn(40_000, 2, generator=generator)
    right = torch.rand(40_000, generator=generator) < torch.sigmoid(true[0] + features @ true[1:])
    assert fit_weights(features, right) == pytest.approx(true.tolist(), abs=0.06)


def test_what_is_around_a_joint():
    """A joint in the black half of an image has no contrast and no light; drawings differ around the other one only."""
    images, drawn = -torch.ones(1, 3, 64, 64), torch.zeros(1, 1, 64, 64)
    images[..., 32:] = torch.rand(1, 3, 64, 32)
    drawn[..., 32:] = 0.5
    seen = look_around(torch.tensor([[[-0.5, 0.0], [0.5, 0.0]]]), images, drawn, torch.zeros(1, 1, 64, 64))
    torch.testing.assert_close(seen[0, 0], torch.zeros(3), atol=1e-4, rtol=0)
    assert seen[0, 1, 0] == pytest.approx(5) and seen[0, 1, 1] > 1 and seen[0, 1, 2] == pytest.approx(10)


def test_images_are_moved_by_their_number_in_the_film():
    eight = moves(0, 20)
    later = moves(5, 3)
    assert torch.equal(later.matrix, eight.matrix[5:8]) and torch.equal(eight.shift[0], eight.shift[8])
    points = torch.rand(20, 17, 2)
    torch.testing.assert_close(eight.inverse_points(eight.points(points)), points)


def test_a_curve_there_and_back():
    curve = Curve(tuple(map(float, range(7))), tuple(map(float, range(15))))
    assert Curve.of(curve.text()) == curve
    for text in (None, "", "[1.7, 1.0, 0.9]", '{"still": [1], "film": [2]}'):
        assert Curve.of(text) == UNMEASURED


@pytest.mark.parametrize("model", ["people", "faces"])
def test_published_models_hold_the_curves_that_were_measured(model):
    record = json.loads((RECORDS / f"{model}.json").read_text())
    assert load(model).curve == Curve(tuple(record["still"]), tuple(record["film"]))
    assert record["all, film"]["ranking"] >= 0.8 and record["all, film"]["gap"] < 0.07


def test_the_people_are_the_unmeasured():
    assert load("people").curve == UNMEASURED


@pytest.mark.parametrize("cue", ["mirrored", "moved", "redrawn"])
def test_readings_further_apart_are_less_sure(cue):
    cues = torch.ones(1, 4, 6)
    cues[0, :, CUES.index(cue)] = torch.tensor([0.1, 1.0, 3.0, 10.0])
    assert (confidence(cues, torch.zeros(1, 4, 2), load("people").curve, film=False).diff() < 0).all()


def test_readings(predictor, clips):
    images = to_images(clips.frames[0])
    keypoints, sure = predictor.with_confidence(images)
    both, cues = predictor.readings(images)
    assert torch.equal(keypoints, both) and sure.shape == (8, 17) and (sure > 0).all() and (sure < 1).all()
    assert torch.equal(sure, torch.sigmoid(UNMEASURED.still[0] + still_cues(cues) @ torch.tensor(UNMEASURED.still[1:])))


def test_without_flips_they_are_what_their_names_say(predictor, clips, monkeypatch):
    import kp.inference.predictor

    monkeypatch.setattr(kp.inference.predictor, "resolve_flips", lambda p, reference, skeleton: p)
    images = to_images(clips.frames[0])
    keypoints, cues = predictor.readings(images, first=2)
    torch.testing.assert_close(keypoints, predictor.mirrored_mean(images))
    prediction, move = predictor(images), moves(2, len(images))
    moved = move.inverse_points(predictor(move.images(images)).keypoints)
    for i, other in enumerate((predictor.mirrored(images), moved, prediction.reference)):
        torch.testing.assert_close(cues[..., i], joint_errors(prediction.keypoints, other))


def test_a_skeleton_without_pairs_is_not_mirrored(predictor, clips, monkeypatch):
    from dataclasses import replace

    monkeypatch.setattr(predictor, "skeleton", replace(BODY, mirror_pairs=()))
    images = to_images(clips.frames[0])
    keypoints, cues = predictor.readings(images)
    assert torch.equal(keypoints, predictor(images).keypoints) and not cues[..., 0].any()
    assert torch.equal(predictor.mirrored_mean(images), keypoints)


def test_readings_agree_on_left_and_right(predictor, clips):
    """A mirror reading that has the sides exchanged is no disagreement."""
    images = to_images(clips.frames[0])
    spread = torch.rand(8, 17, 2, generator=torch.Generator().manual_seed(0))
    prediction = predictor(images)

    class Fixed(Predictor):
        def __init__(self):
            self.skeleton = predictor.skeleton

        def __call__(self, images):
            return type(prediction)(spread, prediction.skeleton, prediction.redrawn, spread)

        def mirrored(self, images):
            return spread[:, predictor.skeleton.flip]

    keypoints, cues = Fixed().readings(images)
    assert torch.equal(keypoints, spread) and not cues[..., [0, 2]].any()
