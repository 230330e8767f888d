import re
from pathlib import Path

import pytest

from kp.errors import KpError
from kp.files import atomic_folder, atomic_write


def test_appears_at_the_end(tmp_path):
    path = tmp_path / "new folder" / "a.csv"
    with atomic_write(path) as part:
        part.write_text("all of it")
        assert not path.exists() and part.suffix == ".csv"
    assert path.read_text() == "all of it" and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("failure", [ValueError("bad"), KeyboardInterrupt()])
def test_a_failure_leaves_what_was(tmp_path, failure):
    path = tmp_path / "a.csv"
    path.write_text("before")
    with pytest.raises(type(failure)), atomic_write(path) as part:
        part.write_text("half")
        raise failure
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "a.csv"
    with (
        pytest.raises(KpError, match=re.escape(f"{path}: cannot be written (File exists); choose another place")),
        atomic_write(path),
    ):
        pass


def test_no_space_left(tmp_path):
    path = tmp_path / "a.csv"
    expected = f"{path}: cannot be written (No space left on device); free some space"
    with pytest.raises(KpError, match=re.escape(expected)), atomic_write(path) as part:
        part.write_text("half")
        raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())


def test_the_current_folder_is_no_folder_for_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = r"\.: is the folder that you are in; choose another folder"
    with pytest.raises(KpError, match=words), atomic_folder(Path(".")):
        pass
