import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kp.errors import KpError
from kp.formats.poses import PoseFile
from kp.formats.read import fit_skeleton, read_pose_file
from kp.formats.track import Track, write_coco, write_csv, write_deeplabcut_csv, write_deeplabcut_h5, write_sleap
from kp.inference.crops import around
from kp.own_video.prepare import as_prior
from kp.skeletons import BODY, Skeleton, find_skeleton

ARROW = Skeleton(
    "arrow",
    ("tail", "left_wing", "right_wing"),
    (("tail", "left_wing"), ("tail", "right_wing")),
    (("left_wing", "right_wing"),),
)


ALONE = np.array([-1])  # a pose with a scale of its own


@pytest.fixture
def track(tmp_path):
    points = np.random.default_rng(0).uniform(0, 200, (6, 3, 2)).round(3)
    return Track(tmp_path / "clip.mp4", (320, 240), 25.0, ARROW, points, np.ones((6, 3)), [])


@pytest.mark.parametrize(
    ("ending", "write"),
    [
        (".csv", write_csv),
        (".csv", write_deeplabcut_csv),
        (".h5", write_deeplabcut_h5),
        (".json", write_coco),
        (".slp", write_sleap),
    ],
)
def test_what_kp_writes_it_reads(track, tmp_path, ending, write):
    write(track, tmp_path / f"a{ending}")
    found = read_pose_file(tmp_path / f"a{ending}")
    assert found.joints == ARROW.joints
    np.testing.assert_allclose(found.keypoints, track.keypoints, atol=6e-4)


@pytest.mark.parametrize(("ending", "write"), [(".json", write_coco), (".slp", write_sleap)])
def test_files_with_edges_bring_their_skeleton(track, tmp_path, ending, write):
    write(track, tmp_path / f"arrow{ending}")
    assert fit_skeleton(read_pose_file(tmp_path / f"arrow{ending}"))[1] == ARROW


def test_npz(tmp_path):
    points = np.random.default_rng(0).uniform(0, 100, (4, 2, 2))
    np.savez(tmp_path / "a.npz", keypoints=points, joint_names=["a", "b"])
    assert np.array_equal(read_pose_file(tmp_path / "a.npz").keypoints, points)
    np.savez(tmp_path / "a.npz", keypoints=points[:, :1], joint_names=["a", "b"])
    with pytest.raises(
        KpError, match=re.escape(f"{tmp_path / 'a.npz'}: keypoints have shape (4, 1, 2); expected (poses, 2, 2)")
    ):
        read_pose_file(tmp_path / "a.npz")


def test_labelled_deeplabcut_data_and_missing_points(tmp_path):
    path = tmp_path / "CollectedData.csv"
    path.write_text(
        "scorer,,,me,me,me,me\nbodyparts,,,nose,nose,tail,tail\ncoords,,,x,y,x,y\n"
        "labeled-data,video,img000.png,1.5,2,3,4\nlabeled-data,video,img007.png,5,6,,\n"
    )
    found = read_pose_file(path)
    assert found.joints == ("nose", "tail") and found.keypoints[0].tolist() == [[1.5, 2], [3, 4]]
    assert np.isnan(found.keypoints[1, 1]).all()


