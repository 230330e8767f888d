"""Files as labs have them: read as they are meant, or refused with the cause. The inputs are in tests/cases."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from kp.errors import KpError
from kp.formats.read import fit_skeleton, read_pose_file
from kp.formats.track import Track
from kp.own_video.prepare import as_prior
from kp.skeletons import BODY, Skeleton, load_skeleton

CASES = Path(__file__).parents[1] / "cases"
NAMES = ("nose", "left_ear", "right_ear", "tail")


def refused(path, message):
    with pytest.raises(KpError, match=re.escape(f"{path}: {message}")):
        read_pose_file(path)


def table(path, columns, rows, head=("scorer", "bodyparts", "coords"), first=("",)):
    """A table of DeepLabCut's: ``columns`` hold what each line of the header says."""
    lines = [",".join([name, *first[1:], *(column[i] for column in columns)]) for i, name in enumerate(head)]
    path.write_text("\n".join(lines + [",".join(map(str, row)) for row in rows]))
    return path


# Whose poses


def test_unlikely_joints_are_not_marked():
    poses = read_pose_file(CASES / "low_likelihood/half_garbage.csv")
    complete = np.isfinite(poses.keypoints).all((1, 2))
    assert complete.sum() == 6 and len(complete) == 12
    declared = load_skeleton(CASES / "low_likelihood/animal.json")
    assert poses.summary(declared) == (
        "half_garbage.csv: 12 poses read, 6 below 0.6, 6 used; mirror pairs: left_ear–right_ear; "
        "edges: nose–left_ear, nose–right_ear, nose–tail"
    )
    assert len(as_prior(poses, declared, 64, 1.25)) == 6
    assert np.isfinite(read_pose_file(poses.path, 0.0).keypoints).all()


@pytest.mark.parametrize("ending", [".csv", ".npz", ".json", ".slp", ".h5"])
def test_every_format_has_a_threshold(tmp_path, ending):
    """Two poses of three joints; of the second the middle joint has a score of 0.3."""
    points, scores = np.arange(12.0).reshape(2, 3, 2) + 5, np.array([[0.9, 0.8, 0.7], [0.9, 0.3, 0.7]])
    arrow = Skeleton("arrow", ("a", "b", "c"), (("a", "b"), ("b", "c")), ())
    Track(tmp_path / "v.mp4", (64, 64), 25.0, arrow, points, scores, []).save(tmp_path / f"p{ending}")
    for least, count in ((0.6, 1), (0.2, 0)):
        poses = read_pose_file(tmp_path / f"p{ending}", least)
        assert np.isnan(poses.keypoints[..., 0]).sum() == count and np.isfinite(poses.keypoints[1, 1]).all() == (
            not count
        )


def test_results_that_put_scores_in_place_of_visibilities(tmp_path):
    told = {
        "categories": [{"id": 1, "keypoints": ["a", "b"], "skeleton": [[1, 2]]}],
        "annotations": [{"category_id": 1, "keypoints": [10, 10, 0.9, 20, 20, 0.2]}],
    }
    (tmp_path / "a.json").write_text(json.dumps(told))
    assert np.isnan(read_pose_file(tmp_path / "a.json").keypoints[0, 1]).all()


def test_individuals_are_poses(tmp_path):
    poses = read_pose_file(CASES / "madlc_two_individuals/two.csv", 0.0)
    assert len(poses.keypoints) == 24 and poses.joints == NAMES and "2 individuals" in poses.notes
    np.testing.assert_allclose(np.median(poses.keypoints[:12, 0] - poses.keypoints[12:, 0], 0), [-200, 0], atol=1)
    pandas = pytest.importorskip("pandas")
    whole = pandas.read_csv(poses.path, header=[0, 1, 2, 3], index_col=0)
    whole.to_hdf(tmp_path / "two.h5", key="df_with_missing", mode="w")
    of_h5 = read_pose_file(tmp_path / "two.h5", 0.0)
    np.testing.assert_allclose(of_h5.keypoints, poses.keypoints)
    assert of_h5.joints == poses.joints and of_h5.notes == poses.notes


