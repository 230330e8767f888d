"""The shipped data/people is what its datasheet says."""

import csv
from pathlib import Path

import numpy as np
import pytest

from kp.checksums import verify
from kp.clips import load_clips
from kp.skeleton import BODY

PEOPLE = Path(__file__).parents[1] / "data" / "people"
SPLITS = {"train": (400, 24), "val": (40, 6), "test": (80, 10)}
each_split = pytest.mark.parametrize("split", SPLITS)


def truth(split):
    return dict(np.load(PEOPLE / "truth" / f"{split}.npz"))


def rows():
    with open(PEOPLE / "clips.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_checksums_cover_every_file():
    files = [p for p in PEOPLE.rglob("*") if p.is_file() and p.name != "SHA256SUMS"]
    assert verify(PEOPLE) == len(files)


def test_total_size():
    assert sum(p.stat().st_size for p in PEOPLE.rglob("*") if p.is_file()) <= 30e6


@each_split
def test_clips_masks_rows_and_truth_are_of_the_same_clips(split):
    names = [row["clip"] for row in rows() if row["split"] == split]
    assert len(names) >= SPLITS[split][0] and len(set(names)) == len(names)
    for kind in ("videos", "masks"):
        assert sorted(p.name for p in (PEOPLE / kind / split).iterdir()) == sorted(f"{n}.mp4" for n in names)
    assert truth(split)["clip"].tolist() == names


def test_identities_are_many_and_in_one_split_only():
    people = {split: set(truth(split)["identity"].tolist()) for split in SPLITS}
    assert all(len(people[split]) >= least for split, (_, least) in SPLITS.items())
    assert len(set.union(*people.values())) == sum(map(len, people.values()))


def test_no_moment_is_in_two_splits():
    seen = {}
    for row in rows():
        assert row["source"] in ("cmu", "deepmimic")
        assert seen.setdefault((row["take"], row["start"]), row["split"]) == row["split"]
    assert set(seen.values()) == set(SPLITS)


@each_split
def test_truth(split):
    data = truth(split)
    clips = len(data["clip"])
    assert data["keypoints"].shape == (clips, 32, 17, 2) and np.isfinite(data["keypoints"]).all()
    assert data["keypoints"].min() > -2 and data["keypoints"].max() < 129
    assert tuple(data["joint_names"]) == BODY.joints and data["frame_size"] == 128
    assert abs(data["turned"]).max() <= 70 and data["elevation"].min() >= 3 and data["elevation"].max() <= 14
    assert data["appearance"].shape == (clips, 5, 3) and data["appearance"].min() >= 0 and data["appearance"].max() <= 1


@pytest.mark.parametrize(("name", "sources"), [("matched", {"cmu", "deepmimic"}), ("other", {"deepmimic"})])
def test_priors(name, sources):
    data = dict(np.load(PEOPLE / "priors" / f"{name}.npz"))
    assert len(data["keypoints"]) >= 20_000 and data["keypoints"].shape[1:] == (17, 2) and np.isfinite(data["keypoints"]).all()
    assert data["keypoints"].min() >= 0 and data["keypoints"].max() <= 127
    assert tuple(data["joint_names"]) == BODY.joints and data["frame_size"] == 128
    assert set(data["source"]) == sources and len(data["source"]) == len(data["keypoints"])


def test_the_subject_is_where_the_truth_says():
    clips, data = load_clips(PEOPLE, "val", 128, progress=False), truth("val")
    hits = []
    for name, frames in zip(clips.names, clips.frames, strict=True):
        points = data["keypoints"][list(data["clip"]).index(name)].round().astype(int).clip(0, 127)
        shown = frames.amax(-1).numpy() > 8
        hits += [shown[t, y, x] for t in range(0, 32, 8) for x, y in points[t]]
    assert np.mean(hits) > 0.95  # the tips of head and wrists may lie just outside
