import re
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import kp.inference.onnx
from kp.errors import KpError
from kp.inference.onnx import write_onnx
from kp.inference.predictor import Predictor
from kp.method.model import Model

onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory):
    predictor, out = finished[1].predictor(), tmp_path_factory.mktemp("onnx")
    return predictor, out, write_onnx(predictor, out)


@pytest.mark.parametrize("count", [1, 5])
def test_the_predictor_reads_as_torch_does(exported, count):
    predictor, out, apart = exported
    images = torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(count)) * 2 - 1
    (found,) = onnxruntime.InferenceSession(out / "predictor.onnx").run(["keypoints"], {"images": images.numpy()})
    np.testing.assert_allclose(found, predictor(images).keypoints.numpy(), atol=1e-4)
    assert set(apart) == {out / "predictor.onnx", out / "painter.onnx"} and max(apart.values()) <= 1e-4


@pytest.mark.parametrize("count", [1, 5])
def test_the_painter_draws_and_paints_as_torch_does(exported, count):
    predictor, out, _ = exported
    generator = torch.Generator().manual_seed(count)
    images = torch.rand(count, 3, 32, 32, generator=generator) * 2 - 1
    keypoints = torch.rand(count, 17, 2, generator=generator) * 1.6 - 0.8
    painter = onnxruntime.InferenceSession(out / "painter.onnx")
    (painted,) = painter.run(["painted"], {"keypoints": keypoints.numpy(), "images": images.numpy()})
    np.testing.assert_allclose(painted, predictor.decode(predictor.model.draw(keypoints), images).numpy(), atol=1e-4)


def test_a_file_that_would_differ_is_not_written(exported, tmp_path, monkeypatch):
    monkeypatch.setattr(kp.inference.onnx, "CLOSE", -1.0)
    with pytest.raises(
        KpError, match=re.escape(f"{tmp_path / 'predictor.onnx'}: the exported network differs from torch by ")
    ):
        write_onnx(exported[0], tmp_path)
    assert not list(tmp_path.iterdir())


def test_only_the_method_itself(finished, tmp_path):
    config = finished[1].config
    other = Model(replace(config, method=replace(config.method, decoder_reads="skeleton")))
    with pytest.raises(KpError, match="only the method itself can be exported"):
        write_onnx(Predictor(other, other.regressor), tmp_path)


def test_a_missing_library_is_named(exported, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        KpError, match=re.escape("needs the library onnxruntime; install it with: pip install -e '.[onnx]'")
    ):
        write_onnx(exported[0], tmp_path)


def test_the_callers_model_stays_as_it_is(finished, tmp_path):
    predictor = finished[1].predictor()
    predictor.model.train()
    write_onnx(predictor, tmp_path)
    assert predictor.model.training
    predictor.model.eval()
