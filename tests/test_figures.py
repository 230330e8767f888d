import os
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex, to_rgb
from PIL import Image

from kp.figures import (
    BETTER,
    LEFT,
    LINES,
    MIDDLE,
    RIGHT,
    WORSE,
    as_picture,
    bars,
    curves,
    draw_pose,
    forest,
    grid,
    joint_bars,
    learning_curves,
    overlay,
    save,
    space,
    write_figure,
)
from kp.geometry import to_pixels
from kp.skeletons import BODY, FACE


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_as_picture():
    image = torch.tensor([-1.0, 0.0, 3.0]).view(3, 1, 1).expand(3, 4, 5)
    picture = as_picture(image)
    assert picture.shape == (4, 5, 3) and picture[0, 0].tolist() == [0, 0.5, 1]
    assert as_picture(image[:1]).shape == (4, 5)


def test_draw_pose_colours_the_sides():
    keypoints = torch.rand(17, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    axis = plt.figure().add_subplot()
    draw_pose(axis, keypoints, BODY, 64)
    points = to_pixels(keypoints, 64).numpy()
    assert len(axis.lines) == 16
    for drawn, (a, b) in zip(axis.lines, BODY.edges, strict=True):
        expected = LEFT if "left" in a + b else RIGHT if "right" in a + b else MIDDLE
        assert to_hex(drawn.get_color()) == expected
        np.testing.assert_allclose(drawn.get_xydata(), points[[BODY.index(a), BODY.index(b)]])


def test_faces_have_thinner_lines_and_their_own_left_and_right():
    axis = plt.figure().add_subplot()
    draw_pose(axis, torch.zeros(68, 2), FACE, 64)
    colours = {edge: to_hex(line.get_color()) for edge, line in zip(FACE.edges, axis.lines, strict=True)}
    # 36: on our left
    assert colours["36", "37"] == RIGHT and colours["42", "43"] == LEFT and colours["27", "28"] == MIDDLE
    assert {line.get_linewidth() for line in axis.lines} == {0.8}


def test_grid_of_every_kind_of_cell():
    painted = []
    picture = np.zeros((4, 4))
    figure = grid(
        [("one", [picture, (picture, {"cmap": "magma", "vmax": 5})]), ("two", [np.zeros((4, 4, 3)), painted.append])]
    )
    assert len(figure.axes) == 4 and [a.get_ylabel() for a in figure.axes] == ["one", "", "two", ""]
    assert painted == [figure.axes[3]]
    plain, other = figure.axes[0].images[0], figure.axes[1].images[0]
    assert plain.get_cmap().name == "gray" and plain.get_clim() == (0, 1)
    assert other.get_cmap().name == "magma" and other.get_clim() == (0, 5)


def test_overlay_shows_image_and_pose():
    axis = plt.figure().add_subplot()
    overlay(torch.zeros(3, 32, 32), torch.zeros(17, 2), BODY)(axis)
    assert len(axis.images) == 1 and len(axis.lines) == 16
    assert axis.get_xlim() == (-0.5, 31.5) and axis.get_ylim() == (31.5, -0.5)


def test_save_makes_the_folder_and_leaves_the_figure_open(tmp_path):
    path = tmp_path / "new" / "folder" / "a.png"
    save(grid([("", [np.zeros((4, 4))])]), path)
    with Image.open(path) as image:
        assert image.size[0] > 100
    assert plt.get_fignums()
    plt.close("all")


def test_a_written_figure_is_closed_and_others_stay_open(tmp_path):
    mine = plt.figure()
    write_figure(grid([("", [np.zeros((4, 4))])]), tmp_path / "a.png")
    assert plt.get_fignums() == [mine.number]
    plt.close(mine)


def test_the_callers_settings_stay_as_they_are():
    code = "import matplotlib as m; before = dict(m.rcParams); import kp.figures as f, numpy as n; "
    code += "f.grid([('', [n.zeros((4, 4))])]); after = dict(m.rcParams); "
    code += "assert {k: before[k] for k in f.STYLE} == {k: after[k] for k in f.STYLE}"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"MPLBACKEND": "Agg"})


def test_learning_curves_of_the_main_training():
    lines = [dict(phase="pretrain", step=1, regressor=9.0)] + [
        dict(phase="train", step=i, perceptual=1.0 / i, regressor=0.1, spread=0.2) for i in (25, 50)
    ]
    figure = learning_curves(lines)
    assert [a.get_title() for a in figure.axes] == ["perceptual", "regressor", "spread"]
    assert figure.axes[0].lines[0].get_xydata().tolist() == [[25, 1 / 25], [50, 1 / 50]]
    assert [a.get_yscale() for a in figure.axes] == ["log", "log", "linear"]


