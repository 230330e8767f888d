import copy
from dataclasses import replace

import pytest
import torch

import kp.training.diagnostics
from kp.datasets.clips import Clips
from kp.datasets.sets import open_clips, open_prior
from kp.inference.predictor import Prediction, Predictor
from kp.inference.published import load
from kp.training.diagnostics import HEALTHY, Diagnostics, Probe, Verdict, diagnose, following, judge
from kp.training.loop import adopt_model, train
from kp.training.state import State

CPU = torch.device("cpu")
GOOD = Diagnostics(
    step=200, spread=0.7, centred=0.1, prior_centred=0.1, follows=0.7, flips=0.0, real=0.6, fake=0.4, accuracy=0.7
)


@pytest.fixture
def probe(clips, poses):
    return Probe.of(clips, poses)


def test_a_probe_is_always_the_same(clips, poses, probe):
    again = Probe.of(clips, poses)
    assert torch.equal(again.frames, probe.frames) and torch.equal(again.poses, probe.poses)
    assert probe.frames.shape == (32, 3, 32, 32) and probe.poses.shape == (32, 17, 2)


@pytest.mark.parametrize("average", (0.99, 0.0))
def test_looking_changes_nothing(config, probe, same, average):
    state = State(replace(config, optimizer=replace(config.optimizer, average=average)), CPU)
    before, random = copy.deepcopy(state.state_dict()), torch.get_rng_state()
    modes = [part.training for net in state.modules.values() for part in net.modules()]
    diagnose(state, probe)
    assert same(before, state.state_dict()) and torch.equal(random, torch.get_rng_state())
    assert modes == [part.training for net in state.modules.values() for part in net.modules()]


class Brightest(Predictor):
    """Finds the brightest pixel of a picture, goes a share of the way there from the middle, and calls that every
    joint.
    """

    def __init__(self, share: float):
        self.share = share

    def __call__(self, images: torch.Tensor, batch: int = 64) -> Prediction:
        place, size = images[:, 0].flatten(1).argmax(1), images.shape[-1]
        points = torch.stack([place % size, place // size], 1) * 2 / (size - 1) - 1
        points = (self.share * points)[:, None].expand(-1, 17, 2)
        return Prediction(points, images[:, :1], images[:, :1], points)


@pytest.mark.parametrize("share", (1.0, 0.5, 0.0))
def test_following_is_the_share_of_the_shift(share):
    """A spot of 3 × 3 pixels, shifted by 2.3 of 32: its brightest pixel goes 2."""
    images = torch.full((8, 3, 32, 32), -1.0)
    images[:, :, 12:15, 17:20] = torch.tensor([[0.0, 0.5, 0.0], [0.5, 1.0, 0.5], [0.0, 0.5, 0.0]])
    predictor = Brightest(share)
    assert following(predictor, images, predictor(images).keypoints) == pytest.approx(
        share * 2 / (0.15 * 31 / 2), rel=1e-4
    )


def test_a_model_that_finds_the_priors_poses_spreads_as_they_do(config, probe, monkeypatch):
    state = State(config, CPU)

    def fixed(predictor, images):
        return Prediction(probe.poses, images[:, :1], images[:, :1], probe.poses)

    monkeypatch.setattr(Predictor, "__call__", fixed)
    signs, _ = diagnose(state, probe)
    assert (
        signs.spread == pytest.approx(1) and signs.centred == signs.prior_centred and signs.follows == signs.flips == 0
    )


def test_without_a_discriminator_there_are_no_scores(config, probe):
    signs, _ = diagnose(State(replace(config, loss=replace(config.loss, adversarial=0.0)), CPU), probe)
    assert (signs.real, signs.fake, signs.accuracy) == (None, None, None)
    assert judge([replace(GOOD, real=None, fake=None, accuracy=None)]).level == "well"


@pytest.mark.parametrize(
    ("change", "level", "words"),
    (
        (
            {},
            "well",
            "Poses follow the picture (shifted frames move them 0.70 times as far) and differ from frame to frame",
        ),
        ({"step": 75}, "early", "After 100 steps the signs can be judged; now: spread 0.70, following 0.70."),
        (
            {"spread": 0.1},
            "wrong",
            "Collapsed: the frames all get nearly the same pose (joints spread 0.10 times as far as the prior's).",
        ),
        (
            {"centred": 0.6},
            "wrong",
            "Collapsed: the frames all get nearly the same pose (joints gather in the middle of the picture).",
        ),
        ({"follows": 0.2}, "wrong", "Poses do not follow the picture: shifted frames move them 0.20 times as far."),
        ({"accuracy": 0.98}, "doubtful", "D tells 98 % of Φ's pictures from drawn poses: they do not look alike."),
        (
            {"flips": 0.5},
            "doubtful",
            "Left and right are exchanged in 50 % of the frames, as far as the redrawn poses tell.",
        ),
    ),
)
def test_verdicts(change, level, words):
    verdict = judge([replace(GOOD, **change)])
    assert verdict.level == level and verdict.seen.startswith(words)
    assert bool(verdict.remedy) == (level in ("wrong", "doubtful"))


def test_one_odd_look_is_not_a_verdict():
    assert judge([GOOD, GOOD, replace(GOOD, follows=0.1)]).level == "well"
    assert judge([GOOD, *[replace(GOOD, follows=0.1)] * 3]).level == "wrong"


def test_what_helps_is_said_with_what_is_seen():
    assert (
        str(Verdict("wrong", "Bad.", "rest.")) == "Bad. What may help: rest."
        and str(Verdict("well", "Fine.")) == "Fine."
    )


def test_every_sign_is_explained():
    assert ["step", *HEALTHY] == list(Diagnostics.__dataclass_fields__)


def test_a_published_model_is_healthy():
    """The published people, among test people on black: follows 0.8, spreads as the prior does."""
    start = load("people")
    config = start.model.config
    config = replace(config, data=replace(config.data, background=False), loss=replace(config.loss, adversarial=0.0))
    state = State(config, CPU)
    adopt_model(state, start.model, start.first_regressor)
    state.step = 1000
    signs, _ = diagnose(state, Probe.of(open_clips(config.data, "test"), open_prior(config.data, 0)))
    assert judge([signs]).level == "well" and signs.follows > 0.7 and signs.spread > 0.7


def test_collapse_is_recognised(config, poses, tmp_path, monkeypatch):
    """Clips in which nothing is to be seen: one pose for all."""
    monkeypatch.setattr(kp.training.diagnostics, "EARLY", 0)
    black = Clips(["a", "b"], ["", ""], [torch.zeros(8, 32, 32, 3, dtype=torch.uint8)] * 2)
    signs, _ = diagnose(train(config, tmp_path, black, poses), Probe.of(black, poses))
    assert judge([signs]).seen.startswith("Collapsed: the frames all get nearly the same pose")
