import re

import numpy as np
import pytest
import torch
from tiny import STANDING, prior_arrays

from kp.config import Data
from kp.datasets.priors import Poses, augment, load_poses, load_prior, recombine, turn_limbs, vary
from kp.errors import KpError
from kp.files import read_npz
from kp.geometry import from_pixels
from kp.skeletons import BODY


def write(path, **changes):
    np.savez_compressed(path, **{k: v for k, v in (prior_arrays(20) | changes).items() if v is not None})
    return path


def test_load_poses_at_its_own_size(tmp_path):
    path = write(tmp_path / "p.npz")
    poses = load_poses(path, BODY, 128)
    torch.testing.assert_close(poses.keypoints, from_pixels(torch.from_numpy(prior_arrays(20)["keypoints"]), 128))
    assert len(poses) == 20 and poses.sources[:2] == ["cmu", "deepmimic"]


def test_load_poses_follows_the_resize(tmp_path):
    keypoints = np.full((1, 17, 2), (0, 127), np.float32)
    keypoints[:, 1:] = 63.5
    path = write(tmp_path / "p.npz", keypoints=keypoints, source=np.array(["a"]))
    # 0 → −0.25 and 127 → 63.25 of 64 pixels; ∓1 are the pixel centres 0 and 63, 0 is the middle
    expected = torch.zeros(1, 17, 2)
    expected[:, 0] = torch.tensor([-1 - 0.5 / 63, 1 + 0.5 / 63])
    torch.testing.assert_close(load_poses(path, BODY, 64).keypoints, expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frame_size": np.array(0)}, "frame_size is 0; it must be one number from 2 to 1,000,000"),
        ({"frame_size": np.array(-1)}, "frame_size is -1; it must be one number"),
        ({"frame_size": np.array(np.nan)}, "frame_size is nan; it must be one number"),
        ({"frame_size": np.array("x")}, "frame_size is 'x'; it must be one number"),
        ({"frame_size": np.array([64, 64])}, "frame_size is [64, 64]; it must be one number"),
        ({"source": np.array("cmu")}, "source must be a list of text; make it again"),
        ({"joint_names": np.arange(17)}, "joint_names must be a list of text; make it again"),
        ({"keypoints": np.full((20, 17, 2), "x")}, "keypoints must be numbers, here are <U1; make it again"),
        ({"keypoints": np.ones((20, 17, 2), complex)}, "keypoints must be numbers, here are complex128; make it again"),
        ({"keypoints": np.full((20, 17, 2), 1e30)}, "holds poses beyond 1,000,000 pixels, or all joints in one point"),
        ({"keypoints": np.zeros((20, 17, 2))}, "holds poses beyond 1,000,000 pixels, or all joints in one point"),
    ],
    ids=str,
)
def test_values_that_no_prior_has(tmp_path, changes, message):
    path = write(tmp_path / "p.npz", **changes)
    with pytest.raises(KpError, match=re.escape(f"{path}: {message}")):
        load_poses(path, BODY, 64)


@pytest.mark.parametrize("shape", [(20, 16, 2), (20, 17, 3), (17, 2), (0, 17, 2)], ids=str)
def test_wrong_shape(tmp_path, shape):
    path = write(tmp_path / "p.npz", keypoints=np.zeros(shape, np.float32))
    with pytest.raises(KpError, match=re.escape(f"{path}: keypoints have shape {shape}; expected (poses ≥ 1, 17, 2)")):
        load_poses(path, BODY, 64)


@pytest.mark.parametrize("value", [np.nan, np.inf], ids=["nan", "inf"])
def test_broken_poses(tmp_path, value):
    keypoints = prior_arrays(20)["keypoints"]
    keypoints[3, 2, 0] = keypoints[5, 0, 1] = keypoints[5, 4, 1] = value
    path = write(tmp_path / "p.npz", keypoints=keypoints)
    with pytest.raises(
        KpError, match=re.escape(f"{path}: 2 poses hold NaN or infinite values, the first is number 3; remove them")
    ):
        load_poses(path, BODY, 64)


def test_unknown_joint(tmp_path):
    path = write(tmp_path / "p.npz", joint_names=np.array([*BODY.joints[:-1], "tail"]))
    with pytest.raises(KpError, match=re.escape(f"{path}: unknown joint 'tail'; skeleton 'body' has: pelvis,")):
        load_poses(path, BODY, 64)


