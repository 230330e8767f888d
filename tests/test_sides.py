"""Names of joints as tools and people write them, and what they say about left and right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kp.sides import find_mirror_pairs, split_side, unpaired


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("left_knee", "right_knee"), ("LeftFoot", "RightFoot"), ("mixamorig:LeftUpLeg", "mixamorig:RightUpLeg"),
        ("LKnee", "RKnee"), ("L_Hip", "R_Hip"), ("earL", "earR"), ("LEFT", "RIGHT"), ("left ear", "right ear"),
        ("ear_l", "ear_r"), ("l_ear", "r_ear"), ("Lear", "Rear"), ("ear.L", "ear.R"), ("upperarm_l", "upperarm_r"),
        ("wingL", "wingR"), ("L1", "R1"), ("forelegL4", "forelegR4"), ("fish_eye_l", "fish_eye_r"), ("L", "R"),
        ("DEF-upper_arm.L.001", "DEF-upper_arm.R.001"), ("LFHD", "RFHD"), ("lsho", "rsho"), ("ANKL", "ANKR"),
        ("leftear", "rightear"), ("earleft", "earright"), ("ear (left)", "ear (right)"), ("LEFT_EYE", "RIGHT_EYE"),
        ("Knie links", "Knie rechts"), ("oeil_gauche", "oeil_droite"), ("oeil_g", "oeil_d"), ("Ohr_li", "Ohr_re"),
        ("oreja_izq", "oreja_der"), ("orecchio_sx", "orecchio_dx"), ("hindlegLt2", "hindlegRt2"),
        ("LF", "RF"), ("LR", "RR"), ("FL", "FR"), ("HL", "HR"), ("RL", "RR"), ("FL_paw", "FR_paw"), ("flpaw", "frpaw"),
        ("FLpaw", "FRpaw"), ("paw_HL", "paw_HR"), ("frontLpaw", "frontRpaw"), ("oeil_gauche", "oeil_droit"),
        ("frontleftpaw", "frontrightpaw"), ("FRONTLEFTPAW", "FRONTRIGHTPAW"), ("左目", "右目"),
        ("левый глаз", "правый глаз"),
        ("vänster_öga", "höger_öga"), ("venstre øye", "høyre øye"), ("lewa_reka", "prawa_reka"), ("왼눈", "오른눈"),
        ("Left_ear", "right_ear"), ("L_ear", "r_ear"), ("lEye", "rEye"), ("eye-l-1", "eye-r-1"),
        ("left_eye_l", "right_eye_l"),
    ],
)  # fmt: skip
def test_pairs(left, right):
    assert find_mirror_pairs(["nose", right, left, "tail"]) == ((left, right),)
    assert find_mirror_pairs([left, "nose"]) == find_mirror_pairs(["nose", right]) == ()


@pytest.mark.parametrize(
    "joints",
    [
        ["nose", "tail", "Lower", "lip", "ALL", "heel", "cleft", "level"],
        [f"point_{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"],
        ["L1", "L2", "L3", "T1", "S1"],  # vertebrae
        ["rear", "ear", "left"],
        ["light", "right", "nose"],
        ["lump", "rump", "tail"],
        ["flank", "front", "hip"],
    ],
)
def test_no_pairs(joints):
    assert find_mirror_pairs(joints) == ()


def test_a_word_counts_before_a_letter_and_no_joint_is_in_two_pairs():
    """Of a fly: wingL and wingR are a pair, as are left and right; L1 to R3 are legs."""
    joints = ["left_l", "left_r", "right_l", "right_r", "middle_l", "middle_r"]
    assert find_mirror_pairs(joints) == (("left_l", "right_l"), ("left_r", "right_r"), ("middle_l", "middle_r"))
    feet = ["LF", "RF", "LR", "RR"]
    assert find_mirror_pairs(feet) == (("LF", "RF"), ("LR", "RR"))
    assert find_mirror_pairs(["FL", "FR", "RL", "RR"]) == (("FL", "FR"), ("RL", "RR"))
    legs = [f"{side}{i}" for side in "LR" for i in (1, 2, 3)]
    assert find_mirror_pairs(legs) == (("L1", "R1"), ("L2", "R2"), ("L3", "R3"))


@pytest.mark.parametrize(
    ("joint", "side", "rest"),
    [
        ("upperarm_l", "left", "upperarm"), ("LeftFoot", "left", "Foot"), ("R_Hip", "right", "Hip"),
        ("shin.R", "right", "shin"), ("rightear", "right", "ear"), ("nose", "", "nose"), ("Lower", "", "Lower"),
        ("cleft", "", "cleft"), ("L1", "", "L1"), ("forelegR4", "right", "foreleg4"), ("rear", "", "rear"),
    ],
)  # fmt: skip
def test_what_a_name_says_by_itself(joint, side, rest):
    assert split_side(joint) == (side, rest)


def test_unpaired():
    assert unpaired(["frontleftpaw", "nose", "cleft", "bright"], ()) == ["frontleftpaw"]
    assert unpaired(["light", "right"], ()) == ["right"]
    assert unpaired(["nose", "left_ear", "right_ear", "right_paw"], (("left_ear", "right_ear"),)) == ["right_paw"]
    assert unpaired(["nose", "ear_l", "tail"], ()) == ["ear_l"]
    assert unpaired([f"point_{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"], ()) == []


@given(st.lists(st.text(alphabet="lrLRae_1 .", min_size=1, max_size=6), unique=True, max_size=12))
def test_pairs_of_any_names_are_disjoint_and_change_with_the_order_only_in_theirs(names):
    pairs = find_mirror_pairs(names)
    joints = [joint for pair in pairs for joint in pair]
    assert len(set(joints)) == len(joints) and set(joints) <= set(names)
    assert [names.index(left) for left, _ in pairs] == sorted(names.index(left) for left, _ in pairs)
