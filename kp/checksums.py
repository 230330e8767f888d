"""Is a data folder what it was when it was made?"""

import hashlib
from pathlib import Path

from kp.errors import KpError


def verify(root: Path) -> int:
    """Compare every file listed in ``root``/SHA256SUMS; returns how many. KpError names the first that differs."""
    listing = root / "SHA256SUMS"
    if not listing.is_file():
        raise KpError(f"{listing}: no such file; restore the folder with 'git checkout {root}' or rebuild it with 'make data'")
    lines = listing.read_text().splitlines()
    for line in lines:
        digest, two_spaces, name = line.partition("  ")
        if not two_spaces:
            raise KpError(f"{listing}: '{line}' is not '<sha256>  <file>'; restore it with 'git checkout {listing}'")
        path = root / name
        if not path.is_file():
            raise KpError(f"{path}: missing; restore it with 'git checkout {path}' or rebuild the data with 'make data'")
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise KpError(f"{path}: differs from its checksum; restore it with 'git checkout {path}'")
    return len(lines)
