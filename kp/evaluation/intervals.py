"""How sure is a mean over clips? Intervals that know who and what the clips show.

The test clips are not 80 independent draws: 16 people go through the same 5 motion sequences, and the trained
models, one per seed, see all of them. A mean over such a table can be off because these people are hard, because these
stretches are, or because these seeds were lucky; more clips of the same people in the same stretches would not help.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

from kp.files import read_npz


def interval(
    values: Float[np.ndarray, "seeds clips"], factors: Sequence[Int[np.ndarray, " clips"]] = ()
) -> tuple[float, float]:
    """95 % interval of the mean of ``values``, in their unit, for other seeds, other people and other stretches.

    factors: the group of each clip, a vector of labels a factor: whom it shows, what is done in it. Without factors
    every clip is a group of its own. Each factor with at least two groups adds the variance of the mean that the
    spread between its groups tells of, and so do the seeds, if there are two or more; with one seed the interval is
    about that one training. Ends lie at the quantiles of Student's t with Satterthwaite's degrees of freedom.

    Where people, stretches or seeds differ, 95 of 100 such intervals hold the true mean; where clips differ by chance
    alone nearly all do, since that chance counts once in every factor. A bootstrap over people, stretches and seeds,
    each drawn with replacement (Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 2007), estimates the
    same variance, but with three seeds and five stretches the quantiles of its draws are too narrow: they hold the mean
    in 70 to 90 of 100 cases. tests/evaluation/test_intervals.py simulates both.
    """
    seeds, clips = values.shape
    by_clip, mean = values.mean(0), values.mean()
    groups = [labels for labels in factors if len(np.unique(labels)) > 1] or [np.arange(clips)]
    parts = [_variance(by_clip, labels) for labels in groups if clips > 1]
    if seeds > 1:
        parts.append(_variance(values.mean(1), np.arange(seeds)))
    variance = sum(v for v, _ in parts)
    if not variance:
        return float(mean), float(mean)
    freedom = variance**2 / sum(v**2 / f for v, f in parts)
    half = stats.t.ppf(0.975, freedom) * np.sqrt(variance)
    return float(mean - half), float(mean + half)


def _variance(values: Float[np.ndarray, " n"], labels: Int[np.ndarray, " n"]) -> tuple[float, int]:
    """(variance of the mean that groups of ``values`` tell of, its degrees of freedom)."""
    names, group = np.unique(labels, return_inverse=True)
    sums = np.bincount(group, values - values.mean())
    return float((sums**2).sum() / len(values) ** 2 * len(names) / (len(names) - 1)), len(names) - 1


def clip_factors(root: Path, split: str, names: Sequence[str]) -> tuple[Int[np.ndarray, " clips"], ...]:
    """Whom each clip of a set shows and which motion sequence, as labels for :func:`interval`.

    From the set's truth/<split>.npz and the columns ``take`` and ``start`` of its clips.csv; what a set does not say is
    left out. Clips of the same take and start go through the same motion. KpError if the truth is damaged.
    """
    factors = []
    truth = root / "truth" / f"{split}.npz"
    if truth.is_file():
        data = read_npz(truth, ("clip", "identity"))
        person = dict(zip(map(str, data["clip"]), data["identity"].tolist(), strict=True))
        factors.append(np.array([person[name] for name in names]))
    table = root / "clips.csv"
    if table.is_file():
        with open(table, newline="", encoding="utf-8-sig") as file:
            rows = {
                row["clip"]: (row.get("take"), row.get("start"))
                for row in csv.DictReader(file)
                if row["split"] == split
            }
        stretches = [rows.get(name, (None, None)) for name in names]
        if all(take for take, _ in stretches):
            factors.append(np.unique([f"{take} {start}" for take, start in stretches], return_inverse=True)[1])
    return tuple(factors)
