import re
import shutil
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from PIL import Image

from kp.datasets.human36m import (
    ACTIVITIES,
    TESTING,
    TRAINING,
    activity_of,
    find_sequences,
    is_human36m,
    load_clips,
    load_poses,
    read_landmarks,
)
from kp.errors import KpError
from kp.evaluation.truth import activity_table
from kp.evaluation.truth import load_human36m_truth as load_truth
from kp.skeletons import HUMAN36M

SIZE, FRAMES = 32, 5
SEQUENCES = {
    "S1": ("Directions 1.54138969", "Walking.60457274", "WalkDog 1.54138969"),
    "S11": [f"{a} 2.58860488" for a in ACTIVITIES],
}
needs_scipy = pytest.mark.skipif(find_spec("scipy") is None, reason="scipy reads and writes .mat files")


def names_of(subject):
    return SEQUENCES.get(subject, ("Posing 1.54138969",))


def stored(subject, frame):
    """keypoints_2d (row, column): a row of joints, lower with each frame, further right with each subject."""
    columns = np.linspace(0.1, 0.5, 32) + int(subject[1:]) / 100
    return np.stack([np.full(32, frame / 20), columns], 1)


def write_mat(path, **arrays):
    from scipy.io import savemat

    savemat(path, arrays)


@pytest.fixture(scope="session")
def original(tmp_path_factory):
    """Five frames a sequence, numbered 8 to 12 so that text order is not time order; grey 10 × frame; the left half is
    the person.
    """
    root = tmp_path_factory.mktemp("human_images")
    for subject in TRAINING + TESTING:
        for name in names_of(subject):
            folders = [root / subject / kind / name for kind in ("WithBackground", "BackgroudMask", "Landmarks")]
            for folder in folders:
                folder.mkdir(parents=True)
            for frame in range(8, 8 + FRAMES):
                Image.fromarray(np.full((SIZE, SIZE, 3), 10 * frame, np.uint8)).save(
                    folders[0] / f"{frame}.jpg", quality=95
                )
                mask = np.zeros((SIZE, SIZE), bool)
                mask[:, : SIZE // 2] = True
                Image.fromarray(mask).save(folders[1] / f"{frame}.png")  # one bit a pixel
                if find_spec("scipy"):
                    write_mat(folders[2] / f"{frame}.mat", keypoints_2d=stored(subject, frame))
    return root


@pytest.fixture
def damaged(original, tmp_path):
    """A copy of the set that a test may damage."""
    return shutil.copytree(original, tmp_path / "human_images")


def load(root, split="train", size=SIZE, **options):
    return load_clips(root, split, size, progress=False, **options)


def shades(frames):
    return (frames[:, 0, 0, 0].float() / 10).round().int().tolist()


def raises(message):
    return pytest.raises(KpError, match=f"^{re.escape(message)}$")


def test_the_layout_is_recognised(original, tiny):
    assert is_human36m(original) and not is_human36m(tiny)


@pytest.mark.parametrize("name", ["Walking 1.54138969", "Walking.54138969", "Walking"])
def test_activity_of(name):
    assert activity_of(name) == "Walking"


def test_training_clips_are_the_six_activities_of_the_training_subjects(original):
    clips = load(original)
    others = [f"S{i}/Posing 1.54138969" for i in (5, 6, 7, 8, 9)]
    assert clips.names == ["S1/Directions 1.54138969", "S1/Walking.60457274", *others]
    assert clips.sources == ["Directions", "Walking"] + 5 * ["Posing"]
    assert all(f.shape == (2, SIZE, SIZE, 3) and f.dtype == torch.uint8 for f in clips.frames)


def test_halves_are_disjoint_and_in_order_of_time(original):
    assert {tuple(s.frames) for s in find_sequences(original, "train")} == {("8", "9")}
    assert {tuple(s.frames) for s in find_sequences(original, "prior")} == {("10", "11", "12")}
    assert shades(load(original).frames[0]) == [8, 9]


def test_test_clips_are_whole(original):
    clips = load(original, "test")
    assert sorted(clips.sources) == sorted(ACTIVITIES) and all(name.startswith("S11/") for name in clips.names)
    assert [shades(f) for f in clips.frames] == 6 * [[8, 9, 10, 11, 12]]


def test_every_thins_out_what_the_split_has(original):
    assert shades(load(original, "test", every=2).frames[0]) == [8, 10, 12]


@pytest.mark.parametrize(("background", "right"), [(False, 0), (True, 80)], ids=["black", "kept"])
def test_background(original, background, right):
    frame = load(original, background=background).frames[0][0]
    assert (frame[:, : SIZE // 2].int() - 80).abs().max() <= 1 and (
        frame[:, SIZE // 2 :].int() - right
    ).abs().max() <= 1


def test_images_are_shrunk(original):
    assert load(original, size=8).size == 8


@needs_scipy
def test_landmarks_are_swapped_to_x_y_and_span_the_picture(tmp_path):
    values = np.full((32, 2), 0.5)
    values[0], values[1], values[2] = (0, 1), (1, 0.25), (0.5, 0.75)  # row, column
    write_mat(tmp_path / "1.mat", keypoints_2d=values, keypoints_3d=np.zeros((32, 3)))
    points = read_landmarks(tmp_path / "1.mat")
    torch.testing.assert_close(points[:4], torch.tensor([[1.0, -1], [-0.5, 1], [0.5, 0], [0, 0]]))


@needs_scipy
def test_all_poses_are_the_second_halves(original):
    poses = load_poses(original, progress=False)
    assert poses.keypoints.shape == (7 * 3, 32, 2) and poses.sources == 3 * ["Directions"] + 3 * ["Walking"] + 15 * [
        "Posing"
    ]
    frames = ((poses.keypoints[:, 0, 1] + 1) * 10).round().int().tolist()
    assert frames == 7 * [10, 11, 12]
    subjects = ((poses.keypoints[:, 0, 0] + 1) * 50 - 10).round().int().tolist()
    assert subjects == [s for s in (1, 1, 5, 6, 7, 8, 9) for _ in range(3)]


@needs_scipy
def test_a_subset_of_poses_repeats_with_its_seed(original):
    few, again, other = (load_poses(original, count=12, seed=s, progress=False).keypoints for s in (3, 3, 4))
    everything = load_poses(original, progress=False).keypoints
    assert few.shape == (12, 32, 2) and torch.equal(few, again) and not torch.equal(few, other)
    assert all((pose == everything).all(-1).all(-1).any() for pose in few)


@needs_scipy
@pytest.mark.parametrize(
    ("split", "every", "frames"), [("test", 1, [8, 9, 10, 11, 12]), ("test", 2, [8, 10, 12]), ("train", 1, [8, 9])]
)
def test_truth_goes_with_the_clips(original, split, every, frames):
    clips, truth = load(original, split, every=every), load_truth(original, split, every, progress=False)
    assert len(truth) == len(clips)
    for images, keypoints in zip(clips.frames, truth, strict=True):
        assert shades(images) == ((keypoints[:, 0, 1] + 1) * 10).round().int().tolist() == frames


def test_unknown_split(original):
    with raises(f"{original}: Simplified Human3.6M has no split 'val'; use train or test"):
        load(original, "val")


def test_every_nought(original):
    with raises("every is 0; it must be at least 1, to take every frame"):
        load(original, every=0)


def test_too_few_frames(original):
    folder = original / "S1" / "WithBackground" / "Directions 1.54138969"
    with raises(f"{folder}: gives 1 frames to train with every 2; a clip needs 2: take a smaller every"):
        load(original, every=2)


def test_missing_subject(damaged):
    (damaged / "S7").rename(damaged / "S70")
    with raises(
        f"{damaged}/S7/WithBackground: no such folder; unpack the whole set, with S1, S5, S6, S7, S8, S9, S11 below "
        f"{damaged}"
    ):
        load(damaged)


def test_subject_without_activities(damaged):
    folder = damaged / "S7" / "WithBackground"
    (folder / "Posing 1.54138969").rename(folder / "Eating 1.54138969")
    with raises(
        f"{folder}: no sequence of Waiting, Posing, Greeting, Directions, Discussion, Walking; unpack the set again"
    ):
        load(damaged)


def test_sequence_without_images(damaged):
    folder = damaged / "S7" / "WithBackground" / "Posing 1.54138969"
    for path in folder.iterdir():
        path.unlink()
    with raises(f"{folder}: has no images <number>.jpg; unpack the set again"):
        load_poses(damaged, progress=False)


def test_missing_mask(damaged):
    path = damaged / "S5" / "BackgroudMask" / "Posing 1.54138969" / "9.png"
    path.unlink()
    with raises(f"{path}: no such mask; unpack the set again, or keep the background with --data.background"):
        load(damaged)
    assert len(load(damaged, background=True)) == 7


def test_mask_of_another_size(damaged):
    path = damaged / "S5" / "BackgroudMask" / "Posing 1.54138969" / "9.png"
    Image.new("1", (8, 4)).save(path)
    with raises(f"{path}: 8×4 pixels, its image has 32×32; unpack the set again"):
        load(damaged)


def test_mask_of_noughts_and_ones(damaged):
    path = damaged / "S5" / "BackgroudMask" / "Posing 1.54138969" / "9.png"
    Image.fromarray(np.ones((SIZE, SIZE), np.uint8)).save(path)
    with raises(f"{path}: holds 0 and 1; expected 0 outside of the person and 255 inside: multiply it by 255"):
        load(damaged)


@pytest.mark.parametrize(("kind", "file"), [("WithBackground", "9.jpg"), ("BackgroudMask", "9.png")])
def test_image_cut_short(damaged, kind, file):
    path = damaged / "S5" / kind / "Posing 1.54138969" / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with raises(f"{path}: no image that kp can read; convert it to PNG, or copy it again if it broke"):
        load(damaged)


def test_image_smaller_than_asked_for(original):
    path = original / "S1" / "WithBackground" / "Directions 1.54138969" / "8.jpg"
    with raises(f"{path}: 32×32 pixels; expected a square of at least 64: lower --data.size or unpack the set again"):
        load(original, size=64)


@needs_scipy
@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (np.full((31, 2), 0.5), "keypoints_2d has shape (31, 2); expected (32, 2)"),
        (np.full((32, 2), np.nan), "keypoints_2d holds NaN or infinite values; unpack the set again"),
        (np.full((32, 2), 64.0), "keypoints_2d has values from 64 to 64; expected shares of the image, 0 to 1"),
    ],
    ids=["shape", "nan", "pixels"],
)
def test_landmarks_that_do_not_fit(tmp_path, values, complaint):
    path = tmp_path / "1.mat"
    write_mat(path, keypoints_2d=values)
    with raises(f"{path}: {complaint}"):
        read_landmarks(path)


@needs_scipy
def test_landmarks_without_the_array(tmp_path):
    write_mat(tmp_path / "1.mat", keypoints_3d=np.zeros((32, 3)))
    with raises(f"{tmp_path / '1.mat'}: has no array 'keypoints_2d'; unpack the set again"):
        read_landmarks(tmp_path / "1.mat")


@needs_scipy
@pytest.mark.parametrize("keep", [0, 50, 200])
def test_landmarks_cut_short(tmp_path, keep):
    path = tmp_path / "1.mat"
    write_mat(path, keypoints_2d=np.full((32, 2), 0.5))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(
        KpError, match=rf"^{re.escape(str(path))}: not a readable \.mat file \(\w+\); unpack the set again$"
    ):
        read_landmarks(path)


@needs_scipy
def test_missing_landmarks(damaged):
    path = damaged / "S11" / "Landmarks" / "Posing 2.58860488" / "9.mat"
    path.unlink()
    with raises(f"{path}: no such file; unpack the set again"):
        load_truth(damaged, "test", progress=False)


def test_without_scipy(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with raises(f"{tmp_path / '1.mat'}: .mat files are read with scipy; install it with: pip install -e '.[licensed]'"):
        read_landmarks(tmp_path / "1.mat")


def test_activity_table_by_hand():
    """Errors of 1 % a frame, 3 % in a longer second clip of Walking, and a Posing whose sides are exchanged."""
    generator = torch.Generator().manual_seed(0)
    lengths, sources = [2, 2, 2, 2, 2, 2, 6], [*ACTIVITIES, "Walking"]
    true = [torch.rand(t, 32, 2, generator=generator) for t in lengths]
    shift = torch.tensor([0.02, 0])  # 1 % of an image that is 2 wide
    predicted = [p + (3 if i == 6 else 1) * shift for i, p in enumerate(true)]
    predicted[1] = predicted[1][:, HUMAN36M.flip]
    exchanged = (predicted[1] - true[1]).norm(dim=-1).mean().item() * 50
    reference = [p.clone() for p in true]
    reference[0] = reference[0][:, HUMAN36M.flip]  # the prior is wrong about Waiting, right about Posing
    wrong = (predicted[0][:, HUMAN36M.flip] - true[0]).norm(dim=-1).mean().item() * 50
    table = activity_table(predicted, true, reference, sources, HUMAN36M)
    walking = (2 * 1 + 6 * 3) / 8
    assert list(table) == [*ACTIVITIES, "mean"]
    assert table["Greeting"] == pytest.approx(dict(raw=1, flip_minimum=1, label_free=1), rel=1e-4)
    assert table["Walking"] == pytest.approx(dict(raw=walking, flip_minimum=walking, label_free=walking), rel=1e-4)
    assert table["Posing"] == pytest.approx(dict(raw=exchanged, flip_minimum=1, label_free=1), rel=1e-4)
    assert table["Waiting"] == pytest.approx(dict(raw=1, flip_minimum=1, label_free=wrong), rel=1e-4)
    mean = dict(raw=(4 + exchanged + walking) / 6, flip_minimum=(5 + walking) / 6, label_free=(4 + wrong + walking) / 6)
    assert table["mean"] == pytest.approx(mean, rel=1e-4)
    assert exchanged > 5 and wrong > 5


def test_activity_table_wants_all_six():
    poses = [torch.zeros(1, 32, 2) for _ in range(5)]
    with raises(
        "no test sequence of Walking; the mean is over Waiting, Posing, Greeting, Directions, Discussion, Walking: "
        "unpack the whole set"
    ):
        activity_table(poses, poses, poses, list(ACTIVITIES[:5]), HUMAN36M)


def test_skeleton_is_the_official_configuration():
    edges = "1-11 2-1 3-2 5-3 6-11 7-6 8-7 10-8 13-11 15-13 17-13 18-17 19-18 25-13 26-25 27-26"
    assert {frozenset(e) for e in HUMAN36M.edge_indices} == {frozenset(map(int, e.split("-"))) for e in edges.split()}
    exchanged = [*range(1, 6), *range(6, 11), *range(16, 24), *range(24, 32)]
    partners = [*range(6, 11), *range(1, 6), *range(24, 32), *range(16, 24)]
    assert [HUMAN36M.flip[i] for i in exchanged] == partners and [i for i in range(32) if HUMAN36M.flip[i] == i] == [
        0,
        *range(11, 16),
    ]
