import re

import pytest
import torch

from kp.datasets.clips import Clips
from kp.datasets.priors import Poses
from kp.datasets.retrieval import WEIGHED_EVERY, coverage, nearest_prior, silhouettes, weigh_prior
from kp.errors import KpError
from kp.method.renderer import render_skeleton
from kp.skeletons import BODY


def random(seed, *shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 1.6 - 0.8


def poses_of(keypoints):
    return Poses(keypoints, ["none"] * len(keypoints))


def figures(keypoints, size=64):
    """A coloured body on black around each pose."""
    body = render_skeleton(keypoints, BODY.edge_indices, size, 0.35, "gaussian") > -0.2
    return torch.where(body, torch.tensor([0.3, -0.5, 0.9]).view(1, 3, 1, 1), torch.tensor(-1.0))


def test_silhouettes_find_the_planted_poses():
    keypoints = random(0, 300, 17, 2)
    planted = keypoints[[7, 280, 281]]
    assert torch.equal(nearest_prior(figures(planted), poses_of(keypoints), BODY), planted)


def test_what_is_worn_does_not_matter():
    keypoints = random(0, 50, 17, 2)
    image = figures(keypoints[3:4])
    striped = torch.where(image > -1, torch.sign(torch.sin(torch.arange(64.0) * 2)) * 0.9, image)
    assert not torch.equal(striped, image) and torch.equal(
        nearest_prior(striped, poses_of(keypoints), BODY), keypoints[3:4]
    )


def test_no_silhouette_on_a_background():
    expected = "images show a background, but silhouettes need subjects on black; load the clips with background=False"
    with pytest.raises(KpError, match=f"^{re.escape(expected)}$"):
        nearest_prior(figures(random(0, 2, 17, 2)).clamp_min(-0.9), poses_of(random(1, 5, 17, 2)), BODY)


def test_a_weighed_prior_holds_what_the_videos_show():
    keypoints = random(0, 100, 17, 2)
    shown = torch.tensor([3] * WEIGHED_EVERY + [70] * 2 * WEIGHED_EVERY + [3])
    frames = ((figures(keypoints[shown]) + 1) * 127.5).round().byte().permute(0, 2, 3, 1)
    weighed = weigh_prior(poses_of(keypoints), Clips(["a"], [""], [frames]), BODY)
    assert torch.equal(weighed.keypoints, keypoints[[3, 70, 70, 3]]) and len(weighed.sources) == 4


def test_poses_cover_their_own_silhouettes_and_not_others():
    few, others = random(0, 20, 17, 2), random(1, 20, 17, 2)
    own, foreign = (coverage(silhouettes(figures(p)), poses_of(few), BODY).median().item() for p in (few, others))
    assert own > 0.9 > 0.8 > foreign
    assert torch.equal(*(coverage(silhouettes(figures(few)), poses_of(few), BODY, seed=3) for _ in range(2)))
