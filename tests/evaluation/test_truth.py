import re

import numpy as np
import pytest
import torch
from tiny import FRAMES, moving_box

from kp.errors import KpError
from kp.evaluation.truth import load_truth
from kp.geometry import from_pixels
from kp.skeletons import BODY


def rewrite(root, split="test", **changes):
    path = root / "truth" / f"{split}.npz"
    np.savez_compressed(path, **(dict(np.load(path)) | changes))
    return path


def test_load_truth(tiny):
    truth = load_truth(tiny, "train", BODY, 48)
    assert truth.names == ["000", "001", "002"] and truth.identity.tolist() == [0, 1, 2]
    assert truth.keypoints.shape == (3, FRAMES, 17, 2) and truth.appearance.shape == (3, 5, 3)
    assert truth.appearance_names == ("top", "bottom", "shoes", "skin", "hair")
    torch.testing.assert_close(truth.keypoints[1], from_pixels(torch.from_numpy(moving_box(48, FRAMES, 1)[2]), 48))


def test_truth_follows_the_resize(own):
    rewrite(own, keypoints=np.zeros((2, FRAMES, 17, 2), np.float32))
    # pixel 0 of 48 is −1/6 of 32, whose first and last pixel centres are ∓1
    torch.testing.assert_close(
        load_truth(own, "test", BODY, 32).keypoints, torch.full((2, FRAMES, 17, 2), -1 - 2 / 6 / 31)
    )


def test_of(tiny):
    truth = load_truth(tiny, "train", BODY, 32)
    part = truth.of(["002", "000"])
    assert part.names == ["002", "000"] and part.identity.tolist() == [2, 0]
    assert torch.equal(part.keypoints, truth.keypoints[[2, 0]]) and torch.equal(
        part.appearance, truth.appearance[[2, 0]]
    )


def test_clip_without_truth(tiny):
    with pytest.raises(KpError, match=re.escape("'123'")):
        load_truth(tiny, "train", BODY, 32).of(["123"])


def test_missing(tiny):
    path = tiny / "truth" / "other.npz"
    with pytest.raises(KpError, match=re.escape(f"{path}: no such file")):
        load_truth(tiny, "other", BODY, 32)


def test_nan(own):
    path = rewrite(own, keypoints=np.full((2, FRAMES, 17, 2), np.nan, np.float32))
    with pytest.raises(
        KpError, match=re.escape(f"{path}: keypoints hold NaN or infinite values; rebuild the data with 'make data'")
    ):
        load_truth(own, "test", BODY, 32)


def test_unknown_joint(own):
    path = rewrite(own, joint_names=np.array([*BODY.joints[:-1], "tail"]))
    with pytest.raises(KpError, match=re.escape(f"{path}: unknown joint 'tail'")):
        load_truth(own, "test", BODY, 32)


def test_damaged(own):
    path = own / "truth" / "test.npz"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(KpError, match=re.escape(f"{path}: not a readable .npz file")):
        load_truth(own, "test", BODY, 32)
