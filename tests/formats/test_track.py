import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kp.errors import KpError
from kp.formats.track import (
    WRITERS,
    Track,
    write_coco,
    write_csv,
    write_deeplabcut_csv,
    write_deeplabcut_h5,
    write_sleap,
)
from kp.skeletons import BODY, Skeleton


@pytest.fixture
def track(tmp_path):
    chance = np.random.default_rng(0)
    return Track(
        tmp_path / "a clip, é.mp4",
        (320, 240),
        25.0,
        BODY,
        chance.uniform(0, 240, (5, 17, 2)).round(3),
        chance.uniform(0, 1, (5, 17)).round(3),
        [],
    )


def test_csv_names_every_joint_of_every_frame(track, tmp_path):
    write_csv(track, tmp_path / "a.csv")
    lines = (tmp_path / "a.csv").read_text().splitlines()
    x, y = track.keypoints[0, 0]
    assert lines[:2] == [
        "frame,joint,x,y,confidence,time,seen",
        f"0,pelvis,{x:.3f},{y:.3f},{track.confidence[0, 0]:.3f},0,1",
    ]
    assert len(lines) == 1 + 5 * 17 and lines[-1].startswith("4,right_wrist,")


def test_pandas_reads_deeplabcut_tables(track, tmp_path):
    pandas = pytest.importorskip("pandas")
    write_deeplabcut_csv(track, tmp_path / "a.csv")
    write_deeplabcut_h5(track, tmp_path / "a.h5")
    for table in (
        pandas.read_csv(tmp_path / "a.csv", header=[0, 1, 2], index_col=0),
        pandas.read_hdf(tmp_path / "a.h5"),
    ):
        assert table.columns.names == ["scorer", "bodyparts", "coords"]
        np.testing.assert_allclose(
            table["DLC_kp"]["left_knee"][["x", "y"]], track.keypoints[:, BODY.index("left_knee")]
        )
        np.testing.assert_allclose(table["DLC_kp"]["head"]["likelihood"], track.confidence[:, BODY.index("head")])


@pytest.mark.parametrize(
    ("ending", "write", "source"),
    [
        (".csv", write_deeplabcut_csv, "DeepLabCut"),
        (".h5", write_deeplabcut_h5, "DeepLabCut"),
        (".slp", write_sleap, "SLEAP"),
    ],
)
def test_movement_reads_what_was_written(track, tmp_path, ending, write, source):
    io = pytest.importorskip("movement.io")
    write(track, tmp_path / f"a{ending}")
    found = io.load_dataset(tmp_path / f"a{ending}", source_software=source, fps=25)
    assert sorted(found.sizes.values()) == [1, 2, 5, 17]
    assert tuple(found.coords[next(d for d in found.dims if d.startswith("keypoint"))].values) == BODY.joints
    np.testing.assert_allclose(found.position.values[..., 0].transpose(0, 2, 1), track.keypoints)
    np.testing.assert_allclose(found.confidence.values[..., 0], track.confidence)


def test_sleap_io_reads_slp(track, tmp_path):
    sio = pytest.importorskip("sleap_io")
    write_sleap(track, tmp_path / "a.slp")
    labels = sio.load_slp(str(tmp_path / "a.slp"), open_videos=False)
    np.testing.assert_allclose(
        labels.numpy(return_confidence=True)[:, 0], np.concatenate([track.keypoints, track.confidence[..., None]], -1)
    )
    assert labels.skeleton.node_names == list(BODY.joints) and labels.skeleton.edge_inds == BODY.edge_indices
    assert labels.video.filename == str(track.video)


def test_sleap_io_reads_coco(track, tmp_path):
    sio = pytest.importorskip("sleap_io")
    for t in range(5):  # it skips images that it does not find
        Image.new("RGB", track.size).save(tmp_path / f"a clip, é_{t:06d}.png")
    write_coco(track, tmp_path / "a.json")
    labels = sio.load_coco(str(tmp_path / "a.json"))
    assert labels.skeleton.node_names == list(BODY.joints) and labels.skeleton.edge_inds == BODY.edge_indices
    found = np.stack([frame.instances[0].numpy() for frame in labels])
    np.testing.assert_allclose(found, track.keypoints)


