import json
import re
from pathlib import Path

import pytest
import torch

from kp.errors import KpError
from kp.own_video.cardboard import (
    Cardboard,
    CardboardRenderer,
    Part,
    about,
    children,
    find_figure,
    load_cardboard,
    spoil,
    tear,
)
from kp.skeletons import BODY, Skeleton

STICK = Skeleton(
    "stick",
    ("top", "middle", "left_hand", "right_hand"),
    (("top", "middle"), ("middle", "left_hand"), ("middle", "right_hand")),
    (("left_hand", "right_hand"),),
)
POSE = torch.tensor([[[0.0, -0.5], [0.0, 0.0], [-0.4, 0.4], [0.4, 0.4]]])
WIDE = Part(("top-middle",), (0.2, 0.2, 0.2), (1.0, 1.0))
ARMS = Part(("middle-left_hand", "middle-right_hand"), (0.06, 0.06, 0.06), (0.5, 0.5))
BOTH = Cardboard((WIDE, ARMS))


def generator():
    return torch.Generator().manual_seed(0)


def test_a_part_is_bright_on_its_bone_and_dark_away_from_it():
    renderer = CardboardRenderer(STICK, Cardboard((WIDE,)), 64)
    drawn = renderer.draw(POSE * renderer.inside, generator())[0, 0]
    column, top, middle = renderer.size // 2, 8 + renderer.rim, 24 + renderer.rim
    assert drawn.shape == (72, 72) and drawn.min() >= 0 and drawn.max() <= 1
    assert drawn[middle, column] > 0.6 and drawn[top - 6, column] < 0.05 and drawn[middle, 8] < 0.01


def test_widths_are_shares_of_the_image_side():
    renderer = CardboardRenderer(STICK, Cardboard((WIDE,)), 64)
    drawn = torch.stack(
        [renderer.draw(POSE * renderer.inside, torch.Generator().manual_seed(s))[0, 0] for s in range(40)]
    )
    row = drawn[:, 24 + renderer.rim]
    seen = (row > 0.5 * row.amax(1, keepdim=True)).sum(1).float().mean().item()
    assert seen == pytest.approx(0.2 * 64, abs=1.2)


def test_arms_are_greyer_than_the_trunk():
    renderer = CardboardRenderer(STICK, BOTH, 64)
    drawn = torch.cat(
        [renderer.draw(POSE * renderer.inside, torch.Generator().manual_seed(s)) for s in range(20)]
    ).mean(0)[0]
    x, y = ((POSE[0, 2] * 0.5 * renderer.inside + 1) / 2 * (renderer.size - 1)).round().int().tolist()
    assert 0.3 < drawn[y, x] < 0.65 and drawn[20 + renderer.rim, 36] > 0.85