@pytest.mark.parametrize("runs", [["a"], ["a", "b"]], ids=len)
def test_joint_bars(runs):
    axis = joint_bars({run: {"left_hip": 1.0, "neck": 2.0} for run in runs}).axes[0]
    assert [p.get_height() for p in axis.patches] == [1, 2] * len(runs)
    assert [t.get_text() for t in axis.get_xticklabels()] == ["left\nhip", "neck"]
    assert (axis.get_legend() is not None) == (len(runs) > 1)


def test_bars():
    axis = bars({"a": 1.0, "b": -0.5}, "error", ("floor", 0.25)).axes[0]
    assert [p.get_width() for p in axis.patches] == [1.0, -0.5] and axis.get_xlabel() == "error"
    assert {t.get_text() for t in axis.texts} == {" 1.00", " -0.50", "floor"}
    assert axis.lines[0].get_xdata()[0] == 0.25
    assert not bars({"a": 1.0}, "error").axes[0].lines


def test_forest_tells_better_worse_and_neither():
    rows = [
        ("bad", 1.0, (0.5, 1.5), "worse"),
        ("good", -1.0, (-1.5, -0.5), "better"),
        ("neither", 0.1, (-0.2, 0.4), "one seed only"),
        ("off", 40.0, (39.0, 41.0), "worse"),
    ]
    axis = forest({"one": rows[:2], "two": rows[2:]}, "difference", 3.0).axes[0]
    assert [t.get_text() for t in axis.get_yticklabels()] == ["bad", "good", "neither", "off"]
    dots = [line for line in axis.lines if line.get_marker() == "o"]
    assert [d.get_color() for d in dots] == [WORSE, BETTER, "#777"] and [d.get_xdata()[0] for d in dots] == [
        1.0,
        -1.0,
        0.1,
    ]
    assert "+40.0" in [t.get_text() for t in axis.texts]


def test_curves_show_means_and_every_seed():
    axis = curves(
        {"a": {"line": ([1.0, 10.0], [[1.0, 3.0], [5.0]])}}, "x", "y", log=True, reference={"zero": 0.0}
    ).axes[0]
    assert axis.lines[0].get_ydata().tolist() == [2.0, 5.0] and axis.get_xscale() == "log"
    assert [list(line.get_ydata()) for line in axis.lines[1:3]] == [[1.0, 3.0], [5.0]]
    assert "zero" in [t.get_text() for t in axis.texts]


def test_poses_in_space():
    points = np.random.default_rng(0).uniform(-1, 1, (3, 17, 3))
    figure = space(points, BODY)
    axes = figure.get_axes()
    assert len(axes) == 3 and len(axes[0].lines) == len(BODY.edges)
    drawn = np.stack(axes[1].lines[0].get_data_3d(), 1)
    assert np.allclose(drawn, points[1][list(BODY.edge_indices[0])])
    assert np.ptp(axes[0].get_xlim()) == pytest.approx(np.ptp(axes[0].get_zlim()))


def test_joint_bars_say_what_they_measure():
    (axis,) = joint_bars({"a": {"x": 1.0, "y": 2.0}}, "apart").get_axes()
    assert axis.get_ylabel() == "apart" and axis.get_legend() is None


PROTANOPIA = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
DEUTERANOPIA = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]


@pytest.mark.parametrize(
    "eye", [np.eye(3), np.array(PROTANOPIA), np.array(DEUTERANOPIA)], ids=["all cones", "protanopia", "deuteranopia"]
)
@pytest.mark.parametrize(
    "palette", [LINES, (LEFT, RIGHT, MIDDLE), (WORSE, BETTER, "#777777")], ids=["lines", "sides", "verdicts"]
)
def test_colours_are_told_apart_by_every_eye(eye, palette):
    """Machado et al. 2009: what is left of a colour without one kind of cone, in linear light."""
    light = np.array([to_rgb(colour) for colour in palette]) ** 2.2
    seen = np.clip(light @ eye.T, 0, 1) ** (1 / 2.2)
    apart = np.linalg.norm(seen[:, None] - seen, axis=-1)[np.triu_indices(len(palette), 1)]
    assert apart.min() > 0.15


def test_the_same_lines_give_the_same_svg(tmp_path):
    for name in "ab":
        figure, axis = plt.subplots()
        axis.plot([0, 1], [1, 0], label="a line")
        axis.legend()
        write_figure(figure, tmp_path / f"{name}.svg")
    written = (tmp_path / "a.svg").read_text()
    assert written == (tmp_path / "b.svg").read_text() and written.count("<svg ") == 1
