"""Shared fixtures. kp is imported inside them only: its annotations are checked from the first import on."""

import shutil
from dataclasses import replace

import hypothesis
import matplotlib
import pytest
import torch
from tiny import make_set

matplotlib.use("Agg")
torch.set_num_threads(1)
hypothesis.settings.register_profile("kp", deadline=None, derandomize=True, database=None, max_examples=30)
hypothesis.settings.load_profile("kp")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A video set to read, never to write."""
    return make_set(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def own(tiny, tmp_path):
    """A copy of the tiny set that a test may damage."""
    return shutil.copytree(tiny, tmp_path / "set")


@pytest.fixture(scope="session")
def config(tiny):
    """The smoke preset, shorter still: 4 steps of pre-training, 6 of training."""
    from kp.config import smoke

    made = smoke(tiny)
    return replace(made, optimizer=replace(made.optimizer, pretrain_steps=4, steps=6, batch=2))


@pytest.fixture(scope="session")
def clips(tiny):
    from kp.datasets.clips import load_clips

    return load_clips(tiny, "train", 32, progress=False)


@pytest.fixture(scope="session")
def poses(tiny):
    from kp.datasets.priors import load_poses
    from kp.skeletons import BODY

    return load_poses(tiny / "priors" / "matched.npz", BODY, 32)


@pytest.fixture(scope="session")
def finished(tmp_path_factory, config):
    """A run folder after an uninterrupted training, and its final state. To read, never to write."""
    from kp.training.loop import train

    out = tmp_path_factory.mktemp("finished") / "run"
    return out, train(config, out)


@pytest.fixture
def model(config):
    from kp.method.model import Model

    torch.manual_seed(0)
    return Model(config)


@pytest.fixture(scope="session")
def same():
    """Whether two nested records hold the same bits."""

    def compare(a, b):
        if isinstance(a, torch.Tensor):
            return a.dtype == b.dtype and torch.equal(a, b)
        if isinstance(a, dict):
            return a.keys() == b.keys() and all(compare(a[k], b[k]) for k in a)
        if isinstance(a, list | tuple):
            return len(a) == len(b) and all(compare(x, y) for x, y in zip(a, b, strict=True))
        return a == b

    return compare
