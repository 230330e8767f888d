"""Which stretch of which take belongs to which split. A stretch is in exactly one of train, val, test, prior.

Stretches of one take alternate between the splits, so that all see the same kinds of movement
but no moment is shared. Left out: hanging from a bar and the knock-down (source A), lying or
upside-down movements (source B).
"""

from dataclasses import dataclass
from functools import cache

from motion import Motion, read_bvh, read_deepmimic
from people import INPUTS

SECONDS, FRAMES = 1.55, 32  # a clip: 32 frames at 20 a second


@dataclass(frozen=True)
class Stretch:
    """``seconds`` of the take ``take`` from ``start``. Those shorter than a clip are played slower."""

    split: str
    take: str
    start: float
    seconds: float


def _alternate(take: str, starts: list, splits: str) -> list:
    names = {"T": "train", "V": "val", "E": "test", "P": "prior"}
    return [Stretch(names[c], take, s, 2.0) for s, c in zip(starts, splits, strict=True)]


STRETCHES = [
    *_alternate("01_01", [0, 2, 4, 6, 10, 12, 14, 18, 20], "TPTEPTVPT"),
    *_alternate("01_03", [12, 14, 16, 18, 28, 30, 32, 34], "TPETPTVP"),
    *_alternate("Boxing_Toes", [0, 2, 4, 6, 8, 10, 12, 14, 16], "TPTEPTPVT"),
    Stretch("train", "0walk_forward", 0, 1.23),
    Stretch("train", "turn_right1", 0, 1.23),
    Stretch("train", "dance_b", 0, 1.25),
    Stretch("train", "punch", 0, 1.0),
    Stretch("train", "jump", 0, 0.85),
    Stretch("val", "turn_left0", 0, 1.23),
    Stretch("test", "turn_right0", 0, 1.23),
    Stretch("test", "jump", 0.9, 0.86),
    Stretch("prior", "walk", 0, 1.26),
    Stretch("prior", "run", 0, 0.8),
    Stretch("prior", "turn_left1", 0, 1.23),
    Stretch("prior", "dance_a", 0, 1.62),
    Stretch("prior", "dance_b", 1.3, 1.23),
    Stretch("prior", "kick", 0, 1.53),
    Stretch("prior", "punch", 1.1, 1.03),
    Stretch("prior", "spin", 0, 1.4),
    Stretch("prior", "spinkick", 0, 1.28),
]


@cache
def takes() -> dict:
    """Take name → Motion, both sources."""
    cmu = [read_bvh(p) for p in sorted((INPUTS / "assimp").rglob("*.bvh"))]
    deepmimic = [read_deepmimic(p) for p in sorted((INPUTS / "pybullet").rglob("*.txt")) if "laikago" not in p.name]
    return {m.name: m for m in cmu + deepmimic}


def stretches(split: str, source: str | None = None) -> list:
    return [s for s in STRETCHES if s.split == split and source in (None, takes()[s.take].source)]


def cut(stretch: Stretch, rng) -> Motion:
    """A clip's worth of the stretch, mirrored half of the time."""
    slack = max(0.0, stretch.seconds - SECONDS)
    motion = takes()[stretch.take].window(stretch.start + rng.uniform(0, slack), min(SECONDS, stretch.seconds), FRAMES)
    return motion.mirrored() if rng.random() < 0.5 else motion
