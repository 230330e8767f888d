import re
from dataclasses import replace

import pytest

from kp.ablations import ABLATIONS, RECIPES, SETTINGS, find_ablation
from kp.config import Method, laptop
from kp.errors import KpError


@pytest.mark.parametrize("name", [*ABLATIONS, *RECIPES, *SETTINGS])
def test_every_ablation_changes_something_but_full(name):
    description, change = find_ablation(name)
    assert description and (change(laptop()) == laptop()) == (name == "full")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("skeleton_and_frame", Method("skeleton", True, True)),
        ("skeleton_alone", Method("skeleton", False, True)),
        ("frozen_regressor", Method("keypoints", True, False)),
    ],
)
def test_changes_of_the_method(name, expected):
    config = laptop()
    assert find_ablation(name)[1](config) == replace(config, method=expected)


def test_changes_of_loss_and_data():
    config = laptop()
    assert find_ablation("no_discriminator")[1](config) == replace(config, loss=replace(config.loss, adversarial=0.0))
    assert find_ablation("background")[1](config) == replace(config, data=replace(config.data, background=True))
    assert find_ablation("other_prior")[1](config) == replace(config, data=replace(config.data, prior="other", source="cmu"))


def test_unknown_ablation():
    expected = "unknown ablation 'nothing'; use some of: full, skeleton_and_frame, skeleton_alone, no_discriminator, frozen_regressor, "
    with pytest.raises(KpError, match=re.escape(expected)):
        find_ablation("nothing")
