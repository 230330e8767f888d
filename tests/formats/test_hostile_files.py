"""Files made to hang kp, to fill its memory, to make it read other files or to write on the terminal.

Each is refused at once, in one line.
"""

import csv
import re
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from tiny import prior_arrays

from kp.datasets.clips import read_labels
from kp.datasets.priors import load_poses
from kp.errors import KpError
from kp.files import verify_checksums
from kp.formats.read import read_pose_file
from kp.pictures import picture_header
from kp.skeletons import BODY, load_skeleton

CASES = Path(__file__).parents[1] / "cases/hostile"


def refused(read, path, message):
    began = time.monotonic()
    with pytest.raises(KpError, match=re.escape(f"{path}: {message}")) as error:
        read(path)
    assert str(error.value).isprintable() and time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "external.h5",
            "takes the numbers of 'df_with_missing/block0_values' from another file; export it",
        ),
        ("laughs.h5", "not a readable pose file (ValueError: the names of its columns are no text)"),
        ("rows.h5", "'df_with_missing/block0_values' holds 1,800,000,000 numbers; kp reads tables of up to"),
        ("persid.h5", "not a readable pose file (ValueError: the names of its columns are damaged"),
    ],
)
def test_tables_in_hdf5(name, message):
    refused(read_pose_file, CASES / name, message)


@pytest.mark.parametrize("ending", [".h5", ".slp"])
def test_links_to_other_files(tmp_path, ending):
    with h5py.File(tmp_path / f"a{ending}", "w") as file:
        file["table"] = h5py.ExternalLink(str(CASES / "rows.h5"), "/df_with_missing")
    refused(read_pose_file, tmp_path / f"a{ending}", "'table' lies in another file; export it again as one")
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource(str(CASES / "rows.h5"), "/x", (3,))
    with h5py.File(tmp_path / f"b{ending}", "w") as file:
        file.create_virtual_dataset("numbers", layout)
    refused(read_pose_file, tmp_path / f"b{ending}", "takes the numbers of 'numbers' from another file; export it")


@pytest.mark.parametrize(
    ("name", "code"), [("index", b"\x80\x02Nr\x80\xf0\xfa\x02."), ("bytes", b"\x80\x04\x8e" + b"\xff" * 8)]
)
def test_pickles_that_ask_for_memory(tmp_path, name, code):
    """A memo of fifty million places; more bytes than there are."""
    import pandas

    columns = pandas.MultiIndex.from_product([["me"], ["a", "b"], ["x", "y"]], names=["scorer", "bodyparts", "coords"])
    pandas.DataFrame(np.ones((2, 4)), columns=columns).to_hdf(tmp_path / "a.h5", key="a", format="table")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["a/table"].attrs["values_block_0_kind"] = np.void(code)
    refused(read_pose_file, tmp_path / "a.h5", "not a readable pose file (ValueError: ")


def test_a_table_of_thirty_thousand_joints(tmp_path):
    """Half a megabyte that asks for fourteen gigabytes."""
    with open(tmp_path / "a.csv", "w", newline="") as file:
        csv.writer(file).writerows([["frame", "joint", "x", "y"], *([i, f"j{i}", 1, 2] for i in range(30_000))])
    refused(read_pose_file, tmp_path / "a.csv", "30,000 poses of 30,000 joints; kp reads up to 1,000 joints, and")
    (tmp_path / "a.csv").write_text("frame,joint,x,y\n0," + "a" * 200_000 + ",1,2\n")
    refused(read_pose_file, tmp_path / "a.csv", "line 2: not a table (field larger than field limit")


def test_motion_capture_of_three_thousand_joints(tmp_path):
    """So many, and so deep."""
    joints = "".join(f"JOINT j{i}\n{{\nOFFSET 0 1 0\nCHANNELS 1 Xrotation\n" for i in range(3000))
    text = f"HIERARCHY\nROOT r\n{{\nOFFSET 0 0 0\nCHANNELS 1 Xrotation\n{joints}{'}' * 3001}\nMOTION\nFrames: 1\n"
    (tmp_path / "a.bvh").write_text(text + "Frame Time: 1\n" + "0 " * 3001 + "\n")
    refused(read_pose_file, tmp_path / "a.bvh", "10,000 poses of 3,001 joints; kp reads up to 1,000 joints, and")


