"""The notebook's widgets carry the pages' JavaScript, and answer with the kernel's Ψ."""

import re
import shutil
import subprocess

import numpy as np
import pytest
import torch
from test_play_specs import predictor

from kp.course.play.specs import repose_spec
from kp.course.play.widgets import Repose, script


def test_one_module_without_imports():
    text = script()
    assert not re.search(r"^import |^export (function|const)", text, re.M)
    for name in ("function repose(", "function training(", "function leakage(", "export default"):
        assert text.count(name) == 1


@pytest.mark.skipif(
    shutil.which("node") is None, reason="needs node to parse JavaScript; the pages are tested in a browser"
)
def test_it_is_javascript(tmp_path):
    path = tmp_path / "widget.mjs"
    path.write_text(script())
    subprocess.run(["node", "--check", str(path)], check=True)


def test_a_moved_joint_is_answered_with_a_picture():
    made = predictor()
    poses, looks = torch.rand(1, 17, 2) - 0.5, torch.rand(2, 3, 32, 32) * 2 - 1
    widget = Repose(made, looks, repose_spec(made, poses, looks))
    sent = []
    widget.send = lambda content, buffers: sent.append((content, buffers))
    widget.answer(widget, {"keypoints": poses.flatten().tolist(), "look": 1}, [])
    planes = np.frombuffer(sent[0][1][0], "<f4").reshape(3, 32, 32)
    np.testing.assert_allclose(planes, made.decode(made.model.draw(poses), looks[1:])[0].numpy(), atol=1e-5)