def test_coco_by_hand(track, tmp_path):
    write_coco(track, tmp_path / "a.json")
    told = json.loads((tmp_path / "a.json").read_text())
    first, image = told["annotations"][0], told["images"][0]
    assert image == {
        "id": 1,
        "file_name": "a clip, é_000000.png",
        "width": 320,
        "height": 240,
        "video": "a clip, é.mp4",
        "frame": 0,
    }
    assert np.reshape(first["keypoints"], (17, 3))[:, :2].tolist() == track.keypoints[0].tolist()
    assert first["keypoint_scores"] == track.confidence[0].tolist()
    assert [1, 2] in told["categories"][0]["skeleton"]  # pelvis, right hip


def test_a_missing_library_is_named(track, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sleap_io", None)
    expected = f"{tmp_path / 'a.slp'}: needs the library sleap_io; install it with: pip install -e '.[formats]'"
    with pytest.raises(KpError, match=re.escape(expected)):
        write_sleap(track, tmp_path / "a.slp")


def test_a_file_is_whole_or_not_there(track, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("before")
    with pytest.raises(ValueError):
        write_csv(replace(track, skeleton=Skeleton("two", ("a", "b"), (("a", "b"),), ())), path)
    assert path.read_text() == "before" and [p.name for p in tmp_path.iterdir()] == [path.name]


def test_the_ending_chooses_the_format(track, tmp_path):
    for ending in WRITERS:
        if ending not in (".mp4", ".png"):
            track.save(tmp_path / f"a{ending}")
    first = {path.name: path.read_bytes()[:10] for path in tmp_path.iterdir()}
    assert (
        first["a.csv"].startswith(b"frame") and first["a.dlc.csv"].startswith(b"scorer") and first["a.json"][:1] == b"{"
    )
    assert first["a.h5"][1:4] == first["a.slp"][1:4] == b"HDF"
    with pytest.raises(
        KpError, match=re.escape(f"{tmp_path / 'a.xls'}: no format has this ending; use one of: .dlc.csv")
    ):
        track.save(tmp_path / "a.xls")


def test_the_film_itself_is_never_written_over(track, tmp_path):
    film = tmp_path / "walk.mp4"
    film.write_bytes(b"the only copy")
    for name in (film, f"{tmp_path}/./walk.mp4"):
        with pytest.raises(KpError, match=r"walk\.mp4: is the film that was tracked, and would be lost"):
            replace(track, video=film).save(name)
    assert film.read_bytes() == b"the only copy"


@pytest.fixture
def pictures(track, tmp_path):
    """A folder whose pictures are in another order by number than by letter, and its track."""
    folder = tmp_path / "shots"
    folder.mkdir()
    for number in (2, 10, 11, 100, 3):
        Image.new("RGB", track.size, (number, 0, 0)).save(folder / f"{number}.png")
    return replace(track, video=folder), ["2.png", "3.png", "10.png", "11.png", "100.png"]


def test_poses_of_a_folder_stay_with_their_pictures(pictures, tmp_path):
    track, names = pictures
    write_coco(track, tmp_path / "a.json")
    assert [image["file_name"] for image in json.loads((tmp_path / "a.json").read_text())["images"]] == names
    sio = pytest.importorskip("sleap_io")
    write_sleap(track, tmp_path / "a.slp")
    labels = sio.load_slp(str(tmp_path / "a.slp"))
    assert [Path(labels.video.filename[frame.frame_idx]).name for frame in labels] == names
    assert [frame.image[0, 0, 0] for frame in labels] == [2, 3, 10, 11, 100]
    with pytest.raises(KpError, match=r"10\.png: is the film that was tracked"):
        track.save(track.video / "10.png")


def test_one_picture_keeps_its_name(track, tmp_path):
    Image.new("RGB", track.size).save(tmp_path / "shot.jpg")
    one = replace(track, video=tmp_path / "shot.jpg", keypoints=track.keypoints[:1], confidence=track.confidence[:1])
    write_coco(one, tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text())["images"][0]["file_name"] == "shot.jpg"
