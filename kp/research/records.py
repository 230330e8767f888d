"""From records to statements: means over seeds, intervals for other seeds, people and motions, paired differences."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import FiniteFloat
from typing_extensions import TypedDict  # pydantic needs it before Python 3.12

from kp.config import Config, from_json
from kp.datasets.clips import read_labels
from kp.errors import KpError
from kp.evaluation.intervals import clip_factors, interval
from kp.validation import parse


@dataclass(frozen=True)
class Summary:
    """One setting over its seeds. Errors in % of the image size.

    ``difference``: mean error minus that of the reference setting on the same seeds and clips, with its 95 % interval
    (:func:`kp.evaluation.intervals.interval`); None for a setting that shares no seed with the reference.
    ``paired_seeds``: how many it shares.
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


def by_clip(records: dict[int, dict], seeds: list[int]) -> Float[np.ndarray, "seeds clips"]:
    """Error of each test clip in each seed, % of the image size."""
    return np.array([records[s]["raw_by_clip"] for s in seeds])


@cache
def factors_of(videos: Path, source: str, clips: int) -> tuple[np.ndarray, ...]:
    """What is known of the test clips that a record tells of (:func:`kp.evaluation.intervals.clip_factors`); nothing
    if the set is not at hand, or holds other clips.
    """
    names = [
        clip for (split, clip), of in sorted(read_labels(videos).items()) if split == "test" and source in ("", of)
    ]
    return clip_factors(videos, "test", names) if len(names) == clips else ()


def summarise(records: dict[str, dict[int, dict]], setting: str, reference: str = "full") -> Summary:
    """A setting beside the reference. Only clips that both were tested on can be paired: equal numbers of clips are
    needed.

    KpError if there is no record of the setting.
    """
    if setting not in records:
        raise KpError(f"no record of '{setting}'; there are: {', '.join(records)}")
    mine, other = records[setting], records.get(reference, {})
    errors, shared = by_clip(mine, sorted(mine)), sorted(set(mine) & set(other))
    first = next(iter(mine.values()))
    data = config_of(first, Path(setting)).data
    factors = factors_of(data.videos, data.source, errors.shape[1])
    paired = shared and setting != reference and len(other[shared[0]]["raw_by_clip"]) == errors.shape[1]
    differences = by_clip(mine, shared) - by_clip(other, shared) if paired else None
    return Summary(
        setting,
        first["description"],
        {seed: record["raw"] for seed, record in sorted(mine.items())},
        float(np.mean([record["raw"] for record in mine.values()])),
        interval(errors, factors),
        float(differences.mean()) if paired else None,
        interval(differences, factors) if paired else None,
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
    """Rows for people: description, mean error (95 %), each seed, difference to the reference (95 %),
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
