import re

import pytest
from tiny import CLIPS

from kp.errors import KpError
from kp.files import verify_checksums


def test_untouched_set(tiny):
    clips = sum(map(len, CLIPS.values()))
    assert verify_checksums(tiny) == 2 * clips + len(CLIPS) + 1 + 1  # videos and masks, truth, prior, clips.csv


def test_changed_file(own):
    path = own / "truth" / "val.npz"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(
        KpError, match=re.escape(f"{path}: differs from its checksum; restore it with 'git checkout {path}'")
    ):
        verify_checksums(own)


def test_missing_file(own):
    path = own / "videos" / "train" / "000.mp4"
    path.unlink()
    expected = f"{path}: missing; restore it with 'git checkout {path}' or rebuild the data with 'make data'"
    with pytest.raises(KpError, match=f"^{re.escape(expected)}$"):
        verify_checksums(own)


def test_no_listing(tmp_path):
    listing = tmp_path / "SHA256SUMS"
    with pytest.raises(
        KpError, match=re.escape(f"{listing}: no such file; restore the folder with 'git checkout {tmp_path}'")
    ):
        verify_checksums(tmp_path)
