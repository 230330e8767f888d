import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny import prior_arrays, write_video

from kp.formats.poses import PoseFile
from kp.inference.crops import Squares
from kp.own_video.check import (
    Extent,
    Footage,
    advise,
    as_table,
    compare,
    contact_sheet,
    judge,
    look_through,
    outlines,
    upside_down,
)
from kp.own_video.prepare import as_prior
from kp.skeletons import BODY, FACE

PRIOR = prior_arrays()
STANDING = PoseFile(Path("poses.npz"), PRIOR["keypoints"].astype(float), BODY.joints)


def footage(**change) -> Footage:
    """A subject 30 wide and 80 high that stands in the middle of squares of 100, in 64 frames of 200 × 100 pixels."""
    boxes = np.tile(np.array([[85.0, 10.0, 30.0, 80.0]]), (64, 1))
    chance = np.random.default_rng(0)
    frames = [chance.integers(100, 110, (100, 200, 3), np.uint8) for _ in range(3)]
    for number, frame in enumerate(frames):
        frame[10:90, 85 + number : 115 - number] = 200 * (number % 2)
    made = Footage(
        Path("a.mp4"), (200, 100), 20.0, 1, boxes, Squares(np.tile([[50, 0]], (64, 1)), 100), ([0, 30, 63], frames)
    )
    return replace(made, **change)


def test_what_a_video_holds():
    whole = footage()
    assert (whole.clips, whole.kept, whole.black, whole.moves, whole.cut) == (2, 0.5, 0, 0, 0)
    assert np.allclose(whole.in_square, [0.35, 0.1, 0.3, 0.8])
    assert [footage(every=every).clips for every in (2, 3, 4, 5)] == [1, 1, 1, 0]
    beyond = footage(squares=Squares(np.tile([[150, -50]], (64, 1)), 100))
    assert beyond.kept == 0.125 and beyond.black == 0.75


def test_a_subject_that_walks_leaves_its_clips_square():
    """One pixel a frame; the square of a clip is where the mean of its squares is: 15.5 pixels before and after."""
    steps = np.arange(64)
    boxes = np.stack([20.0 + steps, 10.0 + 0 * steps, 30.0 + 0 * steps, 80.0 + 0 * steps], 1)
    walks = footage(boxes=boxes, squares=Squares(np.stack([steps - 15, 0 * steps], 1), 100))
    assert walks.moves == pytest.approx(0.31) and walks.cut == 0
    narrow = footage(boxes=boxes, squares=Squares(np.stack([steps + 20, 0 * steps + 35], 1), 30))
    assert narrow.cut == pytest.approx(50 / 80, abs=0.05)


def test_changes_tell_a_still_camera_and_a_moving_subject():
    background, inside = footage().changes()
    assert background == 0 and inside > 10
    chance = np.random.default_rng(1)
    shaken = footage(samples=([0, 30], [chance.integers(0, 255, (100, 200, 3), np.uint8) for _ in range(2)]))
    assert shaken.changes()[0] > 0.5
    assert footage(samples=([5], [np.zeros((100, 200, 3), np.uint8)])).changes() == (0.0, 0.0)


@pytest.mark.parametrize(
    ("change", "words"),
    (
        ({}, []),
        (
            {"samples": ([0, 9], [np.full((100, 200, 3), 90, np.uint8)] * 2)},
            ["hardly anything moves, and the method learns from motion"],
        ),
        ({"every": 9}, ["too short: a clip needs 16 frames"]),
    ),
)
def test_one_video_at_a_time(change, words):
    told = judge(footage(**change), 64, moving=True)
    assert len(told) == len(words) and all(t.startswith(w) for t, w in zip(told, words, strict=True))


def test_small_squares():
    assert judge(footage(squares=Squares(np.tile([[85, 10]], (64, 1)), 60)), 64, True)[-1].startswith(
        "squares of 60 pixels are enlarged to 64"
    )


def test_the_prior_fills_its_squares_as_crops_do():
    """Poses of a file are laid into squares 1.25 times as large as the subject: four fifths of them."""
    extent = Extent.of(outlines(as_prior(STANDING, BODY, 128, 1.25), 128))
    assert extent.size == pytest.approx(0.68, abs=0.1) and extent.shape > 2
    assert extent.middle == pytest.approx((0.5, 0.5), abs=0.01)


GOOD = Extent(0.75, (0.5, 0.5), 2.5)


@pytest.mark.parametrize(
    ("here", "words"),
    (
        (GOOD, []),
        (
            Extent(0.75, (0.5, 0.5), 0.4),
            ["Subjects lie and poses stand (height/width 0.40, poses 2.50): turn the videos, or the poses, by 90°."],
        ),
        (
            Extent(0.75, (0.5, 0.5), 1.2),
            ["Boxes are wider than poses (height/width 1.20, poses 2.50): do they hold several subjects, a shadow"],
        ),
        (
            Extent(0.5, (0.5, 0.5), 2.5),
            ["Subjects fill 50% of their squares, poses 75%: cut videos in which the subject comes nearer."],
        ),
        (
            Extent(0.75, (0.7, 0.4), 2.5),
            ["Subjects lie +20% of the square to the right of the poses and -10% below them: check the boxes."],
        ),
    ),
)
def test_subjects_and_poses_are_compared(here, words):
    told = compare(here, GOOD)
    assert len(told) == len(words) and all(t.startswith(w) for t, w in zip(told, words, strict=True))