def test_coco_joints_that_are_not_marked(tmp_path):
    told = {
        "categories": [{"id": 7, "keypoints": ["a", "b"], "skeleton": [[1, 2]]}],
        "annotations": [
            {"category_id": 7, "keypoints": [10, 20, 2, 0, 0, 0]},
            {"category_id": 7},
            {"category_id": 1, "keypoints": [9] * 6},
        ],
    }
    (tmp_path / "a.json").write_text(json.dumps(told))
    found = read_pose_file(tmp_path / "a.json")
    assert found.keypoints.shape == (1, 2, 2) and np.isnan(found.keypoints[0, 1]).all() and found.edges == (("a", "b"),)
    assert found.notes == ("1 annotations of categories without joints", "1 annotations without keypoints")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "", "not a pose file that kp reads; it takes .npz, .csv, .h5, .json, .slp, .nwb, .bvh"),
        ("a.csv", "x,y\n1,2\n", "first line is x,y; expected frame,joint,x,y or DeepLabCut's 'scorer'"),
        ("a.csv", "", "first line is empty; expected frame,joint,x,y or DeepLabCut's 'scorer'"),
        (
            "a.csv",
            "frame,joint,x,y\n0,a,one,2\n",
            "line 2: 'one' is no number; correct it or leave it empty",
        ),
        (
            "a.csv",
            "frame,joint,x,y\n0,a,inf,2\n",
            "holds coordinates beyond 1,000,000 pixels, or infinite ones; remove those poses",
        ),
        ("a.csv", "frame,joint,x,y\n", "holds 0 poses of 0 joints; there must be poses"),
        ("a.json", "{", "not a readable pose file (JSONDecodeError: "),
        ("a.json", "[]", "a list of COCO results, which names no joints; give the file of annotations"),
        (
            "a.json",
            '{"categories": [{"id": 1}], "annotations": []}',
            "no category has keypoints; COCO's person_keypoints files do",
        ),
    ],
)
def test_what_is_wrong_in_a_file(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(KpError, match=re.escape(f"{tmp_path / name}: {message}")):
        read_pose_file(tmp_path / name)


@pytest.mark.parametrize("name", ["a.h5", "a.slp", "a.npz"])
def test_damaged_binary_files(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x89HDF nothing else")
    with pytest.raises(KpError, match=re.escape(f"{tmp_path / name}: ")):
        read_pose_file(tmp_path / name)


def test_no_file(tmp_path):
    with pytest.raises(KpError, match=re.escape(f"{tmp_path / 'a.csv'}: no such file; check the path")):
        read_pose_file(tmp_path / "a.csv")


def test_choosing_a_skeleton(tmp_path):
    poses = np.zeros((1, 17, 2))
    assert fit_skeleton(PoseFile(tmp_path / "a.csv", poses, BODY.joints[::-1]))[1] == BODY
    with pytest.raises(
        KpError,
        match=re.escape("its 2 joints are those of no shipped skeleton, and it names no edges; declare a skeleton"),
    ):
        fit_skeleton(PoseFile(tmp_path / "a.csv", poses[:, :2], ("a", "b")))[1]
    with pytest.raises(KpError, match=re.escape("has no joint 'tail' of the skeleton 'arrow'; it has: a, b")):
        fit_skeleton(PoseFile(tmp_path / "a.csv", poses[:, :2], ("a", "b")), ARROW)[1]
    assert fit_skeleton(PoseFile(tmp_path / "a.csv", poses[:, :4], ("x", *ARROW.joints)), ARROW)[1] == ARROW


def test_a_prior_lies_in_its_square_as_a_subject_in_its_crop():
    """One pose a square: its box is centred, and its longer side is the frame's by 1.25 and by the outline's 1.1."""
    pose = np.array([[[100.0, 50], [300, 250], [200, 150]]])
    found = as_prior(PoseFile(Path("a"), pose, ARROW.joints, cameras=ALONE), ARROW, 64, 1.25)[0]
    np.testing.assert_allclose(found[2], [31.5, 31.5], atol=0.2)
    np.testing.assert_allclose(found[1] - found[0], 64 / 1.375, rtol=1e-5)


def test_poses_of_one_video_keep_their_sizes():
    poses = np.array([[[0.0, 0], [100, 100], [50, 50]], [[0, 0], [50, 50], [25, 25]]])
    found = as_prior(PoseFile(Path("a"), poses, ARROW.joints), ARROW, 64, 1.25)
    spans = np.ptp(found, 1)[:, 0]
    assert spans[0] == pytest.approx(2 * spans[1], rel=1e-5)
    side = around(np.array([[0.0, 0, 100, 100], [0, 0, 50, 50]]), 1.375).side
    assert spans[0] == pytest.approx(100 * 64 / side, rel=1e-5)


def test_joints_are_sorted_and_incomplete_poses_left_out():
    poses = np.array([[[5.0, 5], [0, 0], [10, 10]], [[np.nan, 5], [0, 0], [10, 10]]])
    found = as_prior(
        PoseFile(Path("a"), poses, ("left_wing", "tail", "right_wing"), cameras=np.array([-1, -1])), ARROW, 64, 1.25
    )
    assert len(found) == 1 and found[0, 0, 0] < found[0, 1, 0] < found[0, 2, 0]
    with pytest.raises(
        KpError,
        match=re.escape(
            "a: no pose has all joints of the skeleton 'arrow' (1 poses read, 1 without left_wing, 0 used)"
        ),
    ):
        as_prior(PoseFile(Path("a"), poses[1:], ("left_wing", "tail", "right_wing")), ARROW, 64, 1.25)
    with pytest.raises(KpError, match="in 1 poses all joints lie in one point; remove them"):
        as_prior(PoseFile(Path("a"), np.ones((1, 3, 2)), ARROW.joints), ARROW, 64, 1.25)


def test_a_skeleton_with_fewer_joints_than_the_file(track, tmp_path):
    write_csv(track, tmp_path / "a.csv")
    wings = replace(ARROW, name="wings", joints=("right_wing", "left_wing"), edges=(("left_wing", "right_wing"),))
    found = read_pose_file(tmp_path / "a.csv")
    assert fit_skeleton(found, wings)[1] == wings and as_prior(found, wings, 32, 1.25).shape == (6, 2, 2)
    assert find_skeleton("body") == BODY


CASES = Path(__file__).parents[1] / "cases"


def test_where_a_user_labelled_predictions_do_not_count():
    """24 instances in 12 frames; the predicted ones lie 500 pixels away."""
    poses = read_pose_file(CASES / "slp_user_and_predicted/both.slp")
    assert poses.keypoints.shape == (12, 4, 2) and np.ptp(poses.keypoints[:, 0], 0).max() < 100


def test_symmetries_of_sleap_are_mirror_pairs(tmp_path):
    sio = pytest.importorskip("sleap_io")
    skeleton = sio.Skeleton(["tail", "wing1", "wing2"], [("tail", "wing1"), ("tail", "wing2")], [("wing1", "wing2")])
    instance = sio.Instance.from_numpy(np.array([[0.0, 0], [10, 0], [0, 10]]), skeleton=skeleton)
    video = sio.Video(filename="a.mp4", open_backend=False)
    frame = sio.LabeledFrame(video=video, frame_idx=0, instances=[instance])
    sio.save_slp(sio.Labels([frame]), str(tmp_path / "a.slp"))
    poses = read_pose_file(tmp_path / "a.slp")
    assert [set(pair) for pair in poses.mirror_pairs] == [{"wing1", "wing2"}]
    assert [set(pair) for pair in fit_skeleton(poses)[1].mirror_pairs] == [{"wing1", "wing2"}]


def test_sleap_analysis_files():
    poses = read_pose_file(CASES / "sleap_exports/analysis.csv")
    assert poses.keypoints.shape == (12, 4, 2) and set(poses.joints) == {"nose", "left_ear", "right_ear", "tail"}
    np.testing.assert_allclose(poses.keypoints[0, poses.joints.index("nose")], [101.728, 54.108])
    path = CASES / "sleap_exports/analysis.h5"
    with pytest.raises(KpError, match=re.escape(f"{path}: SLEAP's analysis file, but without scores")):
        read_pose_file(path)
