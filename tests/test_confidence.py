import json
import math
from pathlib import Path

import pytest
import torch

from kp.clips import to_images
from kp.confidence import CLOSE, CURVES, Curve, confidence, curve_of, fit_curve, read_surely, readings
from kp.consistency import mirrored, mirrored_mean
from kp.metrics import joint_errors
from kp.predict import Predictor

RECORDS = Path(__file__).parents[1] / "data/runs/confidence"


@pytest.fixture(scope="module")
def predictor(finished):
    return Predictor.of(finished[1])


def test_confidence_by_hand():
    """Bias log 4, once the logarithm of each distance: odds of 4 to 1 at distances of 1 %, 4 / (2 · 3) at 2 and 3 %."""
    sure = confidence(torch.tensor([[1.0, 1.0], [2.0, 3.0], [0.0, 1e6]]), Curve(math.log(4), 1.0, 1.0))
    torch.testing.assert_close(sure[:2], torch.tensor([0.8, 0.4]))
    assert sure[2] < 1e-3


def test_the_curve_that_made_the_data_is_found():
    generator, true = torch.Generator().manual_seed(0), Curve(2.0, 1.5, 0.5)
    apart = torch.rand(40_000, 2, generator=generator) * 10
    right = torch.rand(40_000, generator=generator) < confidence(apart, true)
    assert fit_curve(apart, torch.where(right, CLOSE - 1, CLOSE + 1)) == pytest.approx(true, abs=0.06)


def test_a_shipped_skeleton_has_a_curve_of_its_own_and_others_that_of_bodies():
    assert curve_of("face") == CURVES["face"] != curve_of("hand") == CURVES["body"]


@pytest.mark.parametrize(("skeleton", "model"), [("body", "people"), ("face", "faces")])
def test_curves_are_those_measured_and_hold_on_test_people(skeleton, model):
    record = json.loads((RECORDS / f"{model}.json").read_text())
    assert CURVES[skeleton] == pytest.approx(tuple(record["curve"].values()), abs=6e-4)
    for place in ("on black", "before backgrounds"):
        assert record[place]["gap"] < 0.07 and record[place]["ranking"] > 0.75


@pytest.mark.parametrize("name", CURVES)
def test_readings_further_apart_are_less_sure(name):
    steps = torch.tensor([0.1, 1.0, 3.0, 10.0])
    for apart in (torch.stack([steps, torch.ones(4)], 1), torch.stack([torch.ones(4), steps], 1)):
        assert (confidence(apart, CURVES[name]).diff() < 0).all()


def test_readings(predictor, clips):
    images = to_images(clips.frames[0])
    keypoints, sure = read_surely(predictor, images)
    both, apart = readings(predictor, images)
    assert torch.equal(keypoints, both) and sure.shape == (8, 17) and (sure > 0).all() and (sure < 1).all()
    assert torch.equal(sure, confidence(apart, CURVES["body"]))


def test_without_flips_they_are_what_their_names_say(predictor, clips, monkeypatch):
    import kp.confidence

    monkeypatch.setattr(kp.confidence, "resolve_flips", lambda p, reference, skeleton: p)
    images = to_images(clips.frames[0])
    keypoints, apart = readings(predictor, images)
    torch.testing.assert_close(keypoints, mirrored_mean(predictor, images))
    made = predictor(images)
    torch.testing.assert_close(apart[..., 0], joint_errors(made.keypoints, mirrored(predictor, images)))
    torch.testing.assert_close(apart[..., 1], joint_errors(made.keypoints, made.reference))


def test_readings_agree_on_left_and_right(predictor, clips, monkeypatch):
    """A mirror reading that has the sides exchanged is no disagreement."""
    import kp.confidence

    images = to_images(clips.frames[0])
    spread = torch.rand(8, 17, 2, generator=torch.Generator().manual_seed(0))
    made = predictor(images)

    class Fixed(Predictor):
        def __init__(self):
            self.skeleton = predictor.skeleton

        def __call__(self, images):
            return type(made)(spread, made.skeleton, made.redrawn, spread)

    monkeypatch.setattr(kp.confidence, "mirrored", lambda *_: spread[:, predictor.skeleton.flip])
    keypoints, apart = readings(Fixed(), images)
    assert torch.equal(keypoints, spread) and not apart.any()