def test_body_parts_that_no_individual_has(tmp_path):
    """Two mice and a cage corner, as DeepLabCut's unique body parts; an absent mouse is no pose."""
    columns = [("me", who, part, what) for who in ("m1", "m2") for part in ("a", "b") for what in "xy"]
    columns += [("me", "single", "corner", what) for what in "xy"]
    rows = [[0, *range(10, 18), 1, 1], [1, 3, 4, 5, 6, "", "", "", "", 1, 1]]
    poses = read_pose_file(table(tmp_path / "a.csv", columns, rows, ("scorer", "individuals", "bodyparts", "coords")))
    assert poses.joints == ("a", "b") and len(poses.keypoints) == 3
    assert poses.notes == (
        "left out 'corner', which not every individual has",
        "2 individuals",
        "1 rows without any joint",
    )


def test_a_table_without_its_first_line(tmp_path):
    """Made by hand, or after a spreadsheet lost the scorer."""
    (tmp_path / "a.csv").write_text("bodyparts,nose,nose,tail,tail\ncoords,x,y,x,y\n0,10,11,20,21\n")
    assert read_pose_file(tmp_path / "a.csv").keypoints.tolist() == [[[10, 11], [20, 21]]]
    (tmp_path / "a.csv").write_text("coords,x,y\n0,10,11\n")
    refused(
        tmp_path / "a.csv", "begins as DeepLabCut's tables, but has no line 'bodyparts' or 'coords', or two; export"
    )


def test_names_that_stand_there_twice(tmp_path):
    refused(CASES / "duplicated_bodypart/dup.csv", "body part 'nose' stands there twice; rename one, or remove it")
    (tmp_path / "a.csv").write_text("frame,joint,x,y\n0,a,10,10\n0,b,20,20\n0,a,30,30\n")
    refused(tmp_path / "a.csv", "line 4 is the second for joint 'a' of frame 0; name subjects in a column 'indiv")
    (tmp_path / "a.csv").write_text("a_x,a_y,b_x,b_y,a_x\n1,2,3,4,5\n")
    refused(tmp_path / "a.csv", "column 'a_x' stands there twice; remove one")
    columns = [(who, "a", what) for who in ("me", "you") for what in "xy"]
    table(tmp_path / "a.csv", columns, [[0, 10, 20, 30, 40]])
    refused(tmp_path / "a.csv", "holds poses of several scorers (me, you); keep one")
    twice = {
        "categories": [{"id": 1, "keypoints": ["a", "a"]}],
        "annotations": [{"category_id": 1, "keypoints": [9] * 6}],
    }
    (tmp_path / "a.json").write_text(json.dumps(twice))
    refused(tmp_path / "a.json", "joint 'a' stands there twice; rename one, or remove it")


def test_rows_that_are_longer_than_the_header(tmp_path):
    """R writes row names without a name for their column; a decimal comma makes two cells of one. Empty cells at the
    end belong to no column and change nothing.
    """
    wide, long = "nose_x,nose_y,tail_x,tail_y", "frame,joint,x,y"
    for header, row in ((wide, "1,10,20,30,40"), (wide, "10,5,20,30,40"), (long, "0,nose,10,5,20"), (long, "0,nose,9")):
        (tmp_path / "a.csv").write_text(f"{header}\n{row}\n")
        refused(tmp_path / "a.csv", f"line 2 has {row.count(',') + 1} cells, the first line 4; give each column a name")
    (tmp_path / "a.csv").write_text(f"{wide}\n10,20,30,40,,\n")
    assert read_pose_file(tmp_path / "a.csv").keypoints.tolist() == [[[10, 20], [30, 40]]]


