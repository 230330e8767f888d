import re
from contextlib import suppress

import h5py
import numpy as np
import pandas
import pytest

from kp.errors import KpError
from kp.formats.hdf5 import read_table
from kp.formats.read import read_pose_file


def table(joints=("nose", "tail é")):
    names = ["scorer", "bodyparts", "coords"]
    columns = pandas.MultiIndex.from_product([["me"], list(joints), ["x", "y", "likelihood"]], names=names)
    return pandas.DataFrame(np.arange(4 * len(columns)).reshape(4, -1) / 2 % ([99, 99, 1] * 2), columns=columns)


@pytest.mark.parametrize("layout", ["table", "fixed"])
def test_both_layouts_of_pandas(tmp_path, layout):
    table().to_hdf(tmp_path / "a.h5", key="df_with_missing", format=layout)
    columns, values, _ = read_table(tmp_path / "a.h5")
    assert columns[3] == {"scorer": "me", "bodyparts": "tail é", "coords": "x"} and np.array_equal(
        values, table().to_numpy()
    )
    found = read_pose_file(tmp_path / "a.h5", 0.0)
    assert found.joints == ("nose", "tail é") and found.keypoints[1].tolist() == [[3.0, 3.5], [4.5, 5.0]]


@pytest.mark.parametrize("layout", ["table", "fixed"])
def test_several_kinds_of_numbers(tmp_path, layout):
    """pandas divides a table into blocks, one for each kind."""
    mixed = table(("nose", "tail"))
    kinds = zip(mixed.columns, ("f4", "i8", "f8", "i8", "f8", "f4"), strict=True)
    mixed.astype(dict(kinds)).to_hdf(tmp_path / "a.h5", key="df_with_missing", format=layout)
    found = read_pose_file(tmp_path / "a.h5", 0.0)
    assert found.joints == ("nose", "tail") and found.keypoints[1].tolist() == [[3.0, 3.0], [4.0, 5.0]]


@pytest.mark.filterwarnings("ignore::pandas.errors.PerformanceWarning")
def test_columns_of_text(tmp_path):
    mixed = table().astype(object)
    mixed.iloc[0, 0] = "left"
    mixed.to_hdf(tmp_path / "a.h5", key="df_with_missing", format="fixed")
    with pytest.raises(KpError, match="some of its columns hold object and no numbers; remove them, or export"):
        read_pose_file(tmp_path / "a.h5")


def test_damaged_names_of_columns(tmp_path):
    table().to_hdf(tmp_path / "a.h5", key="df_with_missing", format="table")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["df_with_missing/table"].attrs["values_block_0_kind"] = np.bytes_(b"(lp1\n(V")
    with pytest.raises(KpError, match=re.escape("not a readable pose file (ValueError: ")):
        read_pose_file(tmp_path / "a.h5")


def test_labelled_frames_have_names(tmp_path):
    named = table().set_index(pandas.MultiIndex.from_tuples([("labeled-data", "video", f"{i}.png") for i in range(4)]))
    named.to_hdf(tmp_path / "a.h5", key="df_with_missing")
    assert np.array_equal(read_table(tmp_path / "a.h5")[1], table().to_numpy())


def test_nothing_in_a_file_is_executed(tmp_path):
    """A pickle that would make a folder, where pandas keeps the names of columns: pandas makes it, kp does not."""
    path, made = tmp_path / "a.h5", tmp_path / "made"
    table().to_hdf(path, key="df_with_missing", format="table")
    with h5py.File(path, "a") as file:
        file["df_with_missing/table"].attrs["values_block_0_kind"] = np.bytes_(f"cos\nmkdir\n(V{made}\ntR.".encode())
    expected = (
        f"{path}: not a readable pose file (ValueError: it would call os.mkdir, which kp never does); write it again"
    )
    with pytest.raises(KpError, match=re.escape(expected)):
        read_pose_file(path)
    assert not made.exists()
    with suppress(Exception):
        pandas.read_hdf(path)
    assert made.is_dir()  # what could have happened


def test_what_is_no_table_of_deeplabcut(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w"):
        pass
    with pytest.raises(
        KpError, match=re.escape(f"{tmp_path / 'a.h5'}: holds 0 tables of pandas; DeepLabCut's files hold one")
    ):
        read_table(tmp_path / "a.h5")
