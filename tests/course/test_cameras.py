import re
from pathlib import Path

import numpy as np
import pytest

from kp.course.cameras import (
    Camera,
    agree,
    cross_view_r2,
    disagreement,
    exchange_sides,
    exchanged,
    read_qualisys,
    triangulate,
)
from kp.errors import KpError
from kp.inference.crops import Squares
from kp.skeletons import BODY

MATRIX = np.array([[800.0, 0, 320], [0, 800, 240], [0, 0, 1]])


def camera(angle: float, distortion=(0.0, 0.0, 0.0, 0.0)) -> Camera:
    """Three metres from the origin, at an angle (degrees) around the upright axis z; angle 0 looks along +y, x to the
    right, −z down.
    """
    a = np.radians(angle)
    right, ahead = np.array([np.cos(a), np.sin(a), 0]), np.array([-np.sin(a), np.cos(a), 0])
    rotation = np.stack([right, np.array([0, 0, -1.0]), ahead])
    return Camera(f"at {angle}", MATRIX, np.array(distortion), rotation, -rotation @ (-3 * ahead))


RING = [camera(angle, (-0.05, 0.1, 0.001, -0.001)) for angle in (0, 60, 150, 220)]
POINTS = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 17, 3))


def seen(points=POINTS):
    return np.stack([c.project(points.reshape(-1, 3)).reshape(*points.shape[:-1], 2) for c in RING])


def test_projection_by_hand():
    """A point one metre to the right of the middle and half a metre up, three metres away."""
    assert np.allclose(camera(0).project(np.array([[1.0, 0, 0.5]])), [[320 + 800 / 3, 240 - 400 / 3]])
    assert np.allclose(camera(0).rays(np.array([[320 + 800 / 3, 240 - 400 / 3]])), [[1 / 3, -1 / 6]])


def test_rays_undo_the_lens():
    point = np.array([[0.4, 0.3, -0.2]])
    local = RING[1].rotation @ point[0] + RING[1].translation
    assert np.allclose(RING[1].rays(RING[1].project(point)), local[:2] / local[2], atol=1e-4)


def test_points_that_meet():
    assert np.allclose(triangulate(RING, seen()), POINTS, atol=1e-4) and disagreement(RING, seen()).max() < 0.05


def test_one_view_that_is_off():
    """Ten pixels in one of four views: all views share the disagreement, and none bears all of it."""
    moved = seen()
    moved[2, ..., 0] += 10
    off = disagreement(RING, moved).mean((1, 2))
    assert off.min() > 0.5 and off.max() < 10


def test_views_from_behind_are_found():
    """What two cameras name the other way round, they get back; the first camera is believed."""
    swapped = exchanged(seen(), np.array([False, True, False, True]), BODY)
    assert disagreement(RING, swapped).mean() > 20
    found = exchange_sides(RING, swapped, BODY)
    assert found.tolist() == [False, True, False, True] and np.allclose(exchanged(swapped, found, BODY), seen())


STILL = np.zeros((4, 4, 2))


def test_movement_that_others_foretell():
    """All of it where all see one body; nothing or less where every view moves by itself; an offset in one view does
    not matter.
    """
    assert cross_view_r2(RING, seen(), STILL) > 0.999
    lower = seen()
    lower[1, ..., 1] += 5
    assert cross_view_r2(RING, lower, STILL) > 0.99
    by_itself = seen(np.tile(POINTS[:1], (4, 1, 1))) + np.random.default_rng(1).normal(0, 10, (4, 4, 17, 2))
    assert cross_view_r2(RING, by_itself, STILL) < 0.1


def test_movement_of_the_crops_does_not_count():
    corners = np.random.default_rng(2).uniform(0, 50, (4, 4, 2))
    stiff = np.ones((4, 4, 17, 2)) * 20 + corners[:, :, None]
    assert np.isnan(cross_view_r2(RING, stiff, corners))
    with pytest.raises(KpError, match="2 cameras; it takes three, two to explain what the third sees"):
        cross_view_r2(RING[:2], stiff[:2], corners[:2])


def test_all_of_it():
    """Sides are put right first; one joint is off in one view; in % of squares twice as large it is half as much."""
    squares = [Squares(np.zeros((4, 2), int), side) for side in (100, 100, 100, 100)]
    whole = agree(RING, exchanged(seen(), np.array([False, True, True, False]), BODY), squares, BODY)
    assert whole.disagreement < 0.05 and whole.cross_view_r2 > 0.999 and np.allclose(whole.points, POINTS, atol=1e-4)
    moved = seen()
    moved[2, :, 3] += 10
    off = agree(RING, moved, squares, BODY)
    half = agree(RING, moved, [Squares(s.corner, 200) for s in squares], BODY)
    assert off.disagreement == pytest.approx(disagreement(RING, moved).mean()) and half.disagreement == pytest.approx(
        off.disagreement / 2
    )
    assert max(off.by_joint, key=off.by_joint.get) == BODY.joints[3] and off.by_joint.keys() == set(BODY.joints)


def test_as_many_cameras_as_views():
    with pytest.raises(KpError, match="1 cameras for 1 views; it takes two at least, and one a view"):
        triangulate(RING[:1], seen()[:1])
    with pytest.raises(KpError, match="2 cameras for 4 views"):
        triangulate(RING[:2], seen())


CALIBRATION = """<?xml version='1.0' encoding='ASCII'?>
<calibration><cameras><camera serial="one">
<transform r11="0" r12="1" r13="0" r21="0" r22="0" r23="1" r31="1" r32="0" r33="0" x="3000" y="0" z="1000"/>
<intrinsic focalLengthU="64000" focalLengthV="51200" centerPointU="20480" centerPointV="15360"
 radialDistortion1="0" radialDistortion2="0" radialDistortion3="0" tangentalDistortion1="0" tangentalDistortion2="0"/>
</camera></cameras></calibration>"""


def test_qualisys(tmp_path):
    """A camera three metres along x and one up, that looks back along −x: y of the world is on its right, z is up."""
    (tmp_path / "c.qca.txt").write_text(CALIBRATION)
    (found,) = read_qualisys(tmp_path / "c.qca.txt")
    assert found.name == "one" and np.allclose(found.matrix, [[1000, 0, 320], [0, 800, 240], [0, 0, 1]])
    assert np.allclose(
        found.project(np.array([[0.0, 0, 1], [0, 0.3, 1], [0, 0, 1.3]])), [[320, 240], [420, 240], [320, 160]]
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    (
        ("<calibration", "not a Qualisys calibration (ParseError: "),
        (CALIBRATION.replace('r11="0"', ""), "not a Qualisys calibration (KeyError: 'r11'); export it again"),
        (
            CALIBRATION.replace('x="3000"', 'x="far"'),
            "not a Qualisys calibration (ValueError: could not convert string to float: 'far')",
        ),
        ("<calibration/>", "names no camera; export it again"),
    ),
)
def test_damaged_calibrations(tmp_path, text, expected):
    (tmp_path / "c.txt").write_text(text)
    with pytest.raises(KpError, match=re.escape(f"{tmp_path / 'c.txt'}: {expected}")):
        read_qualisys(tmp_path / "c.txt")


def test_missing_calibration():
    with pytest.raises(KpError, match=r"none\.txt: no such file; check the path"):
        read_qualisys(Path("none.txt"))
