import numpy as np
import pytest

from kp.errors import KpError
from kp.own_video.masks.brightness import brightness_mask, largest_region

cv2 = pytest.importorskip("cv2")


@pytest.mark.parametrize(("background", "subject"), [(20, 120), (230, 90), (100, 130)])
def test_what_is_brighter_or_darker_is_the_subject(background, subject):
    rng = np.random.default_rng(0)
    frames = np.full((3, 32, 32, 3), background, np.uint8)
    true = np.zeros((3, 32, 32), bool)
    for t in range(3):
        true[t, 8:20, 6 + 4 * t : 16 + 4 * t] = True
    frames[true] = subject
    noisy = np.clip(frames + rng.integers(-4, 5, frames.shape), 0, 255).astype(np.uint8)
    assert np.array_equal(brightness_mask(noisy, cv2), true)


def test_limbs_may_reach_over_the_rim():
    frames = np.full((2, 32, 32, 3), 10, np.uint8)
    frames[:, 12:18, :20] = 200
    assert np.array_equal(brightness_mask(frames, cv2), frames[..., 0] == 200)


def test_a_second_subject_is_left_out():
    frames = np.full((1, 32, 32, 3), 10, np.uint8)
    frames[:, 4:8, 4:8] = 200
    frames[:, 12:26, 12:26] = 200
    assert brightness_mask(frames, cv2).sum() == 14 * 14


def test_a_motley_background_is_refused():
    frames = np.zeros((1, 32, 32, 3), np.uint8)
    frames[:, ::2] = 250
    with pytest.raises(KpError) as error:
        brightness_mask(frames, cv2)
    assert str(error.value) == (
        "the frames' rim varies by 250 of 255; masks by brightness need a background of one brightness"
    )


def test_the_largest_region_of_nothing_is_nothing():
    assert not largest_region(np.zeros((4, 4), bool), cv2).any()


def test_black_bars_are_neither_rim_nor_subject():
    """As crops have them where they reach beyond the film, and films in square frames."""
    frames, true = np.zeros((2, 64, 64, 3), np.uint8), np.zeros((2, 64, 64), bool)
    frames[:, 14:50] = 150
    true[:, 24:40, 10:30] = True
    frames[true] = 40
    assert np.array_equal(brightness_mask(frames, cv2), true)


def test_bars_at_one_side_and_a_black_frame():
    frames = np.full((1, 64, 64, 3), 150, np.uint8)
    frames[:, :, :20] = 0
    frames[:, 30:40, 24:34] = 230
    assert np.array_equal(brightness_mask(frames, cv2), frames[..., 0] == 230)
    assert not brightness_mask(np.zeros((1, 64, 64, 3), np.uint8), cv2).any()
