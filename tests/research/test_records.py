import json
import re

import numpy as np
import pytest

from kp.course.tables import html_table
from kp.errors import KpError
from kp.research.records import difference_interval, paired_interval, read_records, summarise, table, verdict


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
    assert 1.5 <= low < 3 < high <= 4.5  # clip means are 1.5, 2.5, 3.5, 4.5


def test_differences_are_paired_by_clip(records):
    found = summarise(records, "hurt")
    assert found.difference == pytest.approx(1.05) and found.minutes == 2.0
    low, high = found.difference_interval
    assert 1.0 <= low <= high <= 1.1  # though the clips themselves differ by far more
    assert verdict(found) == "worse"


def test_three_seeds_of_one_sign_are_no_proof():
    differences = np.array([[0.5], [0.05], [0.3]]) + np.zeros((3, 40))  # clips agree, seeds do not
    low, high = paired_interval(differences)
    assert 0 < low < high  # from the lowest seed to the highest
    low, high = difference_interval(differences)
    mean, half = 0.85 / 3, 4.30265273 * np.std([0.5, 0.05, 0.3], ddof=1) / 3**0.5  # Student's t, two degrees of freedom
    assert (low, high) == pytest.approx((mean - half, mean + half)) and low < 0


def test_where_clips_differ_more_than_seeds_they_decide():
    clips = np.random.default_rng(0).normal(0, 5, 40)
    differences = np.stack([clips, clips + 0.01, clips - 0.01])
    assert difference_interval(differences) == paired_interval(differences)
    assert difference_interval(differences[:1]) == paired_interval(differences[:1])


def test_only_shared_seeds_are_compared(records):
    found = summarise(records, "noise")
    # against seed 1 of full, whose mean is 3.5
    assert found.difference == pytest.approx(0.0) and found.paired_seeds == 1
    assert verdict(found) == "one seed only"


def test_one_seed_suffices_for_a_difference_beyond_all_doubt(tmp_path):
    write(tmp_path / "s", "full", 0, [1.0, 2.0])
    write(tmp_path / "s", "broken", 0, [21.0, 22.0])
    assert verdict(summarise(read_records(tmp_path / "s"), "broken")) == "worse"


def test_intervals_hold_the_spread_between_seeds():
    agreeing, differing = np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([[2.0, 2.0], [0.0, 0.0]])
    assert paired_interval(agreeing) == (1.0, 1.0) and paired_interval(differing) == (0.0, 2.0)


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
    assert rows[1][3].startswith("+1.05 (+1.0")


def test_html_table():
    expected = "<table><tr><th>a</th></tr><tr><td>1 &lt; 2</td></tr></table>"
    assert html_table(["a"], [["1 < 2"]]) == expected


def test_many_seeds_have_their_own_quantile_of_t():
    """With 21 seeds, Student's t with 20 degrees of freedom: 2.086 standard errors, not the 2.262 of nine."""
    differences = np.linspace(-1, 1, 21)[:, None] + np.zeros((21, 4))
    low, high = difference_interval(differences)
    half = 2.0859634 * differences.mean(1).std(ddof=1) / np.sqrt(21)
    assert (low, high) == pytest.approx((min(low, -half), max(high, half))) and high == pytest.approx(half, rel=0.05)
