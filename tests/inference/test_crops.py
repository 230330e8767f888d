import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kp.errors import KpError
from kp.inference.crops import BoxTrack, around, read_boxes, whole_frames


def test_whole_frames_of_a_wide_video():
    squares = whole_frames(3, (8, 4))
    assert (squares.side, squares.corner.tolist()) == (8, [[0, -2]] * 3)
    frame = np.full((4, 8, 3), 7, np.uint8)
    cut = squares.cut(frame, 0)
    assert cut.shape == (8, 8, 3) and (cut[2:6] == 7).all() and (cut[:2] == 0).all() and (cut[6:] == 0).all()


def test_a_square_frame_is_its_own_square():
    frame = np.random.default_rng(0).integers(0, 255, (6, 6, 3), np.uint8)
    squares = whole_frames(1, (6, 6))
    assert (squares.cut(frame, 0) == frame).all()
    points = torch.tensor([[[1.0, 2.0], [5.0, 0.0]]])
    torch.testing.assert_close(squares.to_frame(points, 6), points)


@given(
    x=st.integers(0, 39),
    y=st.integers(0, 29),
    left=st.integers(-10, 30),
    top=st.integers(-10, 20),
    side=st.integers(2, 40),
)
def test_a_marked_pixel_is_found_again(x, y, left, top, side):
    """Mark one pixel of a frame, cut, read where it is in the cut: that point leads back to the pixel."""
    squares = whole_frames(1, (40, 30))
    squares = type(squares)(np.array([[left, top]]), side)
    frame = np.zeros((30, 40, 3), np.uint8)
    frame[y, x] = 255
    found = np.argwhere(squares.cut(frame, 0)[..., 0])
    inside = left <= x < left + side and top <= y < top + side
    assert len(found) == inside
    if inside:
        points = torch.from_numpy(found[:, ::-1].copy())[None].float()
        assert squares.to_frame(points, side).tolist() == [[[x, y]]]


def test_points_of_a_shrunken_square():
    """The centre of a square of 10 pixels resized to 5 lies between pixels, at index 2 of 5: 4.5 of 10, and the corner
    before it.
    """
    squares = type(whole_frames(1, (1, 1)))(np.array([[100, 50]]), 10)
    assert squares.to_frame(torch.tensor([[[2.0, 2.0]]]), 5).tolist() == [[[104.5, 54.5]]]


def test_squares_around_boxes():
    boxes = np.tile(np.array([[10.0, 20.0, 40.0, 80.0]]), (30, 1))
    squares = around(boxes)
    assert squares.side == 100 and squares.corner.tolist() == [[30 - 50, 60 - 50]] * 30


def test_squares_follow_steadily():
    chance = np.random.default_rng(0)
    boxes = np.stack(
        [np.arange(60) * 2 + chance.normal(0, 5, 60), np.full(60, 10.0), np.full(60, 20.0), np.full(60, 20.0)], 1
    )
    lefts = around(boxes).corner[:, 0]
    assert np.abs(np.diff(lefts)).max() <= 4 < np.abs(np.diff(boxes[:, 0])).max()
    assert abs((lefts[50] - lefts[10]) - 80) < 8


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_boxes(count):
    assert len(around(np.tile(np.array([[0.0, 0.0, 4.0, 4.0]]), (count, 1)))) == count