def test_what_a_part_does_not_reach():
    short = Part(("top-middle",), (0.2, 0.2, 0.2), (1.0, 1.0), beyond=(0.0, 0.0))
    renderer = CardboardRenderer(STICK, Cardboard((short,)), 64)
    drawn = renderer.draw(POSE * renderer.inside, generator())[0, 0]
    below = round((0.12 * renderer.inside + 1) / 2 * (renderer.size - 1))
    assert drawn[below, renderer.size // 2] < 0.05  # a rounded end would reach 6 pixels further


def test_varied_poses_keep_the_trunk_whole_and_differ():
    renderer = CardboardRenderer(STICK, BOTH, 64)
    varied = renderer.vary(POSE.expand(200, -1, -1), generator())
    trunk = (varied[:, 1] - varied[:, 0]).norm(dim=-1)
    assert varied.shape == (200, 4, 2) and trunk.min() > 0.5 * 0.7 and trunk.max() < 0.5 * 1.36
    assert varied.std(0).min() > 0.02
    left = (varied[:, 2, 0] < varied[:, 3, 0]).float().mean()
    assert left > 0.9  # mirroring exchanges the names with the sides


def test_stretching_a_bone_moves_all_that_hangs_on_it():
    stretched = Part(("top-middle",), (0.2, 0.2, 0.2), (1.0, 1.0), stretch=(2.0, 2.0))
    renderer = CardboardRenderer(STICK, Cardboard((stretched,)), 64)
    plain, longer = (
        CardboardRenderer(STICK, c, 64).vary(POSE.expand(50, -1, -1), generator())
        for c in (Cardboard((WIDE,)), renderer.figure)
    )
    ratio = (longer[:, 1] - longer[:, 0]).norm(dim=-1) / (plain[:, 1] - plain[:, 0]).norm(dim=-1)
    assert ratio.mean().item() == pytest.approx(2, abs=0.15)
    assert children(STICK)[0] == [0, 1, 2, 3] and children(STICK)[2] == [2]


def test_a_turned_bone_takes_along_all_that_hangs_on_it():
    """The trunk turns about its top, half of the time; its length and the hands' distances from it stay."""
    turned = Part(("top-middle",), (0.2, 0.2, 0.2), (1.0, 1.0), turn=1.0)
    renderer = CardboardRenderer(STICK, Cardboard((turned,)), 64)
    assert renderer.turned == [((0, 1), 1.0)]
    poses = POSE.expand(400, -1, -1)
    varied = renderer.vary(poses, generator())
    trunk = varied[:, 1] - varied[:, 0]
    angle = torch.atan2(trunk[:, 0], trunk[:, 1])
    assert angle.std() > 0.5  # PLACE alone turns by less than 0.2
    still = CardboardRenderer(STICK, Cardboard((WIDE,)), 64)
    trunk = still.vary(poses, generator()).diff(dim=1)[:, 0]
    assert not still.turned and torch.atan2(trunk[:, 0], trunk[:, 1]).std() < 0.25
    reach = (varied[:, 2:] - varied[:, 1:2]).norm(dim=-1) / POSE[:, 2:].sub(POSE[:, 1:2]).norm(dim=-1)
    assert reach.mean().item() == pytest.approx(1, abs=0.1)  # the hands came along


def test_an_outline_is_white_whatever_its_light():
    arms = Cardboard((WIDE, ARMS), outline=True)
    renderer = CardboardRenderer(STICK, arms, 64)
    drawn = renderer.draw(POSE.expand(20, -1, -1) * renderer.inside, generator())
    x, y = ((POSE[0, 3] * 0.5 * renderer.inside + 1) / 2 * (renderer.size - 1)).round().int().tolist()
    assert drawn[:, 0, y, x].min() > 0.9 and drawn.max() <= 1  # half as bright where light counts


def test_the_figure_that_ships_draws_every_bone_of_a_body():
    renderer = CardboardRenderer(BODY, load_cardboard(find_figure("people"), BODY), 64)
    assert renderer.figure.outline and len(renderer.light) == len(BODY.edges)
    assert find_figure("mine.json") == Path("mine.json")


def test_about_changes_some_joints_from_their_root():
    doubled = about(POSE, [2, 3], 1, lambda p: 2 * p)
    torch.testing.assert_close(doubled[:, 2:], 2 * POSE[:, 2:])
    torch.testing.assert_close(doubled[:, :2], POSE[:, :2])


def test_spoilt_drawings_stay_pictures_and_differ():
    drawn = torch.zeros(30, 1, 32, 32)
    a, b = spoil(drawn, generator()), spoil(drawn, torch.Generator().manual_seed(1))
    assert a.min() >= 0 and a.max() <= 1 and not torch.equal(a, b)
    assert (a.amax((1, 2, 3)) > 0.15).float().mean() > 0.4  # most have a blob or a stick


def test_torn_outlines_have_holes_and_lumps_close_by():
    whole = torch.zeros(200, 1, 64, 64)
    whole[..., 8:16, 8:16] = 1
    torn = tear(whole, generator())
    assert torn.min() >= 0 and torn.max() <= 1
    assert 0.5 < (torn[..., 8:16, 8:16].amin((1, 2, 3)) < 0.5).float().mean() < 0.9  # the others have no hole
    beside = torn.clone()
    beside[..., 7:17, 7:17] = 0
    assert 0.1 < (beside.amax((1, 2, 3)) > 0.5).float().mean() < 0.6
    assert max(torn[..., 32:, :].max(), torn[..., 32:].max()) < 0.01
    assert torch.equal(torn, tear(whole, generator())) and not torch.equal(torn[0], torn[1])


NO_FOOT = "the skeleton 'stick' has no bone 'top-foot'; it has: top-middle"


def part(bone="top-middle", width=(0.1, 0.1, 0.1), light=(1.0, 1.0)):
    return {"bones": [bone], "width": list(width), "light": list(light)}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([part("top-foot")], NO_FOOT),
        ([part(), part()], "two parts name the bone 'top-middle'; leave one"),
        ([part(width=(0.1, 0.1))], "width"),
        ([part(light=(1, 2))], "light"),
    ],
)
def test_what_is_wrong_in_a_file(tmp_path, parts, message):
    path = tmp_path / "figure.json"
    path.write_text(json.dumps({"parts": parts}))
    with pytest.raises(KpError, match=re.escape(str(path))) as error:
        load_cardboard(path, STICK)
    assert message in str(error.value)


def test_no_file_and_nothing_to_draw(tmp_path):
    with pytest.raises(KpError, match=r"no such file; data/flies/cardboard\.json shows what it looks like"):
        load_cardboard(tmp_path / "none.json", STICK)
    with pytest.raises(KpError, match="draws no bone of the skeleton 'stick'; give some a width"):
        CardboardRenderer(STICK, Cardboard((Part(("top-middle",), (0, 0, 0), (1.0, 1.0)),)), 32)


def test_stretch_is_checked():
    with pytest.raises(KpError, match=r"stretch is \[2.0, 1.0\]; give the least and the most, both above 0"):
        Part(("top-middle",), (0.1, 0.1, 0.1), (1.0, 1.0), stretch=(2.0, 1.0))
