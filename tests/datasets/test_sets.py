# ruff: noqa: F811 (fixtures of other files)
"""Folders of every format open by what they hold; training and evaluation take them as they come."""

import re
from dataclasses import replace

import pytest
import torch
from test_faces300 import videos  # noqa: F401 (a fixture)
from test_human36m import original  # noqa: F401 (a fixture)

from kp.cli.main import main
from kp.config import Data, smoke
from kp.datasets.sets import open_clips, open_prior
from kp.errors import KpError
from kp.evaluation.evaluate import evaluate
from kp.evaluation.metrics import score
from kp.evaluation.truth import load_300vw_truth
from kp.skeletons import FACE
from kp.training.loop import train


def h36m(root, **changes):
    return Data(root, size=32, skeleton="human36m", **changes)


def test_our_own_format(tiny):
    data = Data(tiny, size=32, every=3, source="cmu")
    clips = open_clips(data, "train")
    assert clips.sources == ["cmu", "cmu"] and [len(f) for f in clips.frames] == [3, 3]
    assert len(open_prior(replace(data, prior_size=5), 0)) == 5


def test_human36m(original):
    clips = open_clips(h36m(original, source="Walking"), "test")
    assert clips.sources == ["Walking"] and clips.size == 32
    assert open_prior(h36m(original), 0).keypoints.shape[1] == 32
    assert len(open_prior(h36m(original, prior_size=3), 0)) == 3


def test_300vw(videos):
    data = Data(videos, size=32, skeleton="face", background=True)
    assert len(open_clips(data, "train")) == 2 and open_prior(data, 0).keypoints.shape[1] == 68
    one, again = (open_prior(replace(data, prior_size=4), 1).keypoints for _ in range(2))
    assert len(one) == 4 and torch.equal(one, again)
    with pytest.raises(KpError, match=r"999 poses wanted, a prior holds \d+; lower data.prior_size"):
        open_prior(replace(data, prior_size=999), 1)
    with pytest.raises(KpError, match=re.escape(f"{videos}: 300-VW has no masks; train with --data.background")):
        open_clips(replace(data, background=False), "train")


def test_a_source_that_no_clip_has(original):
    with pytest.raises(KpError, match=re.escape(f"{original}: no clips of source 'juggling'; it has: ")):
        open_clips(h36m(original, source="juggling"), "train")


def test_a_skeleton_that_does_not_fit(original, videos):
    for root, wanted in ((original, "human36m"), (videos, "face")):
        expected = f"{root}: its poses are those of the skeleton '{wanted}', not 'body'; give --data.skeleton {wanted}"
        with pytest.raises(KpError, match=f"^{re.escape(expected)}$"):
            open_prior(Data(root, size=32), 0)


def test_human36m_trains_and_gives_the_table_of_activities(original, tmp_path, capsys, monkeypatch):
    config = smoke(original)
    config = replace(
        config,
        data=replace(config.data, skeleton="human36m"),
        optimizer=replace(config.optimizer, steps=1, pretrain_steps=1, batch=2),
    )
    train(config, tmp_path / "run")
    monkeypatch.setattr(
        "sys.argv", ["kp", "evaluate", str(tmp_path / "run"), "--json-file", str(tmp_path / "table.json")]
    )
    main()
    shown = capsys.readouterr().out
    assert (
        "flip minimum" in shown
        and re.search(r"^Walking +\d+\.\d\d", shown, re.M)
        and re.search(r"^mean +\d+\.\d\d", shown, re.M)
    )
    assert (tmp_path / "table.json").exists()


def test_a_run_of_300vw_is_scored_on_its_frames(videos, tmp_path):
    """Clips of different lengths; perfect readings have no error."""
    config = smoke(videos).but(**{"data.skeleton": "face", "data.background": True, "network.sigma": 0.15})
    state = train(config.but(**{"optimizer.steps": 1, "optimizer.pretrain_steps": 1}), tmp_path / "run")
    scores = evaluate(state, progress=False)
    assert scores.error == scores.raw > 0 and set(scores.by_region) == {"jaw", "brows", "nose", "eyes", "lips"}
    true = load_300vw_truth(videos, config.data.size)
    assert [len(poses) for poses in true] == [3, 3]
    perfect = score(true, true, true, true[0][0], FACE)
    assert perfect.raw == 0 and perfect.normalised == 0
