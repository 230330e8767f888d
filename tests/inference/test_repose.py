import re

import numpy as np
import pytest
import torch
from tiny import FRAMES

from kp.datasets.clips import to_images
from kp.errors import KpError
from kp.inference.repose import PANE, frame_of, panes, repose, write_reposed
from kp.inference.view import look
from kp.video import read_video


@pytest.fixture
def predictor(finished):
    return finished[1].predictor()


@pytest.fixture
def views(tiny):
    return [
        look(tiny / f"videos/test/{n}.mp4", masks=tiny / f"masks/test/{n}.mp4", progress=False) for n in ("000", "001")
    ]


def test_frame_of_a_view(views):
    frames = [frame for *_, chunk in views[0].chunks(32, progress=False) for frame in chunk]
    assert len(frames) == FRAMES and all((frame_of(views[0], t, 32) == frames[t]).all() for t in range(FRAMES))


def test_pose_of_one_appearance_of_the_other(predictor, views, monkeypatch):
    """What Ψ is given: the redrawn poses of the first clip, and the middle frame of the second."""
    given = []
    monkeypatch.setattr(predictor, "decode", lambda skeleton, other: given.append((skeleton, other)) or other)
    made = list(repose(predictor, *views, progress=False))
    frames = torch.from_numpy(np.concatenate([chunk for *_, chunk in views[0].chunks(32, progress=False)]))
    person = to_images(torch.from_numpy(frame_of(views[1], FRAMES // 2, 32)[None]))[0]
    redrawn = predictor(to_images(frames)).redrawn
    assert len(made) == FRAMES and torch.equal(given[0][0], redrawn)
    for t, (x, y, painted) in enumerate(made):
        assert torch.equal(x, to_images(frames)[t]) and torch.equal(y, redrawn[t]) and torch.equal(painted, person)


def test_the_person_decides_what_is_painted(predictor, views):
    painted = [torch.stack([p for *_, p in repose(predictor, views[0], person, progress=False)]) for person in views]
    assert not torch.allclose(painted[0], painted[1])


def test_files(predictor, views, tmp_path):
    video, picture = write_reposed(predictor, *views, tmp_path / "out", progress=False)
    assert (video.name, picture.name) == ("000_on_001.mp4", "000_on_001.png")
    assert read_video(video).shape == (FRAMES, PANE, 3 * PANE, 3)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [video.name, picture.name]


def test_panes():
    drawn = panes(torch.full((3, 8, 8), -1.0), torch.stack([torch.full((8, 8), -1.0), torch.ones(8, 8)]))
    assert drawn.shape == (PANE, 2 * PANE, 3) and (drawn[:, :PANE] == 0).all() and (drawn[:, PANE:] == 255).all()


def test_backgrounds_are_refused_by_models_that_have_seen_none(predictor, views, tiny):
    bare = look(tiny / "videos/test/001.mp4", progress=False)
    with pytest.raises(
        KpError, match=re.escape(f"{bare.path}: shows a background, but this model learnt from subjects on black")
    ):
        next(repose(predictor, views[0], bare, progress=False))
