"""The table of the book that says what happens to files names tests that are there."""

import csv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
with open(ROOT / "book/files.csv", newline="") as file:
    ROWS = list(csv.DictReader(file))


@pytest.mark.parametrize("row", ROWS, ids=[row["condition"][:40] for row in ROWS])
def test_every_line_has_its_test(row):
    path, name = row["test"].split("::")
    assert f"def {name}(" in (ROOT / path).read_text()
    assert all(row.values())


def test_every_case_is_used():
    tests = "".join(path.read_text() for path in ROOT.glob("tests/**/test_*.py"))
    assert [p.name for p in (ROOT / "tests/cases").iterdir() if p.is_dir() and p.name not in tests] == []
