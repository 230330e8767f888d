"""Where a number comes from: the machine, the versions and the command that made it, as JSON."""

import json
from pathlib import Path

from kp.errors import KpError


def read_metrics(run: Path) -> list[dict]:
    """The lines of a run's metrics.jsonl: phase, step, seconds, losses. KpError if it is missing or damaged."""
    path, lines = run / "metrics.jsonl", []
    if not path.is_file():
        raise KpError(f"{path}: no such file; give the folder of a run")
    for number, text in enumerate(path.read_text(errors="replace").splitlines(), 1):
        try:
            lines.append(json.loads(text))
            _ = lines[-1]["phase"], float(lines[-1]["step"]), float(lines[-1]["seconds"])
        except (ValueError, TypeError, LookupError) as error:
            raise KpError(f"{path}: line {number} is damaged; delete that line") from error
    return lines


def append_metrics(run: Path, line: dict) -> None:
    """Add a line to the run's metrics.jsonl. KpError if it cannot be written."""
    try:
        with open(run / "metrics.jsonl", "a") as file:
            file.write(json.dumps(line) + "\n")
    except OSError as error:
        raise KpError(f"{run}: cannot be written ({error.strerror}); choose another folder with --out") from error
