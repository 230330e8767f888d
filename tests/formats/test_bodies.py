"""Bodies as other tools name them become kp's 17 joints."""

from pathlib import Path

import numpy as np
import pytest

from kp.formats.bodies import as_body, find_joints
from kp.formats.poses import PoseFile
from kp.formats.read import fit_skeleton
from kp.skeletons import BODY

SIDED = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
POINTS = {
    "nose": (52, 22),
    "ear": (5, 20),
    "shoulder": (15, 40),
    "elbow": (20, 60),
    "wrist": (22, 80),
    "hip": (8, 90),
    "knee": (9, 130),
    "ankle": (9, 170),
    "neck": (50, 36),
    "head": (50, 28),
    "head_top": (50, 10),
}
"""Of a person who faces the camera: middle joints as they are, others so far from x = 50, left ones to the right."""

COCO17 = ["nose", *(f"{s}_{j}" for j in ("eye", "ear", *SIDED) for s in ("left", "right"))]
MEDIAPIPE = [
    "nose",
    "left_eye_inner",
    "left_eye",
    "left_eye_outer",
    "right_eye_inner",
    "right_eye",
    "right_eye_outer",
    "left_ear",
    "right_ear",
    "mouth_left",
    "mouth_right",
    *(
        f"{s}_{j}"
        for j in ("shoulder", "elbow", "wrist", "pinky", "index", "thumb", "hip", "knee", "ankle", "heel", "foot_index")
        for s in ("left", "right")
    ),
]
HALPE = [
    "Nose",
    "LEye",
    "REye",
    "LEar",
    "REar",
    "LShoulder",
    "RShoulder",
    "LElbow",
    "RElbow",
    "LWrist",
    "RWrist",
    "LHip",
    "RHip",
    "LKnee",
    "RKnee",
    "LAnkle",
    "RAnkle",
    "Head",
    "Neck",
    "Hip",
    "LBigToe",
    "RBigToe",
]
SMPL = [
    "Pelvis",
    "L_Hip",
    "R_Hip",
    "Spine1",
    "L_Knee",
    "R_Knee",
    "Spine2",
    "L_Ankle",
    "R_Ankle",
    "Spine3",
    "L_Foot",
    "R_Foot",
    "Neck",
    "L_Collar",
    "R_Collar",
    "Head",
    "L_Shoulder",
    "R_Shoulder",
    "L_Elbow",
    "R_Elbow",
    "L_Wrist",
    "R_Wrist",
    "L_Hand",
    "R_Hand",
]
RIGIFY = [
    "DEF-spine",
    "DEF-spine.001",
    "DEF-spine.004",
    "DEF-spine.006",
    *(
        f"DEF-{j}.{s}"
        for j in ("thigh", "shin", "foot", "toe", "shoulder", "upper_arm", "forearm", "hand")
        for s in "LR"
    ),
]
UNREAL = [
    "pelvis",
    "spine_01",
    "neck_01",
    "head",
    *(f"{j}_{s}" for j in ("thigh", "calf", "foot", "ball", "clavicle", "upperarm", "lowerarm", "hand") for s in "lr"),
]
MIXAMO = [
    f"mixamorig:{j}"
    for j in (
        "Hips",
        "Spine",
        "Neck",
        "Head",
        "HeadTop_End",
        *(
            f"{s}{j}"
            for j in ("UpLeg", "Leg", "Foot", "ToeBase", "Shoulder", "Arm", "ForeArm", "Hand")
            for s in ("Left", "Right")
        ),
    )
]
ROKOKO = [
    "Hips",
    "Spine1",
    "Neck",
    "Head",
    *(
        f"{s}{j}"
        for j in ("Thigh", "Shin", "Foot", "Toe", "Shoulder", "Arm", "ForeArm", "Hand")
        for s in ("Left", "Right")
    ),
]
BIPED = [
    "Bip01 Pelvis",
    "Bip01 Neck",
    "Bip01 Head",
    *(f"Bip01 {s} {j}" for j in ("Thigh", "Calf", "Foot", "Clavicle", "UpperArm", "Forearm", "Hand") for s in "LR"),
]
MEANING = {
    "hip": ("upleg", "thigh", "hip"),
    "knee": ("knee", "leg", "shin", "calf"),
    "ankle": ("ankle", "foot"),
    "shoulder": ("arm", "upperarm", "shoulder"),
    "elbow": ("elbow", "forearm", "lowerarm"),
    "wrist": ("wrist", "hand"),
}


def place(name):
    """Where the joint of this name is; collar bones, toes and hands lie elsewhere, so that taking them would show."""
    from kp.formats.bodies import plain
    from kp.sides import split_side

    side, rest = split_side(name.rpartition(":")[2].replace("DEF-", "").replace("Bip01 ", ""))
    word = plain(rest)
    rig = any("arm" in n.lower() for n in place.names)
    wrists = any("wrist" in n.lower() for n in place.names)
    ankles = any("ankle" in n.lower() for n in place.names)
    for joint, words in MEANING.items():
        wrong = (word == "shoulder" and rig) or (word == "hand" and wrists) or (word == "foot" and ankles)
        if side and word in words and not wrong:
            x, y = POINTS[joint]
            return (50 + (x if side == "left" else -x), y)
    if side and word == "ear":
        return (50 + (5 if side == "left" else -5), 20)
    middle = {
        "neck": "neck",
        "neck01": "neck",
        "spine004": "neck",
        "head": "head",
        "spine006": "head",
        "nose": "nose",
        "headtopend": "head_top",
    }
    return POINTS[middle[word]] if not side and word in middle else (500, 500)


