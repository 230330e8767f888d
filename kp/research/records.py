"""From records to statements: means over seeds, intervals over clips, differences paired clip by clip."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import FiniteFloat
from scipy import stats
from typing_extensions import TypedDict  # pydantic wants it before Python 3.12

from kp.config import Config, from_json
from kp.errors import KpError
from kp.evaluation.metrics import interval
from kp.validation import parse


@dataclass(frozen=True)
class Summary:
    """One setting over its seeds. Errors in % of the image size.

    ``difference``: mean error minus that of the reference setting on the same seeds and clips, with its 95 % interval
    (:func:`difference_interval`); None for a setting that shares no seed with the reference. ``paired_seeds``: how many
    it shares.
    """

    setting: str
    description: str
    errors: dict[int, float]
    mean: float
    mean_interval: tuple[float, float]
    difference: float | None
    difference_interval: tuple[float, float] | None
    paired_seeds: int
    minutes: float
    nearest_prior_pose: float
    mean_pose: float


class Fields(TypedDict):
    """What every record of a study holds, beside much more."""

    setting: str
    description: str
    raw: FiniteFloat
    raw_by_clip: list[FiniteFloat]
    seconds_train: FiniteFloat
    nearest_prior_pose: FiniteFloat
    mean_pose: FiniteFloat
    config: dict[str, Any]


def read_record(path: Path) -> dict:
    """A record of a study. KpError names the file, and the field that is missing or wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise KpError(f"{path}: is not text in UTF-8; restore it, or make it again with 'kp study'") from error
    parse(Fields, text, str(path))
    record = json.loads(text)
    config_of(record, path)
    return record


def config_of(record: dict, path: Path) -> Config:
    """The configuration that the record in ``path`` holds. KpError if it is none."""
    return from_json(json.dumps(record["config"]), str(path))


def read_records(folder: Path) -> dict[str, dict[int, dict]]:
    """Records of a study: setting → seed → record. KpError if the folder holds none, or one that is damaged."""
    records: dict[str, dict[int, dict]] = {}
    for path in sorted(folder.glob("*_seed*.json")):
        record = read_record(path)
        records.setdefault(record["setting"], {})[record["config"]["seed"]] = record
    if not records:
        raise KpError(f"{folder}: no records; make them with 'kp study', or restore them with 'git checkout'")
    return records


def paired_interval(differences: np.ndarray, draws: int = 2000) -> tuple[float, float]:
    """95 % bootstrap interval of the mean of (seeds, clips) differences, seeds and clips both drawn with replacement.

    With one seed it holds the spread over clips only.
    """
    rng = np.random.default_rng(0)
    seeds, clips = differences.shape
    means = [
        differences[rng.integers(seeds, size=seeds)][:, rng.integers(clips, size=clips)].mean() for _ in range(draws)
    ]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def difference_interval(differences: np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean of (seeds, clips) differences: from the lower to the higher end of two intervals.

    One is :func:`paired_interval`. With a handful of seeds it is too sure: three of one sign, as chance gives in one
    case of four, may leave zero out. The other, Student's t over the means of the seeds, allows for that. With one seed
    there is only the first.
    """
    low, high = paired_interval(differences)
    seeds = len(differences)
    if seeds > 1:
        means = differences.mean(1)
        half = stats.t.ppf(0.975, seeds - 1) * means.std(ddof=1) / np.sqrt(seeds)
        low, high = min(low, float(means.mean() - half)), max(high, float(means.mean() + half))
    return low, high


def by_clip(records: dict[int, dict], seeds: list[int]) -> np.ndarray:
    """Error of each test clip, averaged over seeds."""
    return np.mean([records[s]["raw_by_clip"] for s in seeds], 0)


def summarise(records: dict[str, dict[int, dict]], setting: str, reference: str = "full") -> Summary:
    """A setting beside the reference. Only clips that both were tested on can be paired: equal numbers of clips are
    needed.

    KpError if there is no record of the setting.
    """
    if setting not in records:
        raise KpError(f"no record of '{setting}'; there are: {', '.join(records)}")
    mine, other = records[setting], records.get(reference, {})
    clips = by_clip(mine, sorted(mine))
    shared = sorted(set(mine) & set(other))
    paired = shared and setting != reference and len(other[shared[0]]["raw_by_clip"]) == len(clips)
    differences = (
        np.array([np.subtract(mine[s]["raw_by_clip"], other[s]["raw_by_clip"]) for s in shared]) if paired else None
    )
    first = next(iter(mine.values()))
    return Summary(
        setting,
        first["description"],
        {seed: record["raw"] for seed, record in sorted(mine.items())},
        float(np.mean([record["raw"] for record in mine.values()])),
        interval(torch.from_numpy(clips)),
        float(differences.mean()) if paired else None,
        difference_interval(differences) if paired else None,
        len(shared) if paired else 0,
        float(np.mean([record["seconds_train"] for record in mine.values()]) / 60),
        float(np.mean([record["nearest_prior_pose"] for record in mine.values()])),
        float(np.mean([record["mean_pose"] for record in mine.values()])),
    )


def verdict(summary: Summary) -> str:
    """Worse, better, or no difference found against the reference: whether the paired interval leaves 0 on one side.

    "one seed only" decides nothing, unless the difference is larger than the error of the reference itself; "not
    paired": no seed or clip in common.
    """
    if summary.difference_interval is None:
        return "not paired"
    if summary.paired_seeds < 2 and abs(summary.difference) < summary.mean - summary.difference:
        return "one seed only"
    low, high = summary.difference_interval
    return "worse" if low > 0 else "better" if high < 0 else "no difference found"


def table(summaries: list[Summary]) -> list[list[str]]:
    """Rows for people: description, mean error (95 % over clips), each seed, difference to the reference (95 %),
    minutes of training.
    """
    rows = []
    for s in summaries:
        low, high = s.mean_interval
        seeds = " ".join(f"{error:.2f}" for error in s.errors.values())
        difference = (
            ""
            if s.difference is None
            else f"{s.difference:+.2f} ({s.difference_interval[0]:+.2f} to {s.difference_interval[1]:+.2f})"
        )
        rows.append([s.description, f"{s.mean:.2f} ({low:.2f}–{high:.2f})", seeds, difference, f"{s.minutes:.1f}"])
    return rows
