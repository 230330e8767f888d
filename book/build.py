"""``python book/build.py TARGET …``: what the Makefile calls instead of snakemake, with the same words.

After Ctrl-C, kill -9 or a power cut the same command goes on: jobs that were cut off are run again, and nobody has to
unlock anything. Only one build at a time works in a checkout.
"""

import subprocess
import sys
import time
from pathlib import Path

from kp.errors import KpError
from kp.files import alone

SOURCES = ("Snakefile", "book/*.ipynb", "book/exercises/*.ipynb", "data/*/SHA256SUMS", "kp/models/*.safetensors")
SOON = 5  # seconds


def check_clock(top: Path) -> None:
    """KpError if a file was changed in the future: what is made from it would count as older, and be thrown away."""
    late = time.time() + SOON
    for path in (path for pattern in SOURCES for path in sorted(top.glob(pattern))):
        if path.stat().st_mtime > late:
            raise KpError(f"{path}: was changed in the future; set the clock, or: touch '{path}'")


def main() -> None:
    try:
        check_clock(Path.cwd())
        with alone(Path(".snakemake")):  # takes the place of Snakemake's own lock, which outlives a killed process
            options = ["--quiet", "host", "reason", "--nolock", "--rerun-incomplete"]
            sys.exit(subprocess.run(["snakemake", *options, *sys.argv[1:]], check=False).returncode)
    except KpError as error:
        sys.exit(f"book: {error}")
    except KeyboardInterrupt:
        sys.exit("book: stopped; the same command goes on")


if __name__ == "__main__":
    main()
