"""The shipped data/people and data/circle are what their datasheet says."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from kp.checksums import verify
from kp.clips import load_clips
from kp.coordinates import from_pixels
from kp.poses import load_poses
from kp.skeleton import BODY
from kp.truth import load_truth

DATA = Path(__file__).parents[1] / "data"
SPLITS = ("train", "val", "test")
SIZE = {"people": 128, "circle": 64}
CLIPS = {"people": (400, 40, 80), "circle": (200, 20, 40)}
IDENTITIES = {"people": (24, 6, 10), "circle": (24, 6, 10)}  # at least
MEGABYTES = {"people": 30, "circle": 5}
BOTH = {"cmu", "deepmimic"}
each_set = pytest.mark.parametrize("name", SIZE)
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
    assert verify(DATA / name) == len(files)


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


@each_set
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
    data, size = truth(name, split), SIZE[name]
    clips = len(data["clip"])
    assert data["keypoints"].shape == (clips, 32, 17, 2) and np.isfinite(data["keypoints"]).all()
    assert data["keypoints"].min() > -2 and data["keypoints"].max() < size + 1
    assert tuple(data["joint_names"]) == BODY.joints and data["frame_size"] == size
    assert data["turned"].shape == (clips, 32) and data["elevation"].min() >= 3 and data["elevation"].max() <= 14
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
    [("people", "matched", 20_000, BOTH), ("people", "other", 20_000, {"deepmimic"}), ("circle", "matched", 10_000, BOTH)],
)
def test_priors(name, prior, count, sources):
    data, size = dict(np.load(DATA / name / "priors" / f"{prior}.npz")), SIZE[name]
    assert data["keypoints"].shape == (count, 17, 2) and np.isfinite(data["keypoints"]).all()
    assert data["keypoints"].min() >= 0 and data["keypoints"].max() <= size - 1
    assert tuple(data["joint_names"]) == BODY.joints and data["frame_size"] == size
    assert set(data["source"]) == sources and len(data["source"]) == count


def test_the_circle_prior_is_seen_from_all_around():
    data = dict(np.load(DATA / "circle" / "priors" / "matched.npz"))["keypoints"]
    facing = data[:, BODY.index("left_hip"), 0] > data[:, BODY.index("right_hip"), 0]
    assert 0.4 < facing.mean() < 0.6


@each_set
def test_truth_and_prior_are_read_in_units_of_the_frame(name):
    """At any training size. A clip fills 76–86 % of the frame (1.5–1.7 of the 2 from -1 to 1), a single pose a little less."""
    for size in (32, 64):
        pixels, own = torch.from_numpy(truth(name, "val")["keypoints"]), SIZE[name]
        expected = from_pixels((pixels + 0.5) * size / own - 0.5, size)
        torch.testing.assert_close(load_truth(DATA / name, "val", BODY, size).keypoints, expected)
        poses = load_poses(DATA / name / "priors" / "matched.npz", BODY, size).keypoints
        assert 1.2 < (poses.amax(1) - poses.amin(1)).amax(1).median() < 1.8


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
