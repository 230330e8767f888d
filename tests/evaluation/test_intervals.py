from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from kp.errors import KpError
from kp.evaluation.intervals import clip_factors, interval

PERSON, STRETCH = (a.ravel() for a in np.meshgrid(np.arange(16), np.arange(5), indexing="ij"))


def test_equal_clips_have_no_width():
    assert interval(np.full((3, 10), 3.0)) == (3.0, 3.0)


def test_one_seed_without_factors_is_students_t():
    values = np.random.default_rng(0).normal(2, 1, (1, 12))
    expected = stats.t.interval(0.95, 11, values.mean(), stats.sem(values[0]))
    assert interval(values) == pytest.approx(expected)


def test_where_only_seeds_differ_they_decide():
    """Three seeds of one sign are no proof: Student's t with two degrees of freedom is 4.30."""
    seeds = np.array([0.5, 0.05, 0.3])
    low, high = interval(seeds[:, None] + np.zeros((3, 80)), (PERSON, STRETCH))
    half = 4.30265273 * seeds.std(ddof=1) / 3**0.5
    assert (low, high) == pytest.approx((seeds.mean() - half, seeds.mean() + half)) and low < 0


def test_where_only_people_differ_more_stretches_do_not_help():
    people = np.random.default_rng(1).normal(0, 1, 16)
    expected = stats.t.interval(0.95, 15, people.mean(), stats.sem(people))
    assert interval(people[PERSON][None], (PERSON, STRETCH)) == pytest.approx(expected)


def test_labels_may_be_any_and_in_any_order():
    rng = np.random.default_rng(2)
    values, order = rng.normal(0, 1, (3, 80)), rng.permutation(80)
    mixed = interval(values[:, order], (PERSON[order] + 60, STRETCH[order] - 7))
    assert mixed == pytest.approx(interval(values, (PERSON, STRETCH)))


def simulated(rng, people, stretches, seeds, cells, rest):
    """Errors (3 seeds, 80 clips) about a true mean of 0, from normal effects of these standard deviations."""
    return (
        people * rng.standard_normal(16)[PERSON]
        + stretches * rng.standard_normal(5)[STRETCH]
        + seeds * rng.standard_normal((3, 1))
        + cells * rng.standard_normal(80)
        + rest * rng.standard_normal((3, 80))
    )


def bootstrap(rng, values):
    """95 % percentile interval; seeds, people and stretches are drawn with replacement."""
    table, means = values.reshape(3, 16, 5), []
    for _ in range(300):
        means.append(table[np.ix_(*(rng.integers(n, size=n) for n in table.shape))].mean())
    return np.percentile(means, [2.5, 97.5])


CASES = {
    "as measured": (0.27, 0.52, 0.1, 0.45, 0.2),  # about the spreads of 12,000 steps
    "people": (1.0, 0.1, 0.05, 0.3, 0.3),
    "stretches": (0.1, 1.0, 0.05, 0.3, 0.3),
    "seeds": (0.1, 0.1, 1.0, 0.3, 0.3),
    "all": (1.0, 0.7, 0.4, 0.7, 0.5),
}


def covered(make, spreads, tries, seed=0):
    rng = np.random.default_rng(seed)
    ends = [make(rng, simulated(rng, *spreads)) for _ in range(tries)]
    return sum(low < 0 < high for low, high in ends) / tries


@pytest.mark.parametrize("spreads", CASES.values(), ids=CASES.keys())
def test_intervals_hold_the_truth_in_95_of_100_cases(spreads):
    def ours(_, values):
        return interval(values, (PERSON, STRETCH))

    assert 0.93 <= covered(ours, spreads, 2000) <= 0.97


def test_they_are_too_wide_where_only_chance_differs():
    assert covered(lambda _, v: interval(v, (PERSON, STRETCH)), (0, 0, 0, 0, 1), 500) > 0.97


def test_clips_taken_for_independent_are_far_too_sure():
    """The interval over 80 clips, which the book printed once, of one training."""

    def naive(_, values):
        return interval(values[:1])

    assert covered(naive, (0.27, 0.52, 0.0, 0.45, 0.2), 1000) < 0.65


@pytest.mark.parametrize(("case", "most"), [("stretches", 0.9), ("seeds", 0.8)])
def test_a_percentile_bootstrap_is_too_sure(case, most):
    assert covered(bootstrap, CASES[case], 200) < most


def test_factors_of_people():
    names = [f"{i:03d}" for i in range(80)]
    person, stretch = clip_factors(Path("data/people"), "test", names)
    assert len(set(zip(person, stretch, strict=True))) == 80  # everybody goes through every stretch
    assert len(set(person)) == 16 and len(set(stretch)) == 5
    some, _ = clip_factors(Path("data/people"), "test", ["007", "003"])
    assert some.tolist() == [person[7], person[3]]


def test_what_a_set_does_not_say_is_left_out(tmp_path):
    assert clip_factors(tmp_path, "test", ["a"]) == ()
    (tmp_path / "clips.csv").write_text("split,clip,source\ntest,a,film\n")
    assert clip_factors(tmp_path, "test", ["a"]) == ()
    (tmp_path / "clips.csv").write_text("split,clip,source,take,start\ntest,a,film,walk,0\ntest,b,film,walk,4\n")
    (stretch,) = clip_factors(tmp_path, "test", ["b", "a"])
    assert stretch.tolist() == [1, 0]


def test_a_damaged_truth_is_named(tmp_path):
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth/test.npz").write_bytes(b"no archive")
    with pytest.raises(KpError, match=r"test\.npz"):
        clip_factors(tmp_path, "test", ["a"])
