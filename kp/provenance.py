"""Where a number comes from: the machine, the versions and the command that made it, as JSON."""

import ast
import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import torch

import kp
from kp.files import atomic_write, read_checksums, sha256

PARTS = ("clips.csv", "skeleton.json", "videos/*/*", "masks/*/*", "priors/*")  # of a video set, which is learnt from


def commit() -> str:
    """The commit of kp's code, with "-dirty" if files differ from it; "unknown" if kp lies in no git checkout of its
    own.
    """
    code = Path(__file__).resolve().parent
    describe = ["git", "-C", str(code), "describe", "--always", "--dirty"]
    mine = ["git", "-C", str(code), "ls-files", "--error-unmatch", __file__]  # something else's may lie around kp
    try:
        subprocess.run(mine, capture_output=True, check=True)
        return subprocess.run(describe, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def provenance() -> dict[str, str | int]:
    """Processor, cores used, versions, commit of kp's code (if it lies in a git checkout) and date of this moment."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "gpu": device,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "kp": kp.__version__,
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d"),
    }


def command_line() -> str:
    """The command that this process runs, as one would type it: "python -m kp.research.scripts.peers imm --seed 0"."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    program = f"python -m {spec.name}" if spec else f"python {Path(sys.argv[0]).name}"
    return " ".join([program.removesuffix(".__main__"), *sys.argv[1:]])


def code_digest(*rooms: str) -> str:
    """A digest of what kp's foundations and these rooms do: it changes with their code, not with their words."""
    code, total = Path(__file__).parent, hashlib.sha256()
    paths = [*code.glob("*.py"), *(path for room in rooms for path in (code / room).rglob("*.py"))]
    for path in sorted(paths):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(body := getattr(node, "body", None), list):  # a string that stands alone is a docstring
                node.body = [n for n in body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
        total.update(f"{path.relative_to(code)}{ast.dump(tree)}".encode())
    return total.hexdigest()[:16]


def data_checksum(videos: Path) -> str:
    """First 12 digits of the SHA-256 of what the video set's SHA256SUMS would hold now: of its files, not of the list.

    A set without a list is looked through; "none" if there is no set. KpError for a list that cannot be read.
    """
    listing = videos / "SHA256SUMS"
    if listing.is_file():
        names = list(read_checksums(listing))
    else:
        found = (path for part in PARTS for path in videos.glob(part) if path.is_file() and path.name[0] != ".")
        names = sorted(path.relative_to(videos).as_posix() for path in found)
    if not names:
        return "none"
    sums = (f"{sha256(videos / name) if (videos / name).is_file() else 'missing'}  {name}\n" for name in names)
    return hashlib.sha256("".join(sums).encode()).hexdigest()[:12]


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def write_record(path: Path, numbers: dict) -> None:
    """Write numbers with their provenance, whole or not at all; the folder is made.

    KpError if the file cannot be written.
    """
    with atomic_write(path) as part:
        part.write_text(json.dumps({**numbers, "provenance": provenance()}, indent=2, default=str) + "\n")