def test_lines_are_those_of_the_file(tmp_path):
    """Empty lines and quoted cells count; a quote that is not closed hides no line."""
    (tmp_path / "a.csv").write_text('nose_x,nose_y,tail_x,tail_y\n\n"1",2,3,4\n\n1,2,x,4\n')
    refused(tmp_path / "a.csv", "line 5: 'x' is no number; correct it or leave it empty")
    (tmp_path / "a.csv").write_text('nose_x,nose_y,tail_x,tail_y\n"1,2,3,4\n5,6,7,8\n9,10,"11",12\n')
    refused(tmp_path / "a.csv", "line 4: not a table")
    (tmp_path / "a.csv").write_text('nose_x,nose_y,tail_x,tail_y\n"1,2,3,4\n5,6,7",8,9,10\n')
    refused(tmp_path / "a.csv", "line 3 ends a quote that began in another line; close it there")


@pytest.mark.parametrize("score", ["p", "c", "conf", "probability", "likelihood", "score"])
def test_scores_by_any_name(tmp_path, score):
    (tmp_path / "a.csv").write_text(f"a_x,a_y,a_{score},b_x,b_y,b_{score}\n10,20,0.9,30,40,0.2\n")
    assert np.isfinite(read_pose_file(tmp_path / "a.csv").keypoints).all(-1).tolist() == [[True, False]]
    (tmp_path / "a.csv").write_text(f"frame,joint,x,y,{score}\n0,a,10,20,0.9\n0,b,30,40,0.2\n")
    assert np.isfinite(read_pose_file(tmp_path / "a.csv").keypoints).all(-1).tolist() == [[True, False]]


def test_columns_that_tell_poses_apart(tmp_path):
    """A line for each joint of two mice in two films; frames that pandas made 0.0 are the same frames."""
    lines = ["video,individual,frame,joint,x,y,remark"]
    for video, mouse, t in [("v1", "m1", "0"), ("v1", "m2", "0"), ("v2", "m1", "0"), ("v2", "m1", "1")]:
        lines += [f"{video},{mouse},{t},a,{10 + len(lines)},20,", f"{video},{mouse},{t}.0,b,30,40,"]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    poses = read_pose_file(tmp_path / "a.csv")
    assert poses.keypoints[:, 0, 0].tolist() == [11, 13, 15, 17] and np.isfinite(poses.keypoints).all()
    assert poses.cameras.tolist() == [0, 0, 1, 1]
    assert poses.notes == ("2 individuals", "left out the columns 'remark'")
    (tmp_path / "a.csv").write_text("frame,joint,x,y,z\n0,a,10,20,30\n0,b,30,40,50\n")
    refused(tmp_path / "a.csv", "holds points in space (x, y, z); kp takes poses as a camera sees them: give x and y")
    (tmp_path / "a.csv").write_text("camera,a_x,a_y,b_x,b_y,b_width\nc1,10,20,30,40,1\nc2,10,20,30,40,2\n")
    poses = read_pose_file(tmp_path / "a.csv")
    assert poses.cameras.tolist() == [0, 1] and poses.notes == ("left out the columns 'b_width'",)


def test_tables_one_below_the_other(tmp_path):
    columns = [("me", part, what) for part in ("a", "b") for what in "xy"]
    one = table(tmp_path / "a.csv", columns, [[0, 10, 20, 30, 40]]).read_text()
    (tmp_path / "a.csv").write_text(f"{one}\n{one}")
    refused(tmp_path / "a.csv", "another table begins in line 5; put each in a file of its own")


def test_the_scene_is_never_the_subject(tmp_path):
    """One mouse of two parts in an arena of four corners."""
    columns = [("me", "mouse", part, what) for part in ("a", "b") for what in "xy"]
    columns += [("me", "single", f"corner{i}", what) for i in range(4) for what in "xy"]
    path = table(tmp_path / "a.csv", columns, [range(13)], ("scorer", "individuals", "bodyparts", "coords"))
    poses = read_pose_file(path)
    assert poses.joints == ("a", "b") and poses.keypoints.tolist() == [[[1, 2], [3, 4]]]
    assert poses.notes == ("left out 'corner0', 'corner1', 'corner2', 'corner3', which not every individual has",)