def test_boxes_between_lines_are_interpolated(tmp_path):
    path = tmp_path / "boxes.csv"
    path.write_text("frame,x,y,width,height\n4,40,0,10,20\n0,0,0,10,20\n")
    assert read_boxes(path, 6).boxes[:, 0].tolist() == [0, 10, 20, 30, 40, 40]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("frame,x,y,width\n0,1,1,1\n", "has no column 'height'; expected: frame, x, y, width, height"),
        ("frame,x,y,width,height\n0,1,1,a,1\n", "line 2: 'a' is no number; correct it or leave it empty"),
        (
            "frame,x,y,width,height\n0,1,1\n",
            "line 2 has 3 cells, the first line 5; give each column a name and each line its cells;",
        ),
        ("frame,x,y,width,height\n0,1,1,0,1\n", "line 2: a box must have a finite place and a positive size"),
        ("frame,x,y,width,height\n0,nan,1,1,1\n", "line 2: a box must have a finite place and a positive size"),
        (
            "frame,x,y,width,height\n9,1,1,1,1\n",
            "line 2: frame 9 is given twice, or is none of the video's 3; frames count from 0",
        ),
        (
            "frame,x,y,width,height\n1,1,1,1,1\n1,1,1,1,1\n",
            "line 3: frame 1 is given twice, or is none of the video's 3; frames count from 0",
        ),
        ("frame,x,y,width,height\n", "holds no box; expected a line per frame: frame, x, y, width, height"),
    ],
)
def test_what_is_wrong_in_a_box_track(tmp_path, text, message):
    path = tmp_path / "boxes.csv"
    path.write_text(text)
    with pytest.raises(KpError, match=re.escape(f"{path}: {message}")):
        read_boxes(path, 3)


def test_no_box_track(tmp_path):
    path = tmp_path / "boxes.csv"
    with pytest.raises(
        KpError,
        match=re.escape(f"{path}: no such file; a box track is a CSV with the columns frame, x, y, width, height"),
    ):
        read_boxes(path, 3)


def test_a_few_wild_boxes_change_nothing():
    """A lamp that is switched on: the whole frame for three frames, twice."""
    boxes = np.tile(np.array([[100.0, 50, 20, 60]]), (60, 1))
    calm = around(boxes)
    boxes[[10, 11, 12, 40, 41, 42]] = (0, 0, 640, 480)
    wild = around(boxes)
    assert wild.side == calm.side and np.array_equal(wild.corner, calm.corner)
    boxes[20:30] = (0, 0, 640, 480)
    assert around(boxes).side <= 2.6 * calm.side


@pytest.mark.parametrize(
    "text",
    [
        "frame,x,y,width,height,seen\n0,1,2,3,4,1\n1,1,2,3,4,0\n",
        "frame;x;y;width;height;seen\n0;1,0;2;3;4;1,0\n1;1;2;3;4;0,0\n",
        "Frame, X ,y,Width,height,Seen\n\n0.0,1,2,3,4,\n1.0,1,2,3,4,0.0\n",
        "frame,x,y,width,height,note,seen\n0,1,2,3,4,a,TRUE\n1,1,2,3,4,b,False\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_box_track_from_any_spreadsheet(tmp_path, text, encoding):
    (tmp_path / "a.csv").write_text(text, encoding=encoding)
    track = read_boxes(tmp_path / "a.csv", 2)
    assert track.boxes.tolist() == [[1, 2, 3, 4]] * 2 and track.seen.tolist() == [True, False]


def test_a_box_track_there_and_back(tmp_path):
    track = BoxTrack(np.array([[1.0, 2, 3, 4], [1, 2, 3, 4], [5, 6, 7, 8]]), np.array([True, False, True]))
    track.save(tmp_path / "new/a.csv")
    assert (tmp_path / "new/a.csv").read_text().splitlines()[:2] == [
        "frame,x,y,width,height,seen",
        "0,1.00,2.00,3.00,4.00,1",
    ]
    back = read_boxes(tmp_path / "new/a.csv", 3)
    assert np.array_equal(back.boxes, track.boxes) and np.array_equal(back.seen, track.seen) and back.longest_gap == 1


def test_boxes_that_were_saved_come_back_where_pixels_are_not_square(tmp_path):
    shown = BoxTrack(np.array([[30.0, 8, 60, 40], [33, 8, 60, 40]]), np.array([True, True]))
    shown.save(tmp_path / "b.csv", (1.5, 1.0))
    np.testing.assert_allclose(read_boxes(tmp_path / "b.csv", 2).boxes, shown.boxes / [1.5, 1, 1.5, 1])
