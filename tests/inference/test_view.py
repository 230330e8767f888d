import re

import numpy as np
import pytest
import torch
from tiny import FRAMES, moving_box, write_video

import kp.inference.view
from kp.errors import KpError
from kp.figures import draw_poses
from kp.formats.track import GLIMPSES
from kp.video import read_video


@pytest.fixture(scope="module")
def predictor(finished):
    made = finished[1].predictor()
    # these models have seen subjects on black; what they find does not matter here
    made.check_background = lambda *_: None
    return made


def wide(path, left=20, size=48):
    """A clip of the tiny set in the middle of wider frames."""
    frames, _, _ = moving_box(size, FRAMES, 0)
    padded = np.full((FRAMES, size, size * 2, 3), 100, np.uint8)
    padded[:, :, left : left + size] = frames
    write_video(path, padded)
    return path


def test_square_frames_are_read_as_they_are(predictor, tiny):
    path = tiny / "videos/test/000.mp4"
    found = predictor.track(path, progress=False)
    assert (
        found.keypoints.shape == (FRAMES, 17, 2)
        and found.confidence.shape == (FRAMES, 17)
        and found.rate == pytest.approx(20)
    )
    assert len(found.glimpses) == min(FRAMES, GLIMPSES) and found.glimpses[0][0].shape == (3, 32, 32)


def test_chunks_change_nothing(predictor, tiny, monkeypatch):
    path = tiny / "videos/test/000.mp4"
    whole = predictor.track(path, progress=False)
    monkeypatch.setattr(kp.inference.view, "CHUNK", 3)
    parts = predictor.track(path, progress=False)
    np.testing.assert_allclose(parts.keypoints, whole.keypoints, atol=1e-3)
    assert len(parts.glimpses) == len(whole.glimpses)


def test_the_same_square_of_a_wider_video_gives_the_same_points_further_right(predictor, tiny, tmp_path):
    """The box lies so that its square is the tiny clip: 48 pixels, margin 1.25 of 38.4."""
    (tmp_path / "boxes.csv").write_text(
        "frame,x,y,width,height\n" + "".join(f"{t},24.8,4.8,38.4,38.4\n" for t in range(FRAMES))
    )
    narrow = tmp_path / "narrow.mp4"
    write_video(narrow, moving_box(48, FRAMES, 0)[0])
    a, b = (
        predictor.track(wide(tmp_path / "wide.mp4"), boxes=tmp_path / "boxes.csv", progress=False),
        predictor.track(narrow, progress=False),
    )
    np.testing.assert_allclose(a.keypoints, b.keypoints + np.array([20, 0]), atol=1.0)  # compression differs a little


def test_whole_frames_lie_between_black_bars(predictor, tmp_path, monkeypatch):
    """A point in the middle of the square is the middle of the frame."""
    path = wide(tmp_path / "a.mp4")

    def middle(images, first):
        return torch.zeros(len(images), 17, 2), torch.ones(len(images), 17, 6)

    monkeypatch.setattr(predictor, "readings", middle)
    found = predictor.track(path, crop="frame", progress=False)
    np.testing.assert_allclose(found.keypoints, np.broadcast_to([47.5, 23.5], (FRAMES, 17, 2)))


def test_frames_that_are_not_square_need_to_be_told_where(predictor, tmp_path):
    path = wide(tmp_path / "a.mp4")
    expected = (
        f"{path}: 96×48 pixels, but models see squares with the subject in the middle; say where it is: "
        "--crop person (finds a person), --crop subject (finds what moves before a static camera), --boxes FILE or "
        "--crop frame (whole frames between black bars)"
    )
    with pytest.raises(KpError, match=re.escape(expected)):
        predictor.track(path, progress=False)


def test_masks_that_do_not_fit(predictor, tiny, tmp_path):
    path, masks = tiny / "videos/test/000.mp4", wide(tmp_path / "m.mp4")
    expected = f"{masks}: 8 frames of 96×48, but {path} has 8 of 48×48; make them equal"
    with pytest.raises(KpError, match=re.escape(expected)):
        predictor.track(path, masks=masks, progress=False)


def test_drawn_points_are_those_exported(predictor, tmp_path, monkeypatch):
    """What the CSV says, drawn by hand over the frames, is the overlay."""
    spread = torch.rand(4, 17, 2, generator=torch.Generator().manual_seed(0)) * 1.6 - 0.8
    monkeypatch.setattr(predictor, "readings", lambda *_: (spread, torch.ones(4, 17, 6)))
    path = tmp_path / "big.mp4"
    write_video(path, moving_box(336, 4, 0)[0])
    found = predictor.track(path, progress=False)
    found.save(tmp_path / "a.csv")
    found.save(tmp_path / "overlay.mp4")
    lines = [line.split(",") for line in (tmp_path / "a.csv").read_text().splitlines()[1:]]
    exported = np.array([[float(x), float(y)] for _, _, x, y, *_ in lines]).reshape(4, 17, 2)
    drawn = read_video(tmp_path / "overlay.mp4").astype(float)
    plain = read_video(path)

    def apart(pixels):
        return np.abs(drawn - draw_poses(plain, exported + pixels, predictor.skeleton).astype(float)).mean()

    assert apart(0) < 0.8 * min(apart(2), apart(-2))  # compression blurs thin lines