def test_a_table_in_the_order_of_the_alphabet(tmp_path):
    """Likelihood comes before x: it is no name of a picture."""
    columns = [("me", part, what) for part in ("ear", "nose") for what in ("likelihood", "x", "y")]
    poses = read_pose_file(
        table(tmp_path / "a.csv", columns, [[0, 0.01, 30, 40, 0.9, 10, 20], [1, 0.9, 3, 4, 0.9, 1, 2]])
    )
    assert poses.scores.tolist() == [[0.01, 0.9], [0.9, 0.9]] and poses.cameras.tolist() == [0, 0]
    assert np.isfinite(poses.keypoints).all(-1).tolist() == [[False, True], [True, True]]


def test_individuals_of_differing_body_parts(tmp_path):
    columns = [("me", "a", part, what) for part in ("nose", "ear", "tail") for what in "xy"]
    columns += [("me", "b", part, what) for part in ("nose", "ear", "horn") for what in "xy"]
    path = table(tmp_path / "a.csv", columns, [range(13)], ("scorer", "individuals", "bodyparts", "coords"))
    poses = read_pose_file(path)
    assert poses.joints == ("nose", "ear", "tail") and len(poses.keypoints) == 2
    assert poses.keypoints[1, :2].tolist() == [[7, 8], [9, 10]] and np.isnan(poses.keypoints[1, 2]).all()
    assert poses.notes == ("left out 'horn', which not every individual has", "2 individuals")


def test_numbers_of_lines_are_no_subjects(tmp_path):
    (tmp_path / "a.csv").write_text("id,frame,joint,x,y\n0,0,a,10,20\n1,0,b,30,40\n2,1,a,11,20\n3,1,b,31,40\n")
    poses = read_pose_file(tmp_path / "a.csv")
    assert len(poses.keypoints) == 2 and poses.notes == ("left out the columns 'id'",)
    (tmp_path / "a.csv").write_text("frame,joint,x,y\nnan,a,10,20\nnan,b,30,40\n")
    refused(tmp_path / "a.csv", "line 2 has no frame; write its number, or remove the line")


def test_visibilities_are_no_scores(tmp_path):
    (tmp_path / "a.csv").write_text("a_x,a_y,a_v,b_x,b_y,b_v\n10,20,2,30,40,0\n11,20,2,31,40,1\n")
    poses = read_pose_file(tmp_path / "a.csv")
    assert poses.scores is None
    assert np.isfinite(poses.keypoints).all(-1).tolist() == [[True, False], [True, True]]


def test_normalised_coordinates(tmp_path):
    path = CASES / "normalised_coordinates/normalised.csv"
    refused(
        path, "all coordinates lie within 2 of 0, so they are shares of the picture and no pixels; multiply x by its"
    )
    assert fit_skeleton(read_pose_file(CASES / "normalised_coordinates/pixels.csv"))[1] == BODY
    shares = np.random.default_rng(0).uniform(-1, 1, (5, 17, 2))
    np.savez(tmp_path / "a.npz", keypoints=shares, joint_names=BODY.joints)
    refused(tmp_path / "a.npz", "all coordinates lie within 2 of 0")


def test_several_categories():
    path = CASES / "coco_two_categories/hand_and_mouse.json"
    refused(path, "holds poses of several categories (")
    with pytest.raises(KpError, match=r"\(1 of 'hand', 12 of 'mouse'\)|\(12 of 'mouse', 1 of 'hand'\)"):
        read_pose_file(path)


def test_edges_that_count_from_nought(tmp_path):
    poses = read_pose_file(CASES / "coco_zero_based_edges/zero_based.json")
    assert poses.edges == (("nose", "left_ear"), ("nose", "right_ear"), ("nose", "tail"))
    told = json.loads(poses.path.read_text())
    told["categories"][0]["skeleton"] = [[0, 1], [0, 4]]
    (tmp_path / "a.json").write_text(json.dumps(told))
    refused(tmp_path / "a.json", "'skeleton' names joint 4, but there are 4; correct it")
    told["categories"][0]["skeleton"] = [["nose", "tail"]]
    (tmp_path / "a.json").write_text(json.dumps(told))
    assert read_pose_file(tmp_path / "a.json").edges == (("nose", "tail"),)