def test_missing_array(tmp_path):
    path = write(tmp_path / "p.npz", frame_size=None)
    with pytest.raises(
        KpError, match=r"p\.npz: has no array .*frame_size.*; expected: keypoints, joint_names, frame_size, source$"
    ):
        load_poses(path, BODY, 64)


def test_missing_file(tmp_path):
    path = tmp_path / "p.npz"
    with pytest.raises(
        KpError, match=re.escape(f"{path}: no such file; check the path, or rebuild the data with 'make data'")
    ):
        read_npz(path, ("a",))


@pytest.mark.parametrize(
    "damage",
    [lambda b: b[: len(b) // 2], lambda b: b"text", lambda b: b"", lambda b: b[:400] + b"\xff" * 200 + b[600:]],
    ids=["cut short", "text", "empty", "overwritten"],
)
def test_damaged_file(tmp_path, damage):
    path = write(tmp_path / "p.npz")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(
        KpError, match=rf"^{re.escape(str(path))}: not a readable .npz file \((.|\n)*\); copy or make it again$"
    ):
        load_poses(path, BODY, 64)


def test_sample(poses):
    drawn = poses.sample(500, torch.Generator().manual_seed(0))
    rows = {tuple(p.flatten().tolist()) for p in poses.keypoints}
    seen = {tuple(p.flatten().tolist()) for p in drawn}
    assert drawn.shape == (500, 17, 2) and seen <= rows and len(seen) > 50


def repeated(pose, n=400):
    return augment(pose.expand(n, -1, -1), BODY, torch.Generator().manual_seed(0))


def test_augmented_poses_are_scaled_turned_and_shifted():
    pose = torch.rand(1, 17, 2, generator=torch.Generator().manual_seed(1)) - 0.5
    made = repeated(pose)
    before, after = torch.cdist(pose, pose)[0], torch.cdist(made, made)
    plain = (after - before * after.sum((1, 2), True) / before.sum()).abs().amax((1, 2)) < 1e-3
    mirrored = (after - before[BODY.flip][:, BODY.flip] * after.sum((1, 2), True) / before.sum()).abs().amax(
        (1, 2)
    ) < 1e-3
    assert (plain ^ mirrored).all() and 150 < mirrored.sum() < 250
    scale = after.sum((1, 2)) / before.sum()
    assert 0.85 <= scale.min() < 0.87 and 1.13 < scale.max() <= 1.15


def test_augmentation_turns_by_nine_degrees_at_most():
    middle = [BODY.index(j) for j in ("pelvis", "head_top")]
    upright = repeated(torch.from_numpy(STANDING[None] / 20))
    up = upright[:, middle[1]] - upright[:, middle[0]]
    angle = torch.atan2(up[:, 0], -up[:, 1]).rad2deg()
    assert 8 < angle.max() <= 8.6 and -8.6 <= angle.min() < -8


def test_augmentation_shifts_by_a_tenth_at_most():
    shift = repeated(torch.zeros(1, 17, 2))[:, 0].abs()
    assert 0.09 < shift.max() <= 0.1


def test_reflection_renames_the_sides():
    """A pose that is its own mirror image keeps the subject's right on our left, reflected or not."""
    made = repeated(torch.from_numpy(STANDING[None] / 20))
    assert (made[:, BODY.index("right_wrist"), 0] < made[:, BODY.index("left_wrist"), 0]).all()


def test_augmentation_leaves_its_input_alone():
    pose = torch.rand(3, 17, 2)
    before = pose.clone()
    augment(pose, BODY, torch.Generator())
    assert torch.equal(pose, before)


def test_poses_are_a_sequence():
    assert len(Poses(torch.zeros(7, 17, 2), [""] * 7)) == 7


@pytest.fixture
def two_priors(own):
    arrays = prior_arrays(40)
    np.savez_compressed(
        own / "priors" / "other.npz",
        **arrays | {"keypoints": arrays["keypoints"] + 5, "source": np.array(["far"] * 40)},
    )
    return own


def test_load_prior_is_the_named_file(two_priors):
    found = load_prior(Data(two_priors, size=32))
    assert torch.equal(found.keypoints, load_poses(two_priors / "priors" / "matched.npz", BODY, 32).keypoints)


def test_a_mixture_has_the_asked_share(two_priors):
    mixed = load_prior(Data(two_priors, size=32, second_prior="other", second_share=0.25))
    assert len(mixed) == 60 and mixed.sources.count("far") == 15


def test_a_small_prior_depends_on_the_seed_alone(two_priors):
    data = Data(two_priors, size=32, prior_size=7)
    first, again, other = (load_prior(data, seed).keypoints for seed in (1, 1, 2))
    assert len(first) == 7 and torch.equal(first, again) and not torch.equal(first, other)
    rows = {tuple(p.flatten().tolist()) for p in load_prior(Data(two_priors, size=32)).keypoints}
    assert all(tuple(p.flatten().tolist()) in rows for p in first)


def test_a_prior_cannot_give_more_than_it_has(two_priors):
    message = f"{two_priors}/priors: 61 poses wanted, a prior holds 60; lower data.prior_size"
    with pytest.raises(KpError, match=re.escape(message)):
        load_prior(Data(two_priors, size=32, prior_size=61))
    with pytest.raises(
        KpError, match=re.escape(f"{two_priors}/priors: 60 poses wanted, a prior holds 40; lower data.prior_size")
    ):
        load_prior(Data(two_priors, size=32, second_prior="other", second_share=1.0))


def test_recombined_limbs_keep_their_shape_and_hang_on_their_joint():
    generator = torch.Generator().manual_seed(0)
    poses = torch.rand(40, 17, 2, generator=generator) - 0.5
    mixed = recombine(poses, BODY, generator)
    middle = [BODY.index(j) for j in ("pelvis", "spine", "neck", "head", "head_top")]
    assert torch.equal(mixed[:, middle], poses[:, middle]) and len(BODY.limbs) == 4
    for limb, root in BODY.limbs:

        def relative(p, limb=limb, root=root):
            return p[:, limb] - p[:, None, root]

        apart = (relative(mixed)[:, None] - relative(poses)[None]).abs().amax((2, 3))
        assert apart.min(1).values.max() < 1e-6  # every limb is that of some pose,
        own = apart.diagonal() < 1e-6
        assert 5 < own.sum() < 35  # some their own, some another's


def test_turned_limbs_keep_the_length_of_every_bone():
    generator = torch.Generator().manual_seed(0)
    poses = torch.rand(400, 17, 2, generator=generator) - 0.5
    turned = turn_limbs(poses, BODY, generator)

    def bones(p):
        return torch.stack([p[:, b] - p[:, a] for a, b in BODY.edge_indices], 1)

    assert torch.allclose(bones(turned).norm(dim=-1), bones(poses).norm(dim=-1), atol=1e-5)
    angle = (
        bones(turned)[..., 1].atan2(bones(turned)[..., 0]) - bones(poses)[..., 1].atan2(bones(poses)[..., 0])
    ).sin()
    moved = [n for n, (a, b) in enumerate(BODY.edges) if "elbow" in a + b and "shoulder" in a + b]
    still = (angle[:, moved].abs() < 1e-6).double().mean().item()
    assert len(moved) == 2 and 0.2 < still < 0.3  # an upper arm turns with its root or at it: three times in four
    middle = [BODY.index(j) for j in ("pelvis", "spine", "neck", "head", "head_top")]
    assert torch.equal(turned[:, middle], poses[:, middle])


@pytest.mark.parametrize("how", ["no", "weigh", "recombine", "limbs", "augment"])
def test_vary(how):
    poses = torch.rand(8, 17, 2) - 0.5
    varied = vary(poses, how, BODY, torch.Generator().manual_seed(0))
    spine = BODY.index("spine")
    assert torch.equal(varied, poses) == (how in ("no", "weigh")) and torch.equal(
        varied[:, spine], poses[:, spine]
    ) == (how != "augment")


def test_poses_drawn_by_source_give_rare_sources_their_share():
    keypoints = torch.zeros(100, 17, 2)
    keypoints[:5] = 1.0  # five of a hundred are of the rare source
    poses = Poses(keypoints, ["rare"] * 5 + ["frequent"] * 95)
    generator = torch.Generator().manual_seed(0)
    share = poses.sample(2000, generator, by_source=True)[:, 0, 0].mean().item()
    assert abs(share - 0.5) < 0.05
    assert poses.sample(2000, generator)[:, 0, 0].mean().item() < 0.1
