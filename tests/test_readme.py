"""The README's scores are those of the records it names, and the files it shows exist."""

import json
import re
from pathlib import Path

import pytest

import kp

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
RECORDS = sorted((ROOT / "data/runs/headline").glob("*.json"))


@pytest.mark.parametrize("path", RECORDS, ids=lambda p: p.stem)
def test_scores_are_those_of_the_records(path):
    record = json.loads(path.read_text())
    row = next(line for line in README.splitlines() if line.startswith(f"| {record['description']}"))
    assert f"{record['raw']:.2f}" in row


def test_the_scores_of_the_published_model_are_those_of_its_records():
    row = next(line for line in README.splitlines() if line.startswith('| `kp.load("people")`'))
    for place in ("black", "rooms"):
        record = json.loads((ROOT / f"data/runs/people/student_{place}_seed0.json").read_text())
        assert f"{record['raw']:.2f}" in row


def test_there_are_records_of_several_seeds():
    assert {"full_seed0", "full_seed1", "student_black_seed0", "student_rooms_seed0"} <= {p.stem for p in RECORDS}


def test_the_example_without_a_film_runs():
    blocks = re.findall(r"```python\n(.*?)```", README, re.S)
    (block,) = (block for block in blocks if "examples()" in block)
    names = {"kp": kp}
    exec(block, names)
    assert names["poses"].shape == (8, 17, 2)


@pytest.mark.parametrize("target", [t for t in re.findall(r"\]\(([^)]+)\)", README) if "://" not in t])
def test_links_lead_somewhere(target):
    assert (ROOT / target).exists()


@pytest.mark.parametrize("command", sorted(set(re.findall(r"make ([a-z]+)", README))))
def test_make_targets_exist(command):
    assert re.search(rf"^{command}:", (ROOT / "Makefile").read_text(), re.M)
