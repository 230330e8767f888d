import json
import math
from pathlib import Path

import pytest
import torch

from kp.datasets.clips import to_images
from kp.geometry import joint_errors
from kp.inference.confidence import CLOSE, UNMEASURED, Curve, confidence, fit_curve
from kp.inference.predictor import Predictor
from kp.inference.published import load

RECORDS = Path(__file__).parents[2] / "data/runs/confidence"


@pytest.fixture(scope="module")
def predictor(finished):
    return finished[1].predictor()


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


@pytest.mark.parametrize("model", ["people", "faces"])
def test_published_models_hold_the_curves_that_were_measured_on_test_people(model):
    record = json.loads((RECORDS / f"{model}.json").read_text())
    assert load(model).curve == pytest.approx(tuple(record["curve"].values()), abs=6e-4)
    for place in ("on black", "before backgrounds"):
        assert record[place]["gap"] < 0.07 and record[place]["ranking"] > 0.75


@pytest.mark.parametrize("name", ["people", "faces"])
def test_readings_further_apart_are_less_sure(name):
    steps = torch.tensor([0.1, 1.0, 3.0, 10.0])
    for apart in (torch.stack([steps, torch.ones(4)], 1), torch.stack([torch.ones(4), steps], 1)):
        assert (confidence(apart, load(name).curve).diff() < 0).all()


def test_readings(predictor, clips):
    images = to_images(clips.frames[0])
    keypoints, sure = predictor.with_confidence(images)
    both, apart = predictor.readings(images)
    assert torch.equal(keypoints, both) and sure.shape == (8, 17) and (sure > 0).all() and (sure < 1).all()
    assert torch.equal(sure, confidence(apart, UNMEASURED))


def test_without_flips_they_are_what_their_names_say(predictor, clips, monkeypatch):
    import kp.inference.predictor

    monkeypatch.setattr(kp.inference.predictor, "resolve_flips", lambda p, reference, skeleton: p)
    images = to_images(clips.frames[0])
    keypoints, apart = predictor.readings(images)
    torch.testing.assert_close(keypoints, predictor.mirrored_mean(images))
    made = predictor(images)
    torch.testing.assert_close(apart[..., 0], joint_errors(made.keypoints, predictor.mirrored(images)))
    torch.testing.assert_close(apart[..., 1], joint_errors(made.keypoints, made.reference))


def test_readings_agree_on_left_and_right(predictor, clips, monkeypatch):
    """A mirror reading that has the sides exchanged is no disagreement."""
    images = to_images(clips.frames[0])
    spread = torch.rand(8, 17, 2, generator=torch.Generator().manual_seed(0))
    made = predictor(images)

    class Fixed(Predictor):
        def __init__(self):
            self.skeleton = predictor.skeleton

        def __call__(self, images):
            return type(made)(spread, made.skeleton, made.redrawn, spread)

        def mirrored(self, images):
            return spread[:, predictor.skeleton.flip]

    keypoints, apart = Fixed().readings(images)
    assert torch.equal(keypoints, spread) and not apart.any()
