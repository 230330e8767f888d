import random
import re

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tiny import write_video

from kp.errors import KpError
from kp.formats.bodies import plain
from kp.formats.bvh import body_joints, film, poses_of, read_take, rotation
from kp.formats.read import fit_skeleton, read_pose_file
from kp.own_video.prepare import as_prior, prepare
from kp.skeletons import BODY

CHAIN = """HIERARCHY
ROOT base
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT arm
  {
    OFFSET 0 2 0
    CHANNELS 3 Zrotation Yrotation Xrotation
    End Site
    {
      OFFSET 0 1 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.05
0 0 0 0 0 0 0 0 0
5 0 0 0 0 0 90 0 0
"""

# Offsets of a standing person that faces +z, y up; x is the person's left. Parent, name, offset.
CMU = (
    (None, "Hips", (0, 9, 0)),
    ("Hips", "LeftUpLeg", (1, 0, 0)), ("LeftUpLeg", "LeftLeg", (0, -4, 0)), ("LeftLeg", "LeftFoot", (0, -4, 0)),
    ("Hips", "RightUpLeg", (-1, 0, 0)), ("RightUpLeg", "RightLeg", (0, -4, 0)), ("RightLeg", "RightFoot", (0, -4, 0)),
    ("Hips", "Spine", (0, 1, 0)), ("Spine", "Spine1", (0, 2, 0)), ("Spine1", "Neck", (0, 3, 0)),
    ("Neck", "Head", (0, 1, 0)),
    ("Head", "", (0, 2, 0)),
    ("Spine1", "LeftShoulder", (0.5, 3, 0)), ("LeftShoulder", "LeftArm", (1, 0, 0)),
    ("LeftArm", "LeftForeArm", (3, 0, 0)),
    ("LeftForeArm", "LeftHand", (3, 0, 0)),
    ("Spine1", "RightShoulder", (-0.5, 3, 0)), ("RightShoulder", "RightArm", (-1, 0, 0)),
    ("RightArm", "RightForeArm", (-3, 0, 0)),
    ("RightForeArm", "RightHand", (-3, 0, 0)),
)  # fmt: skip


def person(rename=lambda name: name, frames: int = 3, turn: float = 0.0) -> str:
    """A BVH of the person above in a T-pose, turned about the upright axis by ``turn`` degrees a frame."""

    def write(name, offset, depth):
        below = [(n, o) for parent, n, o in CMU if parent == name]
        head = f"JOINT {rename(name)}" if depth else f"ROOT {rename(name)}"
        channels = (
            "CHANNELS 6 Xposition Yposition Zposition Yrotation Xrotation Zrotation"
            if not depth
            else "CHANNELS 3 Zrotation Xrotation Yrotation"
        )
        inner = [write(n, o, depth + 1) if n else "End Site\n{\nOFFSET 0 2 0\n}" for n, o in below]
        return "\n".join([head, "{", "OFFSET " + " ".join(map(str, offset)), channels, *inner, "}"])

    joints = sum(1 for _, name, _ in CMU if name)
    lines = [" ".join(map(str, [0, 9, 0, turn * t, *[0] * (3 * joints - 1)])) for t in range(frames)]
    return "\n".join(
        ["HIERARCHY", write("Hips", (0, 0, 0), 0), "MOTION", f"Frames: {frames}", "Frame Time: 0.01", *lines, ""]
    )


def save(tmp_path, text, name="a.bvh"):
    (tmp_path / name).write_text(text)
    return tmp_path / name


def test_a_bent_chain(tmp_path):
    """A quarter turn about z at the joint swings what hangs on it from +y to −x; the root's place is added."""
    take = read_take(save(tmp_path, CHAIN))
    assert (
        [j.name for j in take.joints] == ["base", "arm", "arm_end"]
        and [j.parent for j in take.joints] == [-1, 0, 1]
        and take.seconds == 0.05
    )
    assert np.allclose(
        take.positions(np.array([0, 1])), [[[0, 0, 0], [0, 2, 0], [0, 3, 0]], [[5, 0, 0], [5, 2, 0], [4, 2, 0]]]
    )