def test_several_skeletons_of_sleap(tmp_path):
    sio = pytest.importorskip("sleap_io")
    video, frames = sio.Video(filename="a.mp4", open_backend=False), []
    for t, name in enumerate(("mouse", "fly", "fly")):
        joints = ["a", "b"] if name == "fly" else ["a", "b", "c"]
        skeleton = sio.Skeleton(joints, [("a", "b")], name=name) if t < 2 else frames[-1].instances[0].skeleton
        points = np.array([[10.0, 10], [20, 20], [30, 30]])[: len(joints)]
        frames.append(
            sio.LabeledFrame(video=video, frame_idx=t, instances=[sio.Instance.from_numpy(points, skeleton=skeleton)])
        )
    sio.save_slp(sio.Labels(frames), str(tmp_path / "a.slp"))
    refused(
        tmp_path / "a.slp", "holds poses of several skeletons (1 of 'mouse', 2 of 'fly'); keep the instances of one"
    )


def test_scores_that_are_no_likelihoods(tmp_path):
    (tmp_path / "a.csv").write_text("frame,joint,x,y,confidence\n0,a,10,10,87\n0,b,20,20,95\n")
    refused(
        tmp_path / "a.csv", "holds scores up to 95, but a likelihood lies between 0 and 1; scale them, or remove that"
    )


def test_points_in_space(tmp_path):
    table(tmp_path / "a.csv", [("me", "a", what) for what in "xyz"], [[0, 10, 20, 30]])
    refused(tmp_path / "a.csv", "holds points in space (x, y, z); kp takes poses as a camera sees them: give x and y")


# One scale a camera


def test_a_scale_for_each_video(tmp_path):
    """The second video was filmed from twice as near; both give poses of one size."""
    columns = [("me", part, what) for part in ("a", "b") for what in "xy"]
    rows = [["labeled-data", f"v{v}", f"img{t}.png", 10, 10, 10 + 30 * v, 10] for v in (1, 2) for t in range(3)]
    poses = read_pose_file(table(tmp_path / "a.csv", columns, rows, first=("", "", "")))
    assert poses.cameras.tolist() == [0, 0, 0, 1, 1, 1]
    prior = as_prior(poses, Skeleton("s", ("a", "b"), (("a", "b"),), ()), 64, 1.25)
    lengths = np.ptp(prior[..., 0], 1)
    np.testing.assert_allclose(lengths, lengths[0], rtol=0.03)
    pandas = pytest.importorskip("pandas")
    index = pandas.MultiIndex.from_tuples([tuple(row[:3]) for row in rows])
    names = pandas.MultiIndex.from_tuples(columns, names=["scorer", "bodyparts", "coords"])
    frame = pandas.DataFrame(np.array([row[3:] for row in rows], float), index=index, columns=names)
    frame.to_hdf(tmp_path / "a.h5", key="df_with_missing", mode="w")
    assert read_pose_file(tmp_path / "a.h5").cameras.tolist() == [0, 0, 0, 1, 1, 1]


# What spreadsheets make of tables


@pytest.mark.parametrize("name", ["bom", "semicolon", "decimal_comma", "NA"])
def test_spreadsheets(name):
    poses = read_pose_file(CASES / f"spreadsheet_csv/{name}.csv", 0.0)
    assert poses.joints == NAMES and 100 < poses.keypoints[0, 0, 0] < 103
    assert np.isfinite(poses.keypoints).mean() > 0.9


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_kps_own_table_through_a_spreadsheet(tmp_path, encoding, separator, end):
    rows = [
        ["frame", "joint", "x", "y", "confidence"],
        ["0", "Ohr links", "10.5", "20", "1"],
        ["0", "b", "NA", "", "0.9"],
    ]
    cells = [[c.replace(".", ",") if separator != "," and i else c for c in row] for i, row in enumerate(rows)]
    (tmp_path / "a.csv").write_bytes(end.join(separator.join(row) for row in cells).encode(encoding))
    poses = read_pose_file(tmp_path / "a.csv")
    assert poses.joints == ("Ohr links", "b") and poses.keypoints[0, 0].tolist() == [10.5, 20]
    assert np.isnan(poses.keypoints[0, 1]).all()


