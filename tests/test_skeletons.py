import json
import re
from pathlib import Path

import pytest
import torch

from kp.errors import KpError
from kp.skeletons import BODY, FACE, HUMAN36M, Skeleton, check_joints, find_skeleton, load_skeleton, skeleton_with

every_skeleton = pytest.mark.parametrize("skeleton", [BODY, HUMAN36M, FACE], ids=lambda s: s.name)


@pytest.mark.parametrize(
    ("skeleton", "joints", "edges", "pairs"),
    [(BODY, 17, 16, 6), (HUMAN36M, 32, 16, 13), (FACE, 68, 63, 29)],
    ids=lambda s: str(s)[:9],
)
def test_counts(skeleton, joints, edges, pairs):
    assert (len(skeleton), len(skeleton.edges), len(skeleton.mirror_pairs)) == (joints, edges, pairs)
    assert len(set(skeleton.joints)) == joints


@every_skeleton
def test_flip_is_an_involution(skeleton):
    flip = skeleton.flip
    assert [flip[i] for i in flip] == list(range(len(skeleton)))
    assert sum(i != j for i, j in enumerate(flip)) == 2 * len(skeleton.mirror_pairs)


@pytest.mark.parametrize("skeleton", [BODY, HUMAN36M], ids=lambda s: s.name)
def test_flip_exchanges_left_and_right_and_nothing_else(skeleton):
    def other(name):
        return name.replace("left", "#").replace("right", "left").replace("#", "right")

    assert [skeleton.joints[i] for i in skeleton.flip] == [other(name) for name in skeleton.joints]


@every_skeleton
def test_a_mirrored_drawing_has_the_same_edges(skeleton):
    edges = {frozenset(edge) for edge in skeleton.edge_indices}
    assert {frozenset(skeleton.flip[i] for i in edge) for edge in edges} == edges


def test_face_keeps_the_points_on_the_middle_line():
    assert [i for i, j in enumerate(FACE.flip) if i == j] == [8, 27, 28, 29, 30, 33, 51, 57, 62, 66]


def test_edge_indices_of_a_small_skeleton():
    small = Skeleton("small", ("a", "b", "c"), (("c", "a"), ("a", "b")), (("a", "c"),))
    assert small.edge_indices == [(2, 0), (0, 1)]
    assert small.flip == [2, 1, 0]


@pytest.mark.parametrize(("edges", "pairs"), [([("a", "x")], []), ([], [("x", "b")])], ids=["edge", "pair"])
def test_unknown_joint_in_a_skeleton(edges, pairs):
    with pytest.raises(KpError, match=re.escape("skeleton 'small' has no joint 'x'; it has: a, b")):
        Skeleton("small", ("a", "b"), tuple(edges), tuple(pairs))


@every_skeleton
def test_find_skeleton(skeleton):
    assert find_skeleton(skeleton.name) is skeleton


def test_unknown_skeleton():
    with pytest.raises(KpError, match=re.escape("unknown skeleton 'cat'; use one of: body, human36m, face")):
        find_skeleton("cat")


def test_check_joints_accepts_its_own():
    check_joints(BODY, list(BODY.joints), "p.npz")


def test_check_joints_names_the_unknown_joint():
    with pytest.raises(KpError, match=re.escape("p.npz: unknown joint 'tail'; skeleton 'body' has: pelvis, right_hip")):
        check_joints(BODY, [*BODY.joints[:-1], "tail"], "p.npz")


@pytest.mark.parametrize("names", [BODY.joints[::-1], BODY.joints[:-1]], ids=["order", "too few"])
def test_check_joints_wants_the_order(names):
    with pytest.raises(
        KpError, match=re.escape("p.npz: joints are not those of skeleton 'body' in order; expected: pelvis,")
    ):
        check_joints(BODY, list(names), "p.npz")


HAND = Path(__file__).parents[1] / "data/hand/hand.json"


def test_a_skeleton_declared_in_a_file():
    hand = find_skeleton(str(HAND))
    assert (
        hand.name == "hand" and len(hand) == 21 and len(hand.edges) == 23 and hand.normaliser == ("wrist", "middle_1")
    )
    assert hand.flip == list(range(21)) and hand.regions == ()