@pytest.mark.parametrize("order", ("ZXY", "ZYX", "XYZ", "YXZ"))
def test_rotations_are_applied_in_the_order_of_the_channels(tmp_path, order):
    """As scipy composes them: each about the axes that the ones before have turned."""
    angles = np.random.default_rng(0).uniform(-180, 180, (5, 3))
    text = CHAIN.replace("Zrotation Yrotation Xrotation", " ".join(f"{axis}rotation" for axis in order)).replace(
        "Frames: 2", "Frames: 5"
    )
    rows = "\n".join("0 0 0 0 0 0 " + " ".join(map(repr, row)) for row in angles.tolist())
    take = read_take(save(tmp_path, text[: text.index("0 0 0 0 0 0")] + rows + "\n"))
    expected = Rotation.from_euler(order, angles, degrees=True).apply([0, 1, 0]) + np.array([0, 2, 0])
    assert np.allclose(take.positions(np.arange(5))[:, 2], expected)


def test_positions_take_the_place_of_offsets(tmp_path):
    text = CHAIN.replace("CHANNELS 3 Zrotation Yrotation Xrotation", "CHANNELS 3 Xposition Yposition Zposition")
    assert np.allclose(read_take(save(tmp_path, text)).positions(np.array([1]))[0, 1:], [[95, 0, 0], [95, 1, 0]])


def test_rotations_by_hand():
    assert np.allclose(rotation(0, np.array([90.0]))[0] @ [0, 1, 0], [0, 0, 1])
    assert np.allclose(rotation(1, np.array([90.0]))[0] @ [0, 0, 1], [1, 0, 0])
    assert np.allclose(rotation(2, np.array([90.0]))[0] @ [1, 0, 0], [0, 1, 0])


BIOVISION = {
    "Spine1": "Chest", "LeftUpLeg": "LeftHip", "LeftLeg": "LeftKnee", "LeftFoot": "LeftAnkle", "RightUpLeg": "RightHip",
    "RightLeg": "RightKnee", "RightFoot": "RightAnkle", "LeftShoulder": "LeftCollar", "LeftArm": "LeftShoulder",
    "LeftForeArm": "LeftElbow", "LeftHand": "LeftWrist", "RightShoulder": "RightCollar", "RightArm": "RightShoulder",
    "RightForeArm": "RightElbow", "RightHand": "RightWrist",
}  # fmt: skip


@pytest.mark.parametrize(
    "rename",
    (lambda n: n, lambda n: f"mixamorig:{n}", lambda n: BIOVISION.get(n, n)),
    ids=("cmu", "mixamo", "biovision"),
)
def test_names_of_a_body(tmp_path, rename):
    """The same person, whatever its joints are called; the collar bone is not the shoulder."""
    take = read_take(save(tmp_path, person(rename)))
    found, points = body_joints(take), take.positions(np.array([0]))[0]
    assert tuple(found) == BODY.joints
    place = {joint: points[found[joint]].mean(0) for joint in BODY.joints}
    assert np.allclose(place["left_shoulder"], [1.5, 15, 0]) and np.allclose(place["right_wrist"], [-7.5, 15, 0])
    assert (
        np.allclose(place["pelvis"], [0, 9, 0])
        and np.allclose(place["left_ankle"], [1, 1, 0])
        and np.allclose(place["head_top"], [0, 18, 0])
    )


def test_plain_names():
    assert [plain(n) for n in ("mixamorig:LeftUpLeg", "Left_Up Leg", "Head_end")] == [
        "leftupleg",
        "leftupleg",
        "headend",
    ]


@pytest.mark.parametrize(
    ("names", "lies_on_its_parent"),
    (
        # CMU's: Neck lies on Spine1, and Neck1 is the neck
        ({"Neck": "Neck1", "Spine1": "Neck", "Spine": "Spine1"}, True),
        # the spine is what is nearest the middle of the back, whatever its name
        ({"Spine": "Spine1", "Spine1": "Spine2"}, False),
    ),
)
def test_the_neck_and_the_spine(tmp_path, names, lies_on_its_parent):
    text = person(lambda name: names.get(name, name))
    if lies_on_its_parent:
        text = text.replace("OFFSET 0 1 0", "OFFSET 0 3 0", 1).replace(
            "JOINT Neck\n{\nOFFSET 0 2 0", "JOINT Neck\n{\nOFFSET 0 0 0"
        )
    take = read_take(save(tmp_path, text))
    place = {
        joint: take.positions(np.array([0]))[0, numbers].mean(0).tolist()
        for joint, numbers in body_joints(take).items()
    }
    assert [place[joint] for joint in ("pelvis", "spine", "neck", "head")] == [
        [0, 9, 0],
        [0, 12, 0],
        [0, 15, 0],
        [0, 16, 0],
    ]