def test_columns_in_another_order_and_wide_tables(tmp_path):
    (tmp_path / "a.csv").write_text("joint,frame,confidence,y,x\na,0,1,2,10\nb,0,1,4,30\n")
    assert read_pose_file(tmp_path / "a.csv").keypoints.tolist() == [[[10, 2], [30, 4]]]
    (tmp_path / "a.csv").write_text(
        "frame,nose_x,nose_y,nose_likelihood,tail.x,tail.y\n0,10,11,0.9,20,21\n1,1,1,0.1,2,50\n"
    )
    poses = read_pose_file(tmp_path / "a.csv")
    assert poses.joints == ("nose", "tail") and poses.keypoints[0].tolist() == [[10, 11], [20, 21]]
    assert np.isnan(poses.keypoints[1, 0]).all() and poses.keypoints[1, 1].tolist() == [2, 50]


def test_text_in_another_encoding(tmp_path):
    (tmp_path / "a.csv").write_bytes("frame,joint,x,y\n0,Näse,10,20\n".encode("latin-1"))
    refused(tmp_path / "a.csv", "is not text in UTF-8 (byte 19); save it as 'CSV UTF-8'")


# Left and right


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("suffix.json", ("ear_l", "ear_r")),
        ("short.json", ("Lear", "Rear")),
        ("declared_symmetry.slp", ("Lear", "Rear")),
    ],
)
def test_sides_of_a_file(name, pair):
    poses, skeleton = fit_skeleton(read_pose_file(CASES / "mirror_names" / name, 0.0))
    assert skeleton.mirror_pairs == (pair,)
    assert f"mirror pairs: {pair[0]}–{pair[1]};" in poses.summary(skeleton)


def coco(path, joints, category_id=1, **category):
    """A file of one pose."""
    points = [value for i in range(len(joints)) for value in (10 + 10 * i, 10 + i % 2, 2)]
    told = {
        "categories": [{"id": 1, "keypoints": joints, "skeleton": [[1, 2], [1, 3]], **category}],
        "annotations": [{"category_id": category_id, "keypoints": points}],
    }
    path.write_text(json.dumps(told))
    return read_pose_file(path)


def test_symmetries_that_a_file_declares_count_before_names(tmp_path):
    joints = ["ear_l", "ear_r", "tail"]
    assert fit_skeleton(coco(tmp_path / "a.json", joints))[1].mirror_pairs == (("ear_l", "ear_r"),)
    for declared in ([["ear_l", "tail"]], [[1, 3]], [[0, 2]]):
        _, skeleton = fit_skeleton(coco(tmp_path / "a.json", joints, symmetry=declared))
        assert skeleton.mirror_pairs == (("ear_l", "tail"),)


def test_numbers_that_never_name_the_first_joint(tmp_path):
    """Joints 1 to 4 of five: from 0 they are the ears and paws, from 1 the nose and an ear. What fits the names counts;
    where neither does, nobody can know.
    """
    joints = ["nose", "ear_l", "ear_r", "paw_l", "paw_r"]
    paired = (("ear_l", "ear_r"), ("paw_l", "paw_r"))
    assert fit_skeleton(coco(tmp_path / "a.json", joints, flip_pairs=[[1, 2], [3, 4]]))[1].mirror_pairs == paired
    assert fit_skeleton(coco(tmp_path / "a.json", joints, flip_pairs=[[2, 3], [4, 5]]))[1].mirror_pairs == paired
    poses = coco(tmp_path / "a.json", joints, skeleton=[[1, 3], [2, 4], [1, 2]])
    assert poses.edges == (("ear_l", "paw_l"), ("ear_r", "paw_r"), ("ear_l", "ear_r"))
    poses = coco(tmp_path / "a.json", joints, skeleton=[[2, 4], [3, 5], [2, 3]])
    assert poses.edges == (("ear_l", "paw_l"), ("ear_r", "paw_r"), ("ear_l", "ear_r"))
    with pytest.raises(KpError, match="the numbers in 'flip_pairs' may count from 0 or from 1, and neither fits"):
        coco(tmp_path / "a.json", list("abcde"), flip_pairs=[[1, 2], [3, 4]])
    with pytest.raises(KpError, match="'skeleton' must hold pairs of joints; correct it"):
        coco(tmp_path / "a.json", joints, skeleton=[[1, 2, 3]])


