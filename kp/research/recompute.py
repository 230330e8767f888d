"""Does a record hold? Its test number again, from its weights, and which of its inputs have changed since."""

from dataclasses import dataclass
from pathlib import Path

from kp.config import Config
from kp.datasets.sets import open_prior
from kp.errors import KpError
from kp.evaluation.evaluate import load_test, measure
from kp.inference.published import load
from kp.provenance import commit, data_checksum
from kp.research.records import config_of, read_record
from kp.research.study import WORK

EQUAL = 0.005  # % of the image size: other processors round otherwise
ROUGHLY = 0.02  # the same for weights that come with kp in half precision


@dataclass(frozen=True)
class Check:
    """A record's error on test, % of the image size, as it was ``recorded`` and as it is ``computed`` again (None
    without weights); ``changed``: what is no longer as it was when the record was made, in words; ``tolerance``: how
    far the two may differ.
    """

    recorded: float
    computed: float | None
    weights: Path | None
    changed: tuple[str, ...]
    tolerance: float = EQUAL

    @property
    def holds(self) -> bool:
        """Whether the number came out again."""
        return self.computed is not None and abs(self.computed - self.recorded) <= self.tolerance

    def lines(self) -> list[str]:
        """In words."""
        if self.computed is None:
            number = f"recorded {self.recorded:.3f} %; its weights are not here, so it cannot be computed again"
        else:
            words = "the same" if self.holds else "NOT the same"
            words += " but for half precision" if self.holds and self.tolerance > EQUAL else ""
            number = f"recorded {self.recorded:.3f} %, computed {self.computed:.3f} %: {words} (from {self.weights})"
        return [number, *(f"changed since: {words}" for words in self.changed)]


def recompute(path: Path, folder: Path = WORK) -> Check:
    """Compute a study record's number again from its weights, if ``folder`` has them, or else those in half precision
    that come with kp, in ``weights`` beside the record. KpError if the record is damaged, or if the data that it was
    tested on are not here.
    """
    record = read_record(path)
    config = config_of(record, path)
    checksum, now = record.get("data_checksum", "unknown"), data_checksum(config.data.videos)
    provenance = record.get("provenance", {})
    trained = record.get("trained", {}).get("commits") or [provenance.get("commit", "unknown")]
    changed = []
    if checksum != now:
        changed.append(f"{config.data.videos}, from {checksum} to {now}")
    if trained != [commit()]:
        changed.append(f"kp's code, from {', '.join(trained)} to {commit()}")
    if now == "none":
        raise KpError(f"{config.data.videos}: holds no videos; the record {path} was made from them")
    weights, tolerance = find_weights(config, record["setting"], folder), EQUAL
    if weights is None:
        shipped = path.parent / f"weights/{record['setting']}.safetensors"
        if not shipped.is_file() or load(shipped).model.config != config:
            return Check(record["raw"], None, None, tuple(changed))
        weights, tolerance = shipped, ROUGHLY
    scores, _ = measure(load(weights), load_test(config.data, progress=False), open_prior(config.data, config.seed))
    return Check(record["raw"], scores.raw, weights, tuple(changed), tolerance)


def find_weights(config: Config, setting: str, folder: Path) -> Path | None:
    """The weights that ``kp study`` left of a run, below ``folder``; None if none are of this configuration."""
    name = f"{setting}_steps{config.optimizer.steps}_seed{config.seed}.safetensors"
    return next((path for path in sorted(folder.rglob(name)) if load(path).model.config == config), None)