def test_braces_may_stand_anywhere_and_names_may_hold_keywords(tmp_path):
    plainly = poses_of(save(tmp_path, CHAIN))
    odd = poses_of(save(tmp_path, re.sub(r"\n\s*\{", " {", CHAIN).replace("JOINT arm", "JOINT EMOTION"), "b.bvh"))
    assert np.array_equal(plainly[0], odd[0]) and odd[1] == ("base", "EMOTION", "EMOTION_end")


@pytest.mark.parametrize("turn", (0, 90, 200))
def test_people_stand_upright_and_face_us(tmp_path, turn):
    """Whichever way they turn in the room: heads above feet, the subject's left on our right."""
    poses, joints, edges = poses_of(save(tmp_path, person(turn=turn)))
    assert poses.shape == (10_000, 17, 2) and joints == BODY.joints and edges == BODY.edges and np.isfinite(poses).all()
    x, y = poses[..., 0], poses[..., 1]
    assert (y[:, BODY.index("head_top")] < y[:, BODY.index("left_ankle")]).all()
    assert (x[:, BODY.index("left_wrist")] > x[:, BODY.index("right_wrist")]).all()
    assert np.array_equal(poses, poses_of(tmp_path / "a.bvh")[0])


def test_z_may_be_up(tmp_path):
    """The same room with other axes (x, y, z → x, −z, y): the same poses."""
    lying = re.sub(r"OFFSET (\S+) (\S+) (\S+)", lambda m: f"OFFSET {m[1]} {-float(m[3])} {m[2]}", person()).replace(
        "0 9 0 0.0", "0 0 9 0.0"
    )
    one, other = poses_of(save(tmp_path, person()))[0], poses_of(save(tmp_path, lying, "b.bvh"))[0]
    assert np.allclose(one, other, atol=1e-6)


def test_cameras():
    """Seen from where it faces, a body is as wide as it is; to the side at most, cos 70° of it.

    Sizes hardly depend on the distance.
    """
    points = np.zeros((4000, 3, 3))
    points[:, 0, 0], points[:, 1, 0], points[:, 2, 1] = 0.5, -0.5, 0.5
    left, up = np.tile([[1.0, 0, 0]], (4000, 1)), np.array([0.0, 1, 0])
    width = np.ptp(film(points, left, up, np.random.default_rng(0))[..., 0], 1)
    assert np.cos(np.radians(70)) * 0.9 < width.min() < 0.45 and 0.99 < width.max() < 1.1
    around = film(points, None, up, np.random.default_rng(0))
    assert (around[:, 0, 0] < around[:, 1, 0]).mean() == pytest.approx(0.5, abs=0.05)


def test_a_topology_of_its_own(tmp_path):
    """A chain that is no body keeps its names and bones, and is seen from all around; bones without length are out."""
    found = read_pose_file(
        save(
            tmp_path,
            CHAIN.replace("    End Site", "    JOINT twist\n {\nOFFSET 0 0 0\n CHANNELS 0\n End Site").replace(
                "    }\n  }\n}", "    }\n  }\n}\n}"
            ),
        )
    )
    _, skeleton = fit_skeleton(found)
    assert skeleton.joints == ("base", "arm", "twist_end") and skeleton.edges == (("base", "arm"), ("arm", "twist_end"))
    assert skeleton.mirror_pairs == ()


def test_as_a_prior(tmp_path):
    found = read_pose_file(save(tmp_path, person()))
    assert fit_skeleton(found)[1] == BODY and found.cameras is None
    prior = as_prior(found, BODY, 64, 1.25)
    assert prior.shape == (10_000, 17, 2) and prior.min() > 0 and prior.max() < 63
    # one camera's distance more, one body's size less
    assert np.ptp(prior[..., 1], 1).max() / np.ptp(prior[..., 1], 1).min() < 1.6


def test_a_set_with_poses_from_motion_capture(tmp_path):
    write_video(tmp_path / "a.mp4", np.random.default_rng(0).integers(0, 255, (32, 64, 64, 3), np.uint8))
    poses, skeleton = fit_skeleton(read_pose_file(save(tmp_path, person())))
    clips, count = prepare([tmp_path / "a.mp4"], poses, skeleton, tmp_path / "set", size=64)
    assert (clips, count, skeleton) == (1, 10_000, BODY)


