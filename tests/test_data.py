"""The shipped data/people, data/circle and data/faces are what their datasheet says."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from kp.datasets.clips import load_clips
from kp.datasets.priors import load_poses
from kp.evaluation.truth import load_truth
from kp.files import verify_checksums
from kp.geometry import from_pixels
from kp.research.flies import load_labels
from kp.skeletons import BODY, FACE, find_skeleton

DATA = Path(__file__).parents[1] / "data"
SPLITS = ("train", "val", "test")
SKELETON = {"people": BODY, "circle": BODY, "faces": FACE}
SIZE = {"people": 128, "circle": 64, "faces": 128}
CLIPS = {"people": (400, 40, 80), "circle": (200, 20, 40), "faces": (200, 30, 60)}
IDENTITIES = {"people": (24, 6, 10), "circle": (24, 6, 10), "faces": (50, 10, 20)}  # at least
MEGABYTES = {"people": 30, "circle": 5, "faces": 15}
BOTH = {"cmu", "deepmimic"}
each_set = pytest.mark.parametrize("name", SIZE)
of_people = pytest.mark.parametrize("name", ("people", "circle"))
each_split = pytest.mark.parametrize("split", SPLITS)


def truth(name, split):
    return dict(np.load(DATA / name / "truth" / f"{split}.npz"))


def rows(name):
    with open(DATA / name / "clips.csv", newline="") as file:
        return list(csv.DictReader(file))


def moments(name):
    """(take, where the stretch begins) → the splits that it is in."""
    found = {}
    for row in rows(name):
        found.setdefault((row["take"], row["start"]), set()).add(row["split"])
    return found


@each_set
def test_checksums_cover_every_file(name):
    files = [p for p in (DATA / name).rglob("*") if p.is_file() and p.name != "SHA256SUMS"]
    assert verify_checksums(DATA / name) == len(files)


@each_set
def test_total_size(name):
    assert sum(p.stat().st_size for p in (DATA / name).rglob("*") if p.is_file()) <= MEGABYTES[name] * 1e6


@each_set
@each_split
def test_clips_masks_rows_and_truth_are_of_the_same_clips(name, split):
    clips = [row["clip"] for row in rows(name) if row["split"] == split]
    assert len(clips) == len(set(clips)) == CLIPS[name][SPLITS.index(split)]
    for kind in ("videos", "masks"):
        assert sorted(p.name for p in (DATA / name / kind / split).iterdir()) == sorted(f"{c}.mp4" for c in clips)
    assert truth(name, split)["clip"].tolist() == clips


@each_set
def test_identities_are_many_and_in_one_split_only(name):
    people = [set(truth(name, split)["identity"].tolist()) for split in SPLITS]
    assert all(len(who) >= least for who, least in zip(people, IDENTITIES[name], strict=True))
    assert len(set.union(*people)) == sum(map(len, people))


@of_people
def test_no_moment_is_in_two_splits(name):
    assert {row["source"] for row in rows(name)} == BOTH
    assert all(len(splits) == 1 for splits in moments(name).values())
    assert set.union(*moments(name).values()) == set(SPLITS)


def test_both_sets_split_people_and_moments_alike():
    assert moments("circle") == moments("people")
    for split in SPLITS:
        assert set(truth("circle", split)["identity"]) == set(truth("people", split)["identity"])


@each_set
@each_split
def test_truth(name, split):
    data, size, skeleton = truth(name, split), SIZE[name], SKELETON[name]
    clips = len(data["clip"])
    assert data["keypoints"].shape == (clips, 32, len(skeleton), 2) and np.isfinite(data["keypoints"]).all()
    assert data["keypoints"].min() > -2 and data["keypoints"].max() < size + 1
    assert tuple(data["joint_names"]) == skeleton.joints and data["frame_size"] == size
    low, high = (-5, 10) if name == "faces" else (3, 14)
    assert data["turned"].shape == (clips, 32) and data["elevation"].min() >= low and data["elevation"].max() <= high
    assert data["appearance"].shape == (clips, 5, 3) and data["appearance"].min() >= 0 and data["appearance"].max() <= 1


@each_split
def test_people_are_seen_from_the_front(split):
    assert abs(truth("people", split)["turned"]).max() <= 70


@each_split
def test_the_circle_is_seen_from_all_around(split):
    turned = truth("circle", split)["turned"]
    assert abs(turned).max() <= 180
    share = np.histogram(turned, np.linspace(-180, 180, 7))[0] / turned.size  # sixty degrees each: 1/6 if even
    assert share.min() > 0.05 and share.max() < 0.35
    assert 0.35 < (abs(turned) > 90).mean() < 0.65


def test_the_right_hip_changes_sides_when_the_back_is_turned():
    hip = {side: BODY.index(f"{side}_hip") for side in ("left", "right")}
    data = truth("circle", "train")
    apart = data["keypoints"][:, :, hip["left"], 0] - data["keypoints"][:, :, hip["right"], 0]
    assert (apart[abs(data["turned"]) < 60] > 0).mean() > 0.99 and (apart[abs(data["turned"]) > 120] < 0).mean() > 0.99


@pytest.mark.parametrize(
    ("name", "prior", "count", "sources"),
    [
        ("people", "matched", 20_000, BOTH),
        ("people", "other", 20_000, {"deepmimic"}),
        ("circle", "matched", 10_000, BOTH),
        ("faces", "matched", 7_000, {"rendered"}),
        ("faces", "photographs", 7_000, {"photographs"}),
    ],
)
def test_priors(name, prior, count, sources):
    data, size, skeleton = dict(np.load(DATA / name / "priors" / f"{prior}.npz")), SIZE[name], SKELETON[name]
    assert data["keypoints"].shape == (count, len(skeleton), 2) and np.isfinite(data["keypoints"]).all()
    assert data["keypoints"].min() >= 0 and data["keypoints"].max() <= size - 1
    assert tuple(data["joint_names"]) == skeleton.joints and data["frame_size"] == size
    assert set(data["source"]) == sources and len(data["source"]) == count


def test_the_circle_prior_is_seen_from_all_around():
    data = dict(np.load(DATA / "circle" / "priors" / "matched.npz"))["keypoints"]
    facing = data[:, BODY.index("left_hip"), 0] > data[:, BODY.index("right_hip"), 0]
    assert 0.4 < facing.mean() < 0.6


@each_set
def test_truth_and_prior_are_read_in_units_of_the_frame(name):
    """At any training size.

    A clip of people fills 76–86 % of the frame (1.5–1.7 of the 2 from -1 to 1), a single pose a little less.
    """
    for size in (32, 64):
        pixels, own = torch.from_numpy(truth(name, "val")["keypoints"]), SIZE[name]
        expected = from_pixels((pixels + 0.5) * size / own - 0.5, size)
        torch.testing.assert_close(load_truth(DATA / name, "val", SKELETON[name], size).keypoints, expected)
        poses = load_poses(DATA / name / "priors" / "matched.npz", SKELETON[name], size).keypoints
        least = 0.9 if name == "faces" else 1.2
        assert least < (poses.amax(1) - poses.amin(1)).amax(1).median() < 1.8


@each_set
def test_the_subject_is_where_the_truth_says(name):
    size = SIZE[name]
    clips, data = load_clips(DATA / name, "val", size, progress=False), truth(name, "val")
    hits = []
    for clip, frames in zip(clips.names, clips.frames, strict=True):
        points = data["keypoints"][list(data["clip"]).index(clip)].round().astype(int).clip(0, size - 1)
        shown = frames.amax(-1).numpy() > 8
        hits += [shown[t, y, x] for t in range(0, 32, 8) for x, y in points[t]]
    assert np.mean(hits) > 0.95  # the tips of head and wrists may lie just outside


@each_split
def test_faces_turn_within_45_degrees_and_keep_their_landmarks_in_order(split):
    data = truth("faces", split)
    points = data["keypoints"]
    assert abs(data["turned"]).max() <= 45 and data["turned"].std() > 8
    x, y = points[..., 0], points[..., 1]
    assert (x[..., 36] < x[..., 45]).all() and (x[..., 48] < x[..., 54]).all()  # the subject's right is on our left
    assert (y[..., 8] > y[..., 57]).all() and (y[..., 57] > y[..., 33]).all() and (y[..., 33] > y[..., 27]).all()


def test_faces_talk_and_blink():
    points = truth("faces", "train")["keypoints"]

    def apart(a, b):
        return np.linalg.norm(points[:, :, a] - points[:, :, b], axis=-1)

    mouth, eye = apart(62, 66) / apart(36, 45), apart(37, 41) / apart(36, 45)
    assert (np.ptp(mouth, axis=1) > 0.1).mean() > 0.5 and (eye.min(1) < 0.4 * np.median(eye)).mean() > 0.25


def test_flies_checksums_and_size():
    files = [p for p in (DATA / "flies").rglob("*") if p.is_file() and p.name != "SHA256SUMS"]
    assert verify_checksums(DATA / "flies") == len(files)
    assert sum(p.stat().st_size for p in files) <= 4e6


@pytest.mark.parametrize(("name", "poses"), [("first", 1052), ("second", 424)])
def test_a_fly_has_clips_poses_of_the_other_and_labels(name, poses):
    fly = find_skeleton(str(DATA / "flies/fly.json"))
    clips = load_clips(DATA / "flies" / name, "train", 64, background=True)
    assert len(clips) == 28 and {len(frames) for frames in clips.frames} == {32}
    prior = load_poses(DATA / "flies" / name / "priors/other.npz", fly, 64).keypoints
    assert len(prior) == poses and prior.abs().max() < 1.02
    labels = load_labels(DATA / "flies" / name, fly, 64)
    assert labels.test.sum() == 44 and (~labels.test).sum() == 20
    mean = (prior.mean(0) - labels.keypoints).norm(dim=-1).nanmean().item() * 50
    assert 6.5 < mean < 7.2  # the mean pose, % of the side: what is to be beaten


def test_labels_of_flies_lie_on_the_ridges_of_the_film():
    """A leg's joint lies on something brighter than what is six pixels beside it, both ways across the leg."""
    fly = find_skeleton(str(DATA / "flies/fly.json"))
    knees = [fly.index(joint) for joint in dict(fly.regions)["knees"]]
    tips = [fly.index(joint) for joint in dict(fly.regions)["tips"]]
    for name in ("first", "second"):
        labels = load_labels(DATA / "flies" / name, fly, 128)
        middle = (labels.keypoints[:, tips] + labels.keypoints[:, knees]) / 2
        along = labels.keypoints[:, tips] - labels.keypoints[:, knees]
        across = torch.stack([-along[..., 1], along[..., 0]], -1) / along.norm(dim=-1, keepdim=True)

        def light(points, images=labels.images[:, :1]):
            return torch.nn.functional.grid_sample(images, points.nan_to_num()[:, None], align_corners=True).mean()

        beside = [light(middle + side * 12 / 127 * across) for side in (-1, 1)]
        assert light(middle) > 0.2 + max(beside)
