import json
import re

import pytest

from kp.course.tables import html_table
from kp.errors import KpError
from kp.research.records import read_records, summarise, table, verdict


def write(folder, setting, seed, clips, seconds=120.0):
    folder.mkdir(exist_ok=True)
    record = dict(
        setting=setting,
        description=f"what {setting} is",
        raw=sum(clips) / len(clips),
        raw_by_clip=clips,
        seconds_train=seconds,
        nearest_prior_pose=2.5,
        mean_pose=8.0,
        config=dict(seed=seed),
    )
    (folder / f"{setting}_seed{seed}.json").write_text(json.dumps(record))


@pytest.fixture
def records(tmp_path):
    folder = tmp_path / "study"
    write(folder, "full", 0, [1.0, 2.0, 3.0, 4.0])
    write(folder, "full", 1, [2.0, 3.0, 4.0, 5.0])
    write(folder, "hurt", 0, [2.0, 3.1, 4.0, 5.1], seconds=60.0)
    write(folder, "hurt", 1, [3.0, 4.1, 5.0, 6.1], seconds=180.0)
    write(folder, "noise", 1, [1.0, 4.0, 3.0, 6.0])
    write(folder, "elsewhere", 0, [1.0, 1.0])
    return read_records(folder)


def test_records_by_setting_and_seed(records):
    assert {k: sorted(v) for k, v in records.items()} == {
        "elsewhere": [0],
        "full": [0, 1],
        "hurt": [0, 1],
        "noise": [1],
    }


def test_no_records(tmp_path):
    with pytest.raises(KpError, match=re.escape(f"{tmp_path}: no records; make them with 'kp study'")):
        read_records(tmp_path)


def test_summary_of_the_reference(records):
    found = summarise(records, "full")
    assert found.errors == {0: 2.5, 1: 3.5} and found.mean == 3.0 and found.difference is None
    low, high = found.mean_interval
    assert low < 1.5 < 4.5 < high  # two seeds and four clips tell little


def test_differences_are_paired_by_clip(records):
    found = summarise(records, "hurt")
    assert found.difference == pytest.approx(1.05) and found.minutes == 2.0
    low, high = found.difference_interval
    assert 0.9 <= low <= 1.05 <= high <= 1.2  # though the clips themselves differ by far more
    assert verdict(found) == "worse"


def test_only_shared_seeds_are_compared(records):
    found = summarise(records, "noise")
    # against seed 1 of full, whose mean is 3.5
    assert found.difference == pytest.approx(0.0) and found.paired_seeds == 1
    assert verdict(found) == "one seed only"


def test_one_seed_suffices_for_a_difference_beyond_all_doubt(tmp_path):
    write(tmp_path / "s", "full", 0, [1.0, 2.0])
    write(tmp_path / "s", "broken", 0, [21.0, 22.0])
    assert verdict(summarise(read_records(tmp_path / "s"), "broken")) == "worse"


def test_other_clips_are_not_paired(records):
    found = summarise(records, "elsewhere")
    assert found.difference is None and verdict(found) == "not paired"


def test_better(records):
    assert verdict(summarise(records, "full", reference="hurt")) == "better"


def test_unknown_setting(records):
    with pytest.raises(KpError, match="no record of 'gone'; there are: elsewhere, full, hurt, noise"):
        summarise(records, "gone")


def test_table(records):
    rows = table([summarise(records, "full"), summarise(records, "hurt")])
    assert rows[0][0] == "what full is" and rows[0][1].startswith("3.00 (") and rows[0][2:] == ["2.50 3.50", "", "2.0"]
    assert rows[1][3].startswith("+1.05 (+0.9")


def test_html_table():
    expected = "<table><tr><th>a</th></tr><tr><td>1 &lt; 2</td></tr></table>"
    assert html_table(["a"], [["1 < 2"]]) == expected
