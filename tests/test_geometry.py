import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kp.geometry import from_pixels, regrid, resize_pixels, to_pixels
from kp.video import shrink

sizes, pixel = st.integers(2, 512), st.floats(-100, 600)


def point(*xy):
    return torch.tensor(xy, dtype=torch.float64)


@pytest.mark.parametrize(("index", "expected"), [(0, -1), (63.5, 0), (127, 1), (31.75, -0.5)])
def test_known_positions(index, expected):
    assert torch.equal(from_pixels(point(index, index), 128), point(expected, expected))
    assert torch.equal(to_pixels(point(expected, expected), 128), point(index, index))


def test_x_and_y_do_not_mix():
    assert torch.equal(from_pixels(point(0, 4), 5), point(-1, 1))


@given(pixel, pixel, sizes)
def test_round_trip(x, y, size):
    torch.testing.assert_close(to_pixels(from_pixels(point(x, y), size), size), point(x, y), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("old", "new", "before", "after"),
    [(128, 64, 0, -0.25), (128, 64, 127, 63.25), (128, 64, 63.5, 31.5), (64, 128, -0.5, -0.5), (64, 128, 63.5, 127.5)],
)
def test_known_resizes(old, new, before, after):
    assert torch.equal(resize_pixels(point(before, before), old, new), point(after, after))


@given(pixel, sizes, sizes, sizes)
def test_resizes_compose(x, a, b, c):
    twice = resize_pixels(resize_pixels(point(x, -x), a, b), b, c)
    torch.testing.assert_close(twice, resize_pixels(point(x, -x), a, c), rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [32, 48])
def test_points_go_where_shrink_takes_the_picture(size):
    y, x = np.mgrid[:64, :64]
    blob = 250 * np.exp(-((x - 40.0) ** 2 + (y - 22.0) ** 2) / 50)
    small = shrink(np.repeat(blob.astype(np.uint8)[None, ..., None], 3, -1), size)[0, ..., 0].astype(float)
    v, u = np.mgrid[:size, :size]
    found = point((u * small).sum() / small.sum(), (v * small).sum() / small.sum())
    torch.testing.assert_close(found, resize_pixels(point(40, 22), 64, size), rtol=0, atol=0.05)


def test_the_middle_stays_and_borders_move_when_the_grid_changes():
    """The centre of the first of 64 pixels lies half a pixel of 128 inside that of the first of those."""
    torch.testing.assert_close(regrid(point(-1, 0), 64, 128), point(-126 / 127, 0))
    torch.testing.assert_close(regrid(regrid(point(0.3, -0.8), 64, 128), 128, 64), point(0.3, -0.8))
