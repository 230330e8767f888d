import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from kp.config import Method, faces, study
from kp.errors import KpError
from kp.research.ablations import ALL, FACES, find_ablation


@pytest.mark.parametrize("name", [*ALL])
def test_every_ablation_changes_something_but_full(name):
    description, change = find_ablation(name)
    preset = study()
    fast = replace(preset, optimizer=replace(preset.optimizer, precision="bfloat16"))
    assert description and (change(fast) == fast) == (name == "full")


@pytest.mark.parametrize("name", [*FACES])
def test_every_setting_of_faces_changes_something(name):
    description, change = find_ablation(name)
    assert description and change(faces()) != faces()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("skeleton_and_frame", Method("skeleton", True, True)),
        ("skeleton_alone", Method("skeleton", False, True)),
        ("no_frame", Method("keypoints", False, True)),
        ("frozen_regressor", Method("keypoints", True, False)),
    ],
)
def test_changes_of_the_method(name, expected):
    config = study()
    assert find_ablation(name)[1](config) == replace(config, method=expected)


def test_changes_of_loss_and_data():
    config = study()
    assert find_ablation("no_discriminator")[1](config) == replace(config, loss=replace(config.loss, adversarial=0.0))
    assert find_ablation("background")[1](config) == replace(config, data=replace(config.data, background=True))
    assert find_ablation("other_prior")[1](config) == replace(
        config, data=replace(config.data, prior="other", source="cmu")
    )
    assert find_ablation("prior_50")[1](config).data.prior_size == 50
    assert find_ablation("drawn_poses_alone")[1](config).loss.regressor_fake == 0


def test_unknown_ablation():
    expected = (
        "unknown ablation 'nothing'; use some of: full, skeleton_and_frame, skeleton_alone, no_frame, "
        "no_discriminator, "
    )
    with pytest.raises(KpError, match=re.escape(expected)):
        find_ablation("nothing")


def published() -> dict[Path, dict]:
    """Every published record of a setting."""
    found = {path: json.loads(path.read_text()) for path in sorted(Path("data/runs").rglob("*_seed*.json"))}
    return {path: record for path, record in found.items() if "setting" in record}


def test_every_setting_has_a_record():
    assert {*ALL, *FACES} <= {record["setting"] for record in published().values()}


def test_every_record_of_a_setting_says_how_it_was_made():
    lacking = [str(path) for path, record in published().items() if not record.get("command")]
    assert published() and not lacking


def test_the_grid_is_of_one_commit_and_one_recipe():
    grid = {path: record for path, record in published().items() if path.parent.name == "steps12000"}
    commits = {record["provenance"]["commit"][:7] for record in grid.values()}
    assert commits <= {"091a857", "unknown"}, commits  # a machine without git did not know its own
    for path, record in grid.items():
        config = record["config"]
        assert (config["optimizer"]["steps"], config["optimizer"]["batch"], config["data"]["size"]) == (12000, 8, 64)
        assert path.stem == f"{record['setting']}_seed{config['seed']}"
