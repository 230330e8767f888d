import numpy as np
import pytest
from PIL import ImageColor

from kp.figures import LEFT, MIDDLE, RIGHT, draw_poses
from kp.figures import SMALLEST as LEAST
from kp.formats.track import Track, write_overlay
from kp.skeletons import BODY, FACE, Skeleton
from kp.video import read_frames, write_video

TRIANGLE = Skeleton(
    "t", ("a", "left_b", "right_b", "c"), (("a", "left_b"), ("a", "right_b"), ("a", "c")), (("left_b", "right_b"),)
)


def colour(name):
    return np.array(ImageColor.getrgb(name))


def test_lines_lie_where_the_keypoints_are():
    """No enlargement: lines of 3 pixels along a row and two columns, in the colours of the sides."""
    frames = np.zeros((1, 400, 400, 3), np.uint8)
    pose = np.array([[[200.0, 200], [200, 100], [200, 300], [300, 200]]])
    (drawn,) = draw_poses(frames, pose, TRIANGLE)
    for (row, column), side in {(120, 200): LEFT, (280, 200): RIGHT, (200, 280): MIDDLE}.items():
        assert (drawn[row, column] == colour(side)).all()
    rows, columns = np.nonzero(drawn.any(-1))
    assert (rows.min(), rows.max(), columns.max()) == pytest.approx((100, 300, 300), abs=2) and columns.min() >= 198
    assert not frames.any()


def test_small_frames_are_enlarged_and_points_move_along():
    frames = np.zeros((2, 33, 65, 3), np.uint8)
    pose = np.tile(np.array([[10.0, 16], [10, 4], [10, 28], [50, 16]]), (2, 1, 1))
    drawn = draw_poses(frames, pose, TRIANGLE)
    zoom = -(-LEAST // 33)
    assert drawn.shape == (2, 33 * zoom, 65 * zoom, 3)
    row = round((16 + 0.5) * zoom - 0.5)
    assert (
        drawn[0, row, 40 * zoom].any()
        and not drawn[0, row, 52 * zoom].any()
        and not drawn[0, row - zoom, 40 * zoom].any()
    )


@pytest.mark.parametrize("skeleton", [BODY, FACE], ids=lambda s: s.name)
def test_drawn_frames_have_an_even_size(skeleton):
    pose = np.random.default_rng(0).uniform(0, 320, (3, len(skeleton), 2))
    drawn = draw_poses(np.full((3, 321, 323, 3), 90, np.uint8), pose, skeleton)
    assert drawn.shape == (3, 320, 322, 3) and np.ptp(drawn) > 100


def test_an_overlay_keeps_size_length_and_pace(tmp_path):
    write_video(tmp_path / "a.mp4", np.full((3, 336, 340, 3), 90, np.uint8), crf=20, rate=12.5)
    pose = np.random.default_rng(0).uniform(0, 320, (3, 17, 2))
    write_overlay(Track(tmp_path / "a.mp4", (340, 336), 12.5, BODY, pose, np.ones((3, 17)), []), tmp_path / "o.mp4")
    frames = list(read_frames(tmp_path / "o.mp4"))
    assert [f.pixels.shape for f in frames] == [(336, 340, 3)] * 3 and np.ptp(frames[0].pixels) > 100
    np.testing.assert_allclose([f.seconds for f in frames], [0, 0.08, 0.16], atol=1e-3)
