from dataclasses import replace

import pytest
import torch

from kp.evaluation.evaluate import EVERY, load_test, measure, regressor_floor
from kp.inference.predictor import Prediction, Predictor
from kp.skeletons import BODY


class Fixed(torch.nn.Module):
    """Reads every picture as the same point, the middle by default."""

    def forward(self, y):
        return torch.zeros(len(y), 17, 2)


@pytest.fixture
def test_set(config):
    return load_test(config.data, progress=False)


def test_load_test_takes_every_fourth_frame(test_set, clips):
    assert test_set.clips.names == test_set.truth.names == ["000", "001"]
    assert EVERY == 4 and test_set.images.shape == (2, 2, 3, 32, 32) and test_set.keypoints.shape == (2, 2, 17, 2)
    assert torch.equal(test_set.keypoints, test_set.truth.keypoints[:, [0, 4]])
    frame = test_set.clips.frames[1][4].permute(2, 0, 1)
    torch.testing.assert_close(test_set.images[1, 1], frame / 127.5 - 1)


def test_images_and_truth_belong_together(test_set):
    """The box is drawn from the leftmost to the rightmost joint."""
    subject = test_set.images.flatten(0, 1).amax(1) > 0
    columns = subject.any(1).float() * torch.arange(32)
    right = columns.amax(1) * 2 / 31 - 1
    torch.testing.assert_close(right, test_set.keypoints.flatten(0, 1)[..., 0].amax(1), rtol=0, atol=2 / 31)


@pytest.mark.parametrize(("split", "source", "names"), [("val", "", ["000", "001"]), ("test", "deepmimic", ["001"])])
def test_load_test_follows_split_and_source(config, split, source, names):
    made = load_test(replace(config.data, source=source), split, progress=False)
    assert made.truth.names == names and len(made.keypoints) == len(names)


def test_perfect_predictions_score_zero(model, test_set, poses, monkeypatch):
    true = test_set.keypoints.flatten(0, 1)
    picture = torch.zeros(len(true), 1, 32, 32)
    monkeypatch.setattr(Predictor, "__call__", lambda self, images: Prediction(true, picture, picture, true))
    scores, made = measure(Predictor(model, Fixed()), test_set, poses)
    assert scores.raw == scores.label_free == 0 and torch.equal(made.keypoints, true)


def test_scores_of_an_untrained_model(model, test_set, poses):
    scores, made = measure(Predictor(model, Fixed()), test_set, poses)
    expected = (made.keypoints - test_set.keypoints.flatten(0, 1)).norm(dim=-1).mean() * 50
    assert scores.raw == pytest.approx(expected.item(), rel=1e-4) and scores.raw > 1
    mean_pose = (poses.keypoints.mean(0) - test_set.keypoints).norm(dim=-1).mean() * 50
    assert scores.mean_pose == pytest.approx(mean_pose.item(), rel=1e-4)
    assert len(made.keypoints) == 4 and set(scores.by_joint) == set(BODY.joints)


def test_regressor_floor(model):
    keypoints = torch.tensor([0.3, 0.4]).expand(70, 17, 2)
    assert regressor_floor(Predictor(model, Fixed()), keypoints) == pytest.approx(25)


def test_regressor_floor_reads_drawings(model):
    keypoints = torch.rand(3, 17, 2) - 0.5
    read = model.regressor.eval()(model.draw(keypoints)).detach()
    expected = (read - keypoints).norm(dim=-1).mean().item() * 50
    assert regressor_floor(Predictor(model, model.regressor), keypoints) == pytest.approx(expected, rel=1e-4)
