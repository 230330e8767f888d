"""Where a number comes from: the machine, the versions and the command that made it, as JSON."""

import json
import os
import platform
import subprocess
import time
from pathlib import Path

import torch

import kp
from kp.errors import KpError
from kp.whole import whole


def provenance() -> dict[str, str | int]:
    """Processor, cores used, versions, commit (if in a git checkout) and date of this moment."""
    try:
        commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = "unknown"
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "gpu": device,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "kp": kp.__version__,
        "commit": commit,
        "date": time.strftime("%Y-%m-%d"),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def write_json(path: Path, numbers: dict) -> None:
    """Write numbers with their provenance, whole or not at all; the folder is made. KpError if the file cannot be written."""
    with whole(path) as part:
        part.write_text(json.dumps({**numbers, "provenance": provenance()}, indent=2, default=str) + "\n")


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