WILD = "values that are not finite, or beyond 1,000,000,000; export it again"


@pytest.mark.parametrize(
    ("change", "expected"),
    (
        (("MOTION", "MOTON"), "not a BVH file; it has HIERARCHY, then MOTION"),
        (("Frames: 2", "Frames: 3"), "promises 3 frames and holds 2; it may be cut short: copy it again"),
        (("Frames: 2", "Frames: 0"), "promises 0 frames and holds 2; it may be cut short: copy it again"),
        (("Frames: 2", "Frames: two"), (
            "'Frames: …' and 'Frame Time: …' must follow MOTION, both above 0; export it "
            "again"
        )),
        (("0.05", "0"), "'Frames: …' and 'Frame Time: …' must follow MOTION, both above 0; export it again"),
        (("0.05", "0,05"), (
            "Frame Time holds what is no number (could not convert string to float: '0,05'); export it "
            "again"
        )),
        (("0 90 0 0", "0 90 0"), "frame 1 has 8 values, the joints have 9 channels; export it again"),
        (("0 90 0 0", "0 nan 0 0"), f"frame 1 holds {WILD}"),
        (("0 90 0 0", "0 1e308 0 0"), f"frame 1 holds {WILD}"),
        (("0 90 0 0", "0 x 0 0"), (
            "frame 1 holds what is no number (could not convert string to float: 'x'); export it "
            "again"
        )),
        (("OFFSET 0 2 0", "OFFSET 0 2"), "the hierarchy breaks at 'OFFSET 0 2'; export it again"),
        (("OFFSET 0 2 0", ""), "the hierarchy is not whole, joint 'arm' has no OFFSET; export it again"),
        (("OFFSET 0 2 0", "OFFSET 0 inf 0"), f"the OFFSET of 'arm' holds {WILD}"),
        (("Zrotation Yrotation", "Q Yrotation"), (
            "the hierarchy breaks at 'CHANNELS 3 Q Yrotation Xrotation'; export it "
            "again"
        )),
        (("CHANNELS 3", "CHANNELS 6"), (
            "the hierarchy breaks at 'CHANNELS 6 Zrotation Yrotation Xrotation'; export it "
            "again"
        )),
        (("3 Zrotation Yrotation", "2 Xrotation"), (
            "the hierarchy breaks at 'CHANNELS 2 Xrotation Xrotation'; export it "
            "again"
        )),
        (("ROOT", "JOINT"), "the hierarchy breaks at 'JOINT base'; export it again"),
        (("MOTION", "ROOT b\n{\nOFFSET 0 0 0\n}\nMOTION"), "holds more than one ROOT; export one subject a file"),
        (("}\nMOTION", "MOTION"), "the hierarchy is not whole; export it again"),
    ),
    ids=lambda value: "" if isinstance(value, tuple) else value[:12],
)  # fmt: skip
def test_what_is_wrong_with_a_file(tmp_path, change, expected):
    path = save(tmp_path, CHAIN.replace(*change, 1))
    with pytest.raises(KpError) as caught:
        read_take(path)
    assert str(caught.value) == f"{path}: {expected}"


def test_nothing_apart(tmp_path):
    text = re.sub(r"OFFSET 0 \d 0", "OFFSET 0 0 0", CHAIN)
    with pytest.raises(KpError, match="all joints lie in one point; export it again"):
        read_pose_file(save(tmp_path, text))


def test_mutated_files_never_surprise(tmp_path):
    """Two hundred files with a few bytes changed: poses without infinities, or one clear error."""
    chance, text, outcomes = random.Random(0), person(), set()
    for _ in range(200):
        data = bytearray(text.encode())
        for _ in range(chance.randint(1, 4)):
            where = chance.randrange(len(data))
            data[where : where + chance.choice((0, 1, 1, 30))] = bytes(
                chance.choices(range(32, 127), k=chance.choice((1, 1, 5)))
            )
        (tmp_path / "m.bvh").write_bytes(data)
        try:
            found = read_pose_file(tmp_path / "m.bvh")
            outcomes.add(np.isfinite(found.keypoints).all() and len(found.keypoints) == 10_000)
        except KpError as error:
            outcomes.add("error")
            assert str(error).startswith(str(tmp_path / "m.bvh")) and "\n" not in str(error)
    assert outcomes == {True, "error"}