def test_files_of_the_same_ending_that_are_no_coco(tmp_path):
    (tmp_path / "a.json").write_text('{"version": 1.3, "people": [{"pose_keypoints_2d": [1, 2, 0.9]}]}')
    refused(tmp_path / "a.json", "OpenPose's file of one picture, which names no joints; write a table or COCO's file")
    (tmp_path / "a.json").write_text('{"shapes": []}')
    refused(tmp_path / "a.json", "has no 'categories', so it is no COCO file of annotations; export it as COCO")
    assert len(coco(tmp_path / "b.json", ["a", "b", "c"], category_id="1").keypoints) > 0


def test_sides_without_a_partner(tmp_path):
    poses = coco(tmp_path / "a.json", ["left_ear", "left_paw", "tail"])
    with pytest.raises(KpError, match=re.escape("'left_ear' says a side, but no joint is the opposite of another; if")):
        fit_skeleton(poses)
    declared = {"name": "s", "joints": ["left_ear", "left_paw", "tail"], "edges": [["left_ear", "left_paw"]]}
    (tmp_path / "s.json").write_text(json.dumps(declared))
    with pytest.raises(KpError, match=re.escape(f"{tmp_path / 's.json'}: 'left_ear' says a side")):
        load_skeleton(tmp_path / "s.json")
    (tmp_path / "s.json").write_text(json.dumps(declared | {"mirror_pairs": []}))
    skeleton = load_skeleton(tmp_path / "s.json")
    assert skeleton.describe_sides() == "mirror pairs: none, so nothing is mirrored"
    assert fit_skeleton(poses, skeleton) == (poses, skeleton)


def test_pairs_of_a_declared_skeleton_are_found(tmp_path):
    declared = {"name": "s", "joints": ["left_a", "right_a", "left_b"], "edges": [["left_a", "left_b"]]}
    (tmp_path / "s.json").write_text(json.dumps(declared))
    skeleton = load_skeleton(tmp_path / "s.json")
    assert skeleton.mirror_pairs == (("left_a", "right_a"),)
    assert skeleton.describe_sides() == "mirror pairs: left_a–right_a; without a partner: left_b"


# Motion capture


@pytest.mark.parametrize("name", ["lower_case_channels", "lower_case_frames", "unreal_names"])
def test_dialects_of_bvh(name):
    poses, skeleton = fit_skeleton(read_pose_file(CASES / f"bvh_dialects/{name}.bvh"))
    assert skeleton == BODY
    left, right = (poses.keypoints[:, BODY.index(f"{side}_hip"), 0] for side in ("left", "right"))
    assert (left > right).mean() > 0.9, "cameras stand before the subject"


def test_tables_that_older_pandas_open():
    assert len(read_pose_file(CASES / "dlc_h5_for_older_pandas/kp.dlc.h5", 0.0).keypoints) > 0


def test_sleap_finds_the_film_after_a_move(tmp_path, tiny):
    """Film and predictions go to another folder together."""
    sio = pytest.importorskip("sleap_io")
    (tmp_path / "there").mkdir()
    shutil.copy(tiny / "videos/test/000.mp4", tmp_path / "film.mp4")
    points = np.ones((8, 17, 2))
    Track(tmp_path / "film.mp4", (48, 48), 20.0, BODY, points, np.ones((8, 17)), []).save(tmp_path / "film.slp")
    for name in ("film.mp4", "film.slp"):
        shutil.move(tmp_path / name, tmp_path / "there" / name)
    video = sio.load_slp(str(tmp_path / "there/film.slp")).video
    assert Path(video.filename) == tmp_path / "there/film.mp4" and video.exists()
