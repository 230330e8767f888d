from pathlib import Path

import numpy as np
import pytest
import torch

from kp.config import Optimizer
from kp.research.flies import Labels, errors, load_labels, to_move, train_on_labels
from kp.skeletons import find_skeleton

FLY = find_skeleton("data/flies/fly.json")


@pytest.mark.parametrize("name", ["first", "second"])
def test_labels_of_a_fly(name):
    labels = load_labels(Path("data/flies") / name, FLY, 64)
    assert labels.images.shape == (64, 3, 64, 64) and labels.keypoints.shape == (64, 24, 2)
    assert labels.images.min() >= -1 and labels.images.max() <= 1
    assert labels.test.sum() == 44
    assert labels.keypoints.isfinite().float().mean() > 0.9
    apart = errors(labels.tracked, labels, FLY)
    assert apart["test"]["all"] < 1.5  # SLEAP's network, taught by labels: the labels lie where they should


def made(size=64):
    points = torch.zeros(4, 24, 2)
    points[:, FLY.index("head"), 1], points[:, FLY.index("abdomen"), 1] = -0.5, 0.5
    points[0, FLY.index("left_wing")] = float("nan")
    return Labels(torch.zeros(4, 3, size, size), points, points, torch.tensor([True, True, False, False]))


def test_errors_count_what_people_saw():
    labels = made()
    read = labels.keypoints.nan_to_num() + torch.tensor([0.02, 0.0])
    read[2:] = labels.keypoints[2:]
    read[0, FLY.index("left_wing")] = 9.0
    found = errors(read, labels, FLY)
    assert found["test"]["all"] == pytest.approx(1.0, abs=1e-4) and found["val"]["all"] == 0
    assert found["test"]["wings"] == pytest.approx(1.0, abs=1e-4)
    assert found["test"]["in_bodies"] == pytest.approx(2.0, abs=1e-3)  # the body is half of the side long
    assert found["test"]["by_frame"] == [1.0, 1.0]


def test_a_draft_counts_what_is_far_or_missing():
    labels = made()
    read = labels.keypoints.nan_to_num()
    read[1, :6, 0] += 0.1  # 5 % of the side
    read[1, 6] = float("nan")
    assert to_move(read, labels, 4.0) == pytest.approx(7 / 47)  # of two frames of 24, one joint has no label
    assert to_move(read, labels, 6.0) == pytest.approx(1 / 47)


def test_regions_cover_all_joints():
    assert sorted(joint for _, joints in FLY.regions for joint in joints) == sorted(FLY.joints)


def test_a_network_taught_by_labels_reads_what_it_learnt():
    rng = np.random.default_rng(0)
    labels = made(32)
    images = torch.from_numpy(rng.uniform(-1, 1, (4, 1, 32, 32)).astype("float32")).expand(-1, 3, -1, -1)
    labels = Labels(images, labels.keypoints, labels.tracked, labels.test)
    net = train_on_labels(labels, 3, FLY, Optimizer(steps=80, batch=8, lr=3e-3), seed=0)
    with torch.no_grad():
        found = net(images[:, :1])
    assert (found - labels.keypoints)[labels.keypoints.isfinite()].abs().mean() < 0.1