def test_wide_boxes_of_several_subjects_are_not_turned():
    """A film that lies is steady, and as wide as poses are high; people side by side are neither, or a second moves."""
    lying = Extent(0.75, (0.5, 0.5), 0.4)
    assert "turn the videos" in compare(lying, GOOD)[0]
    for told in (
        compare(replace(lying, steady=False), GOOD),
        compare(lying, GOOD, crowd=True),
        compare(replace(lying, shape=0.8), GOOD),
    ):
        assert told[0].startswith("Boxes are wider than poses") and "--boxes" in told[0] and "turn" not in told[0]


def walkers(path, lefts, width=200, size=(20, 50)):
    """A film of boxes that walk over a noisy wall: ``lefts`` holds the left edge of each in each frame."""
    chance = np.random.default_rng(0)
    wall = chance.integers(60, 190, (12, width // 10, 3)).repeat(10, 0).repeat(10, 1)
    frames = np.tile(wall, (len(lefts[0]), 1, 1, 1))
    for number, edges in enumerate(lefts):
        for frame, left in zip(frames, edges, strict=True):
            frame[40 : 40 + size[1], int(left) : int(left) + size[0]] = (250, 30 + 200 * number, 30)
    write_video(path, frames.astype(np.uint8))
    return path


def test_two_walkers(tmp_path):
    """Not "leave it out", not "turn it": cut the film to one, or mark one."""
    path = walkers(tmp_path / "two.mp4", [np.linspace(10, 80, 60), np.linspace(170, 110, 60)])
    film = look_through(path, "subject")
    told = advise([film] * 30, STANDING, BODY, 64, True)
    assert any("there is a second subject in" in words and "--boxes" in words for words in told)
    assert not any("leave it out" in words or "turn the videos" in words for words in told)


def test_a_subject_that_fills_little_of_the_square(tmp_path):
    """Whole frames are seen; what moves in them is far smaller than poses are in their squares."""
    path = tmp_path / "small.mp4"
    chance = np.random.default_rng(0)
    frames = np.tile(chance.integers(60, 190, (20, 20, 3)).repeat(10, 0).repeat(10, 1), (60, 1, 1, 1))
    for t, frame in enumerate(frames):
        frame[80:140, 20 + 2 * t : 40 + 2 * t] = (250, 30, 30)
    write_video(path, frames.astype(np.uint8))
    told = advise([look_through(path)] * 30, STANDING, BODY, 64, False)
    assert any("what moves fills 3" in words and "--crop subject" in words for words in told)


def test_poses_on_their_heads():
    assert not upside_down(STANDING.keypoints, BODY) and upside_down(-STANDING.keypoints, BODY)
    assert not upside_down(np.zeros((2, 68, 2)), FACE)
    turned = replace(STANDING, keypoints=-STANDING.keypoints)
    assert advise([footage()] * 30, turned, BODY, 64, True)[0].startswith(
        "The poses stand on their heads: y must point down"
    )


def test_advice_about_numbers():
    told = advise([footage()], STANDING, BODY, 64, moving=False)
    assert [t.split(":")[0] for t in told] == ["64 frames are few", "60 poses are few"]
    many = replace(STANDING, keypoints=np.tile(STANDING.keypoints, (10, 1, 1)))
    assert advise([footage()] * 30, many, BODY, 64, moving=True) == []


def test_table():
    assert as_table([footage()], True) == [
        "a.mp4: 200×100, 64 frames, 20 a second, 3.2 s → clips: 2",
        "  squares of 100 pixels keep 50% of the frame; the subject fills 80% to 80% of them and goes 0% of their side "
        "within a clip",
    ]
    assert as_table([footage()], False)[1] == "  squares of 100 pixels keep 50% of the frame"


def test_reading_a_video(tmp_path):
    frames = np.full((40, 48, 96, 3), 90, np.uint8)
    write_video(tmp_path / "a.mp4", frames)
    with open(tmp_path / "boxes.csv", "w", newline="") as file:
        csv.writer(file).writerows([("frame", "x", "y", "width", "height"), (0, 10, 5, 20, 40), (39, 30, 5, 20, 40)])
    seen = look_through(tmp_path / "a.mp4", boxes=tmp_path / "boxes.csv", every=2)
    assert seen.size == (96, 48) and seen.squares.side == 50 and seen.clips == 1 and len(seen.samples[1]) == 8
    assert np.allclose(seen.boxes[[0, 39]], [[10, 5, 20, 40], [30, 5, 20, 40]])
    whole = look_through(tmp_path / "a.mp4", crop="frame")
    assert whole.squares.side == 96 and whole.kept == 1 and whole.black == 0.5 and whole.cut == 0


def test_contact_sheet():
    figure = contact_sheet([footage(), footage()], STANDING, BODY, 32)
    axes = figure.get_axes()
    assert [axes[row * 9].get_ylabel() for row in range(3)] == ["a", "a", "poses"]
    assert len(axes[0].patches) == 1 and axes[0].patches[0].get_width() == 100
    assert axes[1].images[0].get_array().shape == (32, 32, 3) and len(axes[18].lines) == len(BODY.edges)
