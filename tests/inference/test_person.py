import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from kp.errors import KpError
from kp.inference.person import POSE, SELFIE, PersonFinder, find_person, largest_box, square_around
from kp.video import read_video, write_video

cv2 = pytest.importorskip("cv2")
PEOPLE = Path(__file__).parents[2] / "data/people"


def overlap(close):
    """Mean intersection over union with the true masks, in some frames of people in rooms."""
    find, shares = PersonFinder(cv2, close), []
    for path in sorted((PEOPLE / "videos/train").glob("*.mp4"))[:60:5]:
        true = read_video(PEOPLE / "masks/train" / path.name)[[5, 25], ..., 0] > 127
        found = find(read_video(path)[[5, 25]])
        assert found.shape == true.shape and found.dtype == bool
        shares.append((found & true).sum() / (found | true).sum())
    return np.mean(shares)


@pytest.mark.parametrize(("close", "least"), [(False, 0.92), (True, 0.85)], ids=["person", "selfie"])
def test_people_in_rooms(close, least):
    assert overlap(close) > least


def test_frames_that_are_wide():
    """A square frame of a person between grey bars: the person is found where it was, and nothing in the bars."""
    square = read_video(PEOPLE / "videos/train" / "000.mp4")[:1]
    alone, wide = (PersonFinder(cv2)(np.pad(square, ((0, 0), (0, 0), (bar, bar), (0, 0)))) for bar in (0, 96))
    within = wide[..., 96:-96]
    assert (alone & within).sum() / (alone | within).sum() > 0.9 and wide.sum() == within.sum()


@pytest.mark.parametrize("close", [False, True], ids=["person", "selfie"])
def test_no_person_no_mask(close):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    assert not PersonFinder(cv2, close)(np.stack([np.full((64, 64, 3), 120, np.uint8), noise])).any()


def test_a_square_around_a_box():
    """A box of 128 × 256 pixels: its centre is the picture's, and the square's corner the picture's corner."""
    square = square_around((192, 128, 320, 384), room=1.25)
    assert square @ np.array([255.5, 255.5, 1]) == pytest.approx([127.5, 127.5])
    assert square @ np.array([255.5 - 160, 255.5 - 160, 1]) == pytest.approx([-0.5, -0.5])


def test_the_box_of_the_largest_region():
    mask = np.zeros((100, 100), bool)
    mask[20:60, 30:40] = mask[:5, :5] = True
    assert largest_box(mask, cv2) == (30, 20, 40, 60)
    mask[:] = False
    mask[3, 4] = True
    assert largest_box(mask, cv2) is None and largest_box(np.zeros((8, 8), bool), cv2) is None


@pytest.mark.parametrize(
    ("path", "checksum"),
    [
        (SELFIE, "8d13b7fae74af625c641226813616a2117bd6bca19eb3b75574621fc08557f27"),
        (POSE, "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f"),
    ],
)
def test_the_networks_are_those_of_the_package(path, checksum):
    assert hashlib.sha256(path.read_bytes()).hexdigest() == checksum
    assert "Apache License" in (path.parent / "LICENSE").read_text()


def test_a_person_is_followed_by_a_camera_that_moves(tmp_path):
    """A person in a frame three times as wide, which travels: the box stays on the person."""
    frames = read_video(PEOPLE / "videos/train/000.mp4")[:16]
    side, film = frames.shape[1], []
    for t, frame in enumerate(frames):
        wide = np.full((side, 3 * side, 3), 120, np.uint8)
        wide[:, 8 * t : 8 * t + side] = frame
        film.append(wide)
    write_video(tmp_path / "moving.mp4", film, crf=18)
    track = find_person(tmp_path / "moving.mp4", progress=False)
    true = read_video(PEOPLE / "masks/train/000.mp4")[:16, ..., 0] > 127
    for t in range(5, 11):
        rows, columns = np.nonzero(true[t])
        middle = np.array([8 * t + (columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2])
        assert np.abs(track.boxes[t, :2] + track.boxes[t, 2:] / 2 - middle).max() < 0.15 * side
    assert track.seen.all()


def test_a_film_without_a_person(tmp_path):
    path = tmp_path / "empty.mp4"
    write_video(path, np.full((6, 64, 96, 3), 120, np.uint8), crf=18)
    expected = f"{path}: no person is found in most frames; try --crop subject, or --boxes"
    with pytest.raises(KpError, match=re.escape(expected)):
        find_person(path, progress=False)


def test_a_second_person_is_noticed(tmp_path):
    """Two people side by side, and one alone: nobody is told of a second person who is not there."""
    one, other = (read_video(PEOPLE / f"videos/train/{name}.mp4")[:12] for name in ("000", "060"))
    write_video(tmp_path / "two.mp4", np.concatenate([one, other], 2), crf=12)
    write_video(tmp_path / "one.mp4", one, crf=12)
    assert find_person(tmp_path / "two.mp4", False).second > 0.5
    assert find_person(tmp_path / "one.mp4", False).second == 0
