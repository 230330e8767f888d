import re
from pathlib import Path

import numpy as np
import pytest
from tiny import write_video

from kp.errors import KpError
from kp.inference.subject import find_boxes
from kp.video import read_video

pytest.importorskip("cv2")


def walker(path, frames=60, height=120, width=200, noise=3, zoom=1):
    """A box of 20 × 50 pixels (times ``zoom``) that walks to the right over a noisy wall; returns its left edges."""
    chance = np.random.default_rng(0)
    wall = chance.integers(60, 190, (height // 10, width // 10, 3)).repeat(10, 0).repeat(10, 1)
    lefts = np.linspace(20, 150, frames).astype(int) * zoom
    pictures = np.tile(wall[None], (frames, 1, 1, 1)) + chance.normal(0, noise, (frames, height, width, 3))
    for picture, left in zip(pictures, lefts, strict=True):
        picture[40 * zoom : 90 * zoom, left : left + 20 * zoom] = (250, 30, 30)
    write_video(path, pictures.clip(0, 255).astype(np.uint8))
    return lefts


def test_a_walker_is_found(tmp_path):
    lefts = walker(tmp_path / "a.mp4")
    boxes = find_boxes(tmp_path / "a.mp4", progress=False).boxes
    assert boxes.shape == (60, 4)
    centre = boxes[:, :2] + boxes[:, 2:] / 2
    apart = np.abs(centre[6:-6, 0] - (lefts[6:-6] + 10))  # windows reach beyond the clip at its ends
    assert np.median(apart) < 3 and apart.max() < 10 and np.abs(centre[:, 1] - 65).max() < 5
    assert (boxes[:, 3] > 44).all() and (boxes[:, 3] < 60).all()


def test_large_frames_are_searched_small_and_boxes_are_in_their_pixels(tmp_path):
    walker(tmp_path / "a.mp4", 40, 480, 800, noise=0, zoom=4)
    boxes = find_boxes(tmp_path / "a.mp4", progress=False).boxes
    assert np.abs(boxes[:, 1] - 160).max() < 16 and np.abs(boxes[:, 3] - 200).max() < 24


CASES = Path(__file__).parents[1] / "cases"


def test_in_a_gap_the_box_is_held_and_its_rows_are_marked():
    """Something waves at the left, for 44 frames nothing moves, something waves at the right."""
    track = find_boxes(CASES / "paused_subject/pause.mp4", progress=False)
    assert track.seen.mean() == pytest.approx(28 / 72, abs=0.05) and track.longest_gap >= 40
    left = track.boxes[:, 0]
    gap = np.flatnonzero(~track.seen)
    inner = left[gap[0] + 6 : gap[-1] - 6]
    assert np.ptp(inner) < 2, "the box stands still while nothing moves"


def test_a_second_mover_is_noticed(tmp_path):
    walker(tmp_path / "one.mp4")
    assert find_boxes(tmp_path / "one.mp4", progress=False).second < 0.1
    frames = read_video(tmp_path / "one.mp4")
    both = np.where(frames[::-1] > 200, frames[::-1], frames)  # a second one walks the other way
    write_video(tmp_path / "two.mp4", both)
    assert find_boxes(tmp_path / "two.mp4", progress=False).second > 0.3


def test_nothing_moves(tmp_path):
    path = tmp_path / "still.mp4"
    write_video(path, np.full((30, 64, 64, 3), 120, np.uint8))
    expected = (
        f"{path}: nothing that moves is found in most frames; it takes a static camera and a moving subject: try "
        "--crop person for people, or --boxes"
    )
    with pytest.raises(KpError, match=re.escape(expected)):
        find_boxes(path, progress=False)
