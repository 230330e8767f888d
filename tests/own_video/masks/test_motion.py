import numpy as np
import pytest
import torch

from kp.datasets.clips import Clips
from kp.errors import KpError
from kp.own_video.masks.motion import motion_masks, moving, subject_mask, train_foreground


def scene(seed, steps):
    """8 frames of 32 × 32: grey noise, and a red square of 8 pixels that moves ``steps`` pixels a frame to the right.

    And where it is.
    """
    rng = np.random.default_rng(seed)
    frames = np.repeat(rng.integers(60, 120, (1, 32, 32, 1), np.uint8), 3, -1).repeat(8, 0)
    masks, top, left = np.zeros((8, 32, 32), bool), rng.integers(24), rng.integers(24 - 7 * steps)
    for t in range(8):
        masks[t, top : top + 8, left + t * steps : left + t * steps + 8] = True
    frames[masks] = (220, 20, 20)
    return torch.from_numpy(frames), torch.from_numpy(masks)


def test_moving_finds_what_moves_and_nothing_else():
    frames = torch.full((5, 4, 4, 3), 100, dtype=torch.uint8)
    frames[2, 1, 3, 1] = 111  # one channel of one pixel of one frame, just enough
    frames[3, 0, 0] = 110  # not enough
    assert moving(frames).nonzero().tolist() == [[2, 1, 3]]


def test_the_network_finds_subjects_that_stand_still():
    clips = [scene(seed, steps=3 if seed % 2 else 0)[0] for seed in range(40)]
    net = train_foreground(Clips([str(i) for i in range(40)], [""] * 40, clips), steps=120, width=4, progress=False)
    still, masks = zip(*(scene(1000 + i, steps=0) for i in range(8)), strict=True)
    true = torch.cat(masks)
    assert not moving(still[0]).any()  # motion alone finds nothing there
    found = torch.cat([subject_mask(net, frames) for frames in still])
    assert (found & true).sum() / (found | true).sum() > 0.6


def test_what_equals_the_background_is_not_the_subject():
    """The network takes the left half for the subject, then the right half; it fills two rows of them.

    A corner is always taken.
    """
    true = torch.zeros(6, 4, 4, dtype=torch.bool)
    true[:3, 1:3, :2] = true[3:, 1:3, 2:] = True
    frames = torch.full((6, 4, 4, 3), 100, dtype=torch.uint8)
    frames[true] = torch.tensor([200, 30, 30], dtype=torch.uint8)
    frames[:, 0, 1] += 6  # no different from the rest, if it were known
    taken = torch.full((6, 1, 4, 4), -9.0)
    taken[:3, ..., :2] = taken[3:, ..., 2:] = 9.0
    taken[:, 0, 3, 3] = 9.0
    true[:, 3, 3] = True  # its background is never seen: nothing speaks against it
    assert torch.equal(subject_mask(lambda images: taken, frames), true)


def test_training_repeats_and_leaves_the_global_generator():
    clips = Clips(["a"], [""], [scene(1, 3)[0]])
    before = torch.get_rng_state()
    a, b = (train_foreground(clips, steps=2, width=4, progress=False)(torch.ones(1, 3, 32, 32)) for _ in range(2))
    assert torch.equal(a, b) and torch.equal(before, torch.get_rng_state())


def test_a_still_set_is_refused():
    with pytest.raises(KpError) as error:
        train_foreground(Clips(["a"], [""], [scene(0, 0)[0]]), progress=False)
    assert (
        str(error.value)
        == "only 0.00 % of the pixels ever move; masks by motion need a static camera and a moving subject"
    )


def test_masks_are_enlarged_to_the_frames():
    """A network that takes the left half of every frame for the subject, asked at half the frames' size."""

    def left(images):
        logits = torch.full((len(images), 1, *images.shape[2:]), -9.0)
        logits[..., : images.shape[3] // 2] = 9.0
        return logits

    frames = np.random.default_rng(0).integers(0, 255, (2, 16, 16, 3), np.uint8)
    assert np.array_equal(motion_masks(left, frames, 8), np.broadcast_to(np.arange(16) < 8, (2, 16, 16)))
