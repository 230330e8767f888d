"""Pictures through a training: at which steps, what is kept, and that looking changes nothing."""

import dataclasses

import numpy as np
import pytest
import tiny
import torch

from kp.config import smoke
from kp.datasets.sets import open_clips, open_prior
from kp.errors import KpError
from kp.geometry import evenly
from kp.training.loop import train
from kp.training.snapshots import Snapshots, moments, read_snapshots

STEPS = 6


@pytest.fixture
def config(tmp_path):
    base = smoke(tiny.make_set(tmp_path / "set"))
    return dataclasses.replace(base, optimizer=dataclasses.replace(base.optimizer, steps=STEPS, pretrain_steps=2))


def test_moments_grow_by_a_factor_and_end_at_the_end():
    assert moments(1000, 4) == [1, 10, 100, 1000]
    assert moments(3) == [1, 2, 3]
    assert moments(0) == [1]


def test_evenly():
    assert evenly(9, 3) == [0, 4, 8]
    assert evenly(2, 8) == [0, 1]


def test_keeps_what_the_encoder_draws_and_changes_nothing(config, tmp_path):
    clips, poses = open_clips(config.data, "train"), open_prior(config.data, 0)
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    plain = train(config, tmp_path / "plain", clips, poses)
    watched = train(config, tmp_path / "run", clips, poses, on_step=Snapshots(images, STEPS, tmp_path / "s.npz"))
    steps, drawn = read_snapshots(tmp_path / "s.npz")
    assert steps.tolist() == [1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(drawn[-1], watched.predictor()(images).skeleton.numpy())
    assert np.abs(drawn[0] - drawn[-1]).max() > 1e-3
    for a, b in zip(plain.model.parameters(), watched.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_steps_that_are_taken_again_are_kept_once(config, tmp_path):
    clips, poses = open_clips(config.data, "train"), open_prior(config.data, 0)
    images, path = torch.zeros(1, 3, 32, 32), tmp_path / "s.npz"
    np.savez(path, steps=np.array([1, 2, 4]), skeletons=np.full((3, 1, 1, 32, 32), 7.0, np.float32))
    train(config, tmp_path / "run", clips, poses, on_step=Snapshots(images, STEPS, path), stop_after=2 + 3)
    steps, drawn = read_snapshots(path)
    assert steps.tolist() == [1, 2, 3]
    assert np.abs(drawn - 7).min() > 0


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(KpError, match=r"s\.npz: no such file"):
        read_snapshots(tmp_path / "s.npz")
