import math
from pathlib import Path

import pytest
import torch

from kp.datasets.clips import Clips
from kp.datasets.priors import Poses, load_poses, turn_limbs
from kp.errors import KpError
from kp.method.renderer import render_skeleton
from kp.own_video.coverage import Coverage, check_turned_limbs, judge_poses
from kp.skeletons import BODY


@pytest.fixture(autouse=True)
def fewer(monkeypatch):
    monkeypatch.setattr("kp.datasets.retrieval.COVERING", 4000)


@pytest.fixture
def standing():
    """Thirty poses, much alike: a person of the shipped prior, each joint a little moved."""
    one = load_poses(Path(__file__).parents[2] / "data/people/priors/matched.npz", BODY, 64).keypoints[:1]
    noise = 0.02 * torch.randn(30, 17, 2, generator=torch.Generator().manual_seed(0))
    return Poses(one + noise, ["none"] * 30)


def shapes(keypoints):
    return (render_skeleton(keypoints, BODY.edge_indices, 64, 0.35, "gaussian") > -0.2).float()


def film(keypoints):
    """Clips of two equal frames: white subjects on black, in these poses."""
    white = (shapes(keypoints)[:, 0] * 255).to(torch.uint8)
    return Clips(
        [str(i) for i in range(len(white))], [""] * len(white), [w[None, ..., None].expand(2, -1, -1, 3) for w in white]
    )


def test_footage_of_turned_limbs_asks_for_them(standing):
    turned = turn_limbs(standing.keypoints, BODY, torch.Generator().manual_seed(1))
    alike, other = (judge_poses(shapes(p), standing, BODY) for p in (standing.keypoints, turned))
    assert alike.plain > other.plain and not alike.rises and other.rises
    assert check_turned_limbs(film(turned), standing, BODY) == other


def test_turned_limbs_are_refused_where_poses_fit(standing):
    with pytest.raises(KpError) as error:
        check_turned_limbs(film(standing.keypoints), standing, BODY)
    words = str(error.value)
    assert words.startswith("--vary-prior limbs: limbs turned at random fit the silhouettes at 0.")
    assert words.endswith("; leave --vary-prior out")


def test_advice():
    assert Coverage(0.9, 0.95).advice() == []
    assert Coverage(0.76, 0.83).advice() == [
        "The poses fit the silhouettes of the footage at 0.76, where 0.85 and more is good: limbs turned at random fit "
        "at 0.83. Take --vary-prior limbs."
    ]
    assert Coverage(0.76, 0.76).advice() == [
        "The poses fit the silhouettes of the footage at 0.76, where 0.85 and more is good: it shows poses that they "
        "lack, and limbs will be lost. Add poses of like movements."
    ]
    assert Coverage(0.76, 0.76).advice(people=True) == [
        Coverage(0.76, 0.76).advice()[0] + " For people, --figure people does without such poses."
    ]


def test_nobody_seen_nothing_judged(standing):
    found = judge_poses(torch.zeros(3, 1, 64, 64), standing, BODY)
    assert math.isnan(found.plain) and not found.rises and found.advice() == []


def test_what_is_printed(standing):
    assert str(Coverage(0.9, 0.8)) == "poses fit the silhouettes: 0.90 (1: perfectly; 0.85 and more is good)"
    assert str(judge_poses(torch.zeros(3, 1, 64, 64), standing, BODY)) == (
        "poses fit the silhouettes: not judged, since no frame shows a subject; look at the masks (kp masks)"
    )