def test_all_fields_of_a_file(tmp_path):
    told = {
        "name": "t",
        "joints": ["a", "b"],
        "edges": [["a", "b"]],
        "mirror_pairs": [["a", "b"]],
        "normaliser": ["a", "b"],
        "regions": {"r": ["b"]},
    }
    (tmp_path / "t.json").write_text(json.dumps(told))
    wanted = Skeleton("t", ("a", "b"), (("a", "b"),), (("a", "b"),), ("a", "b"), (("r", ("b",)),))
    assert load_skeleton(tmp_path / "t.json") == wanted
    told["ruler"] = told.pop("normaliser")
    (tmp_path / "t.json").write_text(json.dumps(told))
    assert load_skeleton(tmp_path / "t.json") == wanted, "the name of kp 0.3"


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ("{", "is not written in JSON (line 1); write it again"),
        ("[" * 100_000, "is not written in JSON; write it again"),
        ("[]", "the whole is []; it must be a table of names and values"),
        ('{"name": "t", "joints": ["a", "b"]}', "'edges' is missing; add it"),
        ('{"name": "t", "joints": ["a", "b"], "edges": []}', "edges is []; it must be a list of at least 1"),
        ('{"name": "t", "joints": ["a", "b"], "edges": [["a"]]}', "'edges.0.1' is missing; add it"),
        ('{"joints": ["a", "b"], "edges": [["a", "b"]]}', "'name' is missing; add it"),
        ('{"bones": []}', "has no field 'bones'; this kp does not know it: correct the name, or update kp"),
        (
            '{"name": "t", "joints": ["a", "a"], "edges": [["a", "a"]]}',
            "skeleton 't': joint 'a' stands there twice; correct it",
        ),
        (
            '{"name": "t", "joints": ["a", "b"], "edges": [["a", "a"]]}',
            "skeleton 't': an edge joins 'a' to itself; correct it",
        ),
        (
            '{"name": "t", "joints": ["a", "b"], "edges": [["a", "b"], ["b", "a"]]}',
            "skeleton 't': the edge a–b stands there twice; correct it",
        ),
        (
            '{"name": "t", "joints": ["a", "b", "c"], "edges": [["a", "b"]], "mirror_pairs": [["a", "b"], ["a", "c"]]}',
            "skeleton 't': joint 'a' is mirrored twice; correct it",
        ),
        (
            '{"name": "t", "joints": ["a", "b"], "edges": [["a", "b"]], "mirror_pairs": [["a", "a"]]}',
            "skeleton 't': joint 'a' is mirrored twice; correct it",
        ),
        (
            '{"name": "t", "joints": ["a", "b"], "edges": [["a", "b"]], "normaliser": ["a", "a"]}',
            "skeleton 't': its normaliser has no length, both ends are 'a'; correct it",
        ),
        (
            '{"name": "t", "joints": ["a", "b\\u001b[31m"], "edges": [["a", "a"]]}',
            "skeleton 't': a joint is called 'b\\x1b[31m'; correct it",
        ),
    ],
)
def test_files_that_are_no_skeletons(tmp_path, told, message):
    path = tmp_path / "t.json"
    path.write_text(told)
    with pytest.raises(KpError, match=f"^{re.escape(f'{path}: {message}')}$"):
        load_skeleton(path)


def test_an_edge_to_an_unknown_joint_and_no_file(tmp_path):
    (tmp_path / "t.json").write_text('{"name": "t", "joints": ["a"], "edges": [["a", "c"]]}')
    with pytest.raises(KpError, match="skeleton 't' has no joint 'c'"):
        load_skeleton(tmp_path / "t.json")
    with pytest.raises(
        KpError,
        match=(
            r"none\.json: no such file; a skeleton of your own is declared in a \.json file, see "
            r"data/hand/hand\.json$"
        ),
    ):
        find_skeleton(str(tmp_path / "none.json"))


@pytest.mark.parametrize("field", ["normaliser", "regions"])
def test_normalisers_and_regions_name_joints(field):
    wrong = {"normaliser": ("a", "z"), "regions": (("r", ("z",)),)}[field]
    with pytest.raises(KpError, match="has no joint 'z'"):
        Skeleton("t", ("a", "b"), (("a", "b"),), (), **{field: wrong})


@every_skeleton
def test_the_skeleton_with_these_joints(skeleton):
    assert skeleton_with(list(skeleton.joints), Path("p.npz")) is skeleton


def test_no_skeleton_with_these_joints():
    expected = (
        "p.npz: its 2 joints are those of no shipped skeleton (body, human36m, face); name one with --skeleton, or a "
        ".json file"
    )
    with pytest.raises(KpError, match=f"^{re.escape(expected)}$"):
        skeleton_with(["a", "b"], Path("p.npz"))


def test_mirrored_points_exchange_sides():
    points = torch.rand(3, len(BODY), 2)
    mirrored = BODY.mirrored(points)
    left, right = BODY.index("left_wrist"), BODY.index("right_wrist")
    torch.testing.assert_close(mirrored[:, left], points[:, right] * torch.tensor([-1.0, 1.0]))
    torch.testing.assert_close(BODY.mirrored(mirrored), points)