@pytest.mark.parametrize(
    "names",
    [COCO17, MEDIAPIPE, HALPE, SMPL, RIGIFY, UNREAL, MIXAMO, ROKOKO, BIPED],
    ids=["coco", "mediapipe", "halpe", "smpl", "rigify", "unreal", "mixamo", "rokoko", "biped"],
)
def test_names(tmp_path, names):
    place.names = names
    points = np.array([[place(name) for name in names]], float)
    body, skeleton = fit_skeleton(PoseFile(tmp_path / "a.csv", points, tuple(names)), BODY)
    assert skeleton is BODY and body.joints == BODY.joints
    pose = dict(zip(BODY.joints, body.keypoints[0], strict=True))
    for joint in SIDED:
        for side, sign in (("left", 1), ("right", -1)):
            x, y = POINTS[joint]
            assert pose[f"{side}_{joint}"].tolist() == [50 + sign * x, y]
    np.testing.assert_allclose(pose["pelvis"], (50, 90))
    np.testing.assert_allclose(pose["neck"], (50, 36 if "ear" not in str(names).lower() else 40 - 0.22 * 50), atol=8)
    assert pose["head_top"][1] < pose["head"][1] < pose["neck"][1] < pose["spine"][1] < pose["pelvis"][1]
    assert pose["head_top"][1] == pytest.approx(10, abs=6)


LIMBS = [f"{side}_{joint}" for side in ("left", "right") for joint in SIDED]


def as_points(**points):
    """A body of a detector's limbs and these further joints."""
    place.names = LIMBS
    names = (*LIMBS, *points)
    where = np.array([[place(name) for name in LIMBS] + list(points.values())], float)
    body = as_body(PoseFile(Path("a.csv"), where, names))
    return dict(zip(BODY.joints, body.keypoints[0].tolist(), strict=True))


def test_what_lies_between_two_joints_is_neither(tmp_path):
    """Markers of thigh and upper arm beside hips, knees, shoulders and elbows."""
    more = {f"{side}_{what}": (0.0, 0.0) for side in ("left", "right") for what in ("thigh", "upper_arm")}
    found = as_points(neck=(50, 36), head=(50, 28), nose=(50, 28), **more)
    assert [found[f"left_{joint}"][0] - 50 for joint in ("hip", "shoulder")] == [
        POINTS["hip"][0],
        POINTS["shoulder"][0],
    ]


def test_the_top_of_the_head_where_detectors_call_it_head():
    """CrowdPose and MPII: twelve limbs, neck and head."""
    found = as_points(neck=(50, 36), head=(50, 10))
    assert found["head_top"] == [50, 10] and found["neck"] == [50, 36] and 20 < found["head"][1] < 30
    found = as_points(neck=(50, 36), head=(50, 26), nose=(50, 28))
    assert found["head"] == [50, 26] and found["head_top"][1] < 15


def test_a_head_that_is_marked_is_not_guessed():
    found = as_points(neck=(80, 36), head=(90, 28), head_top=(100, 10), left_ear=(56, 20), right_ear=(44, 20))
    assert [found[joint] for joint in ("neck", "head", "head_top")] == [[80, 36], [90, 28], [100, 10]]


@pytest.mark.parametrize("prefix", ["mixamorig:", "mixamorig", "ValveBiped.Bip01_", "J_Bip_", "m_avg_", "Character1_"])
def test_rigs_with_a_name_before_the_joint(prefix):
    names = [
        f"{prefix}{side}{part}"
        for side in ("L_", "R_")
        for part in ("Thigh", "Calf", "Foot", "UpperArm", "Forearm", "Hand")
    ]
    if prefix.startswith("mixamorig") or prefix == "Character1_":
        names = [name.replace("L_", "Left").replace("R_", "Right") for name in names]
    found = find_joints([*names, f"{prefix}Neck", f"{prefix}Head"])
    assert [joint for joint, number in found.items() if number is None] == ["head_top"]
    assert found["left_hip"] == 0 and found["right_wrist"] == 11


def test_small_letters_after_a_side():
    """Halpe-26 as some lists have it."""
    names = [f"{side}{joint}" for joint in SIDED for side in "LR"]
    found = find_joints([name if name[0] == "R" else f"L{name[1:].capitalize()}" for name in names])
    assert None not in [found[f"{side}_{joint}"] for side in ("left", "right") for joint in SIDED]


def test_what_is_no_body(tmp_path):
    assert as_body(PoseFile(tmp_path / "a.csv", np.ones((1, 3, 2)), ("nose", "left_ear", "right_ear"))) is None


def test_joints_that_are_not_marked(tmp_path):
    """One ear is enough, no ear is none; a joint that is not likely enough is counted as such."""
    place.names = COCO17
    points = np.tile(np.array([[place(name) for name in COCO17]], float), (4, 1, 1))
    ears, knee = [COCO17.index(f"{side}_ear") for side in ("left", "right")], COCO17.index("left_knee")
    points[1, ears[0]] = points[2, ears] = np.nan
    scores = np.ones(points.shape[:2])
    scores[3, knee] = 0.1
    body, _ = fit_skeleton(PoseFile(tmp_path / "a.csv", points, tuple(COCO17), scores=scores).likely(0.6), BODY)
    assert body.complete(BODY).tolist() == [True, True, False, False]
    assert body.summary(BODY).startswith("a.csv: 4 poses read, 1 below 0.6, 1 without head or other joints, 2 used; ")