def test_archives_that_unpack_to_gigabytes(tmp_path):
    """Three gigabytes of zeros in three megabytes, here in three kilobytes that say so."""
    np.savez(tmp_path / "a.npz", **prior_arrays(2))
    with zipfile.ZipFile(tmp_path / "a.npz", "a", zipfile.ZIP_DEFLATED) as file, file.open("more.npy", "w") as part:
        for _ in range(1001):
            part.write(bytes(1_000_000))
    refused(
        lambda path: load_poses(path, BODY, 64), tmp_path / "a.npz", "takes 1.0 GB once it is unpacked; kp reads 1 GB"
    )


def test_pictures_of_many_pixels(tmp_path):
    refused(
        picture_header, CASES / "bomb.png", "has more than 100 million pixels; make it smaller, or cut out the subject"
    )
    Image.new("1", (13_000, 13_000)).save(tmp_path / "a.png")
    refused(picture_header, tmp_path / "a.png", "has more than 100 million pixels; make it smaller, or cut out")


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../../b", "..\\b", "C:b"])
def test_names_stay_inside_the_set(tmp_path, name):
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  {name}\n")
    refused(lambda path: verify_checksums(path.parent), tmp_path / "SHA256SUMS", f"names '{name}', which lies outside")
    (tmp_path / "clips.csv").write_text(f"split,clip,source\ntrain,{name},x\n")
    with pytest.raises(KpError, match="is not the name of a clip or a split; write names without folders"):
        read_labels(tmp_path)


def test_lists_that_are_no_lists(tmp_path):
    def verify(path):
        return verify_checksums(path.parent)

    (tmp_path / "SHA256SUMS").write_bytes(b"\xff\xfe\x00")
    refused(verify, tmp_path / "SHA256SUMS", "is not text in UTF-8; restore it with 'git checkout")
    (tmp_path / "SHA256SUMS").write_text("")
    refused(verify, tmp_path / "SHA256SUMS", "names no file; restore it with 'git checkout")
    (tmp_path / "clips.csv").write_bytes(b"split,clip,source\ntrain,\xff,x\n")
    refused(lambda path: read_labels(path.parent), tmp_path / "clips.csv", "is not a table in UTF-8; write it again")


def test_a_file_that_the_list_does_not_name(tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/a.mp4").write_text("")
    (tmp_path / "SHA256SUMS").write_text(
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  videos/a.mp4\n"
    )
    assert verify_checksums(tmp_path) == 1
    (tmp_path / "videos/b.mp4").write_text("")
    with pytest.raises(KpError, match=re.escape(f"{tmp_path / 'videos/b.mp4'}: is none of the files in {tmp_path}")):
        verify_checksums(tmp_path)


def test_no_name_reaches_the_terminal_as_a_command(tmp_path):
    """A joint, a field and a file that would change its colour and begin a new line."""
    evil = "a\n\x1b[31mX"
    (tmp_path / "a.csv").write_text(f'frame,joint,x,y\n0,"{evil}",1,2\n0,"{evil}",1,2\n')
    (tmp_path / "s.json").write_text('{"name": "s", "joints": ["a\\n\\u001b[31mX", "b"], "edges": [["b", "c"]]}')
    (tmp_path / "f.json").write_text('{"a\\n\\u001b[31mX": 1}')
    for read, path in ((read_pose_file, "a.csv"), (load_skeleton, "s.json"), (load_skeleton, "f.json")):
        with pytest.raises(KpError) as error:
            read(tmp_path / path)
        assert str(error.value).isprintable() and len(str(error.value)) > 40
    assert str(KpError(f"{evil}: é – x")) == r"a\n\x1b[31mX: é – x"
