"""What the pages play with: pictures and numbers survive the way into JSON."""

import base64
import dataclasses
import json

import numpy as np
import onnx
import pytest
import torch

from kp.config import smoke
from kp.course.play.specs import base64_rgb, pictures_spec, repose_spec, write_painter
from kp.errors import KpError
from kp.inference.predictor import Predictor
from kp.method.model import Model


def predictor(**network):
    config = smoke()
    config = dataclasses.replace(config, network=dataclasses.replace(config.network, **network))
    return Predictor(Model(config), Model(config).regressor)


def test_an_image_becomes_its_bytes():
    image = torch.tensor([-1.0, 0.0, 1.0]).view(3, 1, 1).expand(3, 2, 2)
    assert list(base64.b64decode(base64_rgb(image))) == [0, 128, 255] * 4


def test_repose_holds_what_the_page_draws():
    made = predictor()
    poses, looks = torch.rand(2, 17, 2) - 0.5, torch.rand(3, 3, 32, 32) * 2 - 1
    spec = json.loads(json.dumps(repose_spec(made, poses, looks)))
    assert spec["size"] == 32 and spec["sigma"] == 0.2
    assert spec["joints"][13] == "left wrist" and len(spec["edges"]) == len(spec["colours"]) == 16
    assert [tuple(e) for e in spec["edges"]] == made.skeleton.edge_indices
    np.testing.assert_allclose(spec["poses"], poses.numpy(), atol=1e-4)
    assert len(spec["looks"]) == 3
    assert spec["first"] == base64_rgb(made.decode(made.model.draw(poses[:1]), looks[:1])[0])


def test_repose_refuses_what_the_pages_renderer_cannot_draw():
    for other in ({"limbs": "sides"}, {"profile": "gaussian"}):
        with pytest.raises(KpError, match="only one channel, exponential, can be played with"):
            repose_spec(predictor(**other), torch.zeros(1, 17, 2), torch.zeros(1, 3, 32, 32))


def test_pictures_are_exact_to_a_fraction_of_their_range():
    skeletons = np.random.default_rng(0).normal(size=(3, 2, 1, 8, 8)).astype(np.float32)
    spec = pictures_spec(skeletons, torch.zeros(2, 3, 8, 8))
    raw = np.frombuffer(base64.b64decode(spec["pictures"]), "<u2").reshape(3, 2, 8, 8)
    back = spec["low"] + (spec["high"] - spec["low"]) * raw / 65535
    np.testing.assert_allclose(back, skeletons[:, :, 0], atol=(spec["high"] - spec["low"]) / 65535)
    assert (spec["size"], spec["count"]) == (8, 2)


def test_of_several_channels_the_brightest_is_shown():
    skeletons = np.stack([np.zeros((1, 1, 4, 4)), np.ones((1, 1, 4, 4))], 2).astype(np.float32)
    skeletons[0, 0, 1, 0, 0] = -1
    raw = np.frombuffer(base64.b64decode(pictures_spec(skeletons, torch.zeros(1, 3, 4, 4))["pictures"]), "<u2")
    assert raw[0] == 0 and (raw[1:] == 65535).all()


@pytest.mark.slow
def test_painter_agrees_with_torch(tmp_path):
    made = predictor()
    assert write_painter(made, tmp_path / "half") < 5e-3
    weights = onnx.load(tmp_path / "half/painter.onnx").graph.initializer
    half = sum(len(weight.raw_data) for weight in weights if weight.data_type == onnx.TensorProto.FLOAT16)
    assert half > 0.8 * sum(len(weight.raw_data) for weight in weights)
    assert [p.name for p in (tmp_path / "half").iterdir()] == ["painter.onnx"]
