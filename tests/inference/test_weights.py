import re
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

import kp
from kp.config import to_json
from kp.errors import KpError
from kp.inference.published import load
from kp.method.checkpoint import digest


@pytest.fixture(scope="module")
def predictor(finished):
    return finished[1].predictor()


@pytest.fixture
def images():
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_what_is_loaded_predicts_the_same(predictor, images, tmp_path):
    predictor.save(tmp_path / "deep" / "m.safetensors")
    again, before = load(tmp_path / "deep" / "m.safetensors"), predictor(images)
    after = again(images)
    for part in ("keypoints", "skeleton", "redrawn", "reference"):
        assert torch.equal(getattr(after, part), getattr(before, part))
    assert again.model.config == predictor.model.config
    assert torch.equal(again.decode(before.redrawn, images), predictor.decode(before.redrawn, images))


def test_the_file_holds_only_what_predicts(predictor, tmp_path):
    predictor.save(tmp_path / "m.safetensors")
    assert {k.split(".")[0] for k in load_file(tmp_path / "m.safetensors")} == {
        "encoder",
        "regressor",
        "decoder",
        "first_regressor",
    }
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


def test_a_run_folder_loads_too(finished, images):
    assert torch.equal(load(finished[0])(images).keypoints, finished[1].predictor()(images).keypoints)


def test_unknown_model():
    with pytest.raises(
        KpError, match=re.escape("cats: no run folder, no .safetensors file and no published model (there are: ")
    ):
        kp.load("cats")


def test_missing_file(tmp_path):
    with pytest.raises(KpError, match=re.escape(f"{tmp_path}/m.safetensors: no such file; check the path")):
        load(tmp_path / "m.safetensors")


def test_damaged_file(predictor, tmp_path):
    path = tmp_path / "m.safetensors"
    predictor.save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(KpError, match=re.escape(f"{path}: not a readable safetensors file")):
        load(path)
    path.write_bytes(b"\x80\x04no pickle is ever opened")
    with pytest.raises(KpError, match=re.escape(f"{path}: not a readable safetensors file")):
        load(path)


def test_a_file_of_other_weights(tmp_path):
    path = tmp_path / "m.safetensors"
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(
        KpError,
        match=re.escape(f"{path}: holds no configuration of kp; write it with kp.method.checkpoint.save_weights"),
    ):
        load(path)


def test_weights_that_do_not_fit_their_configuration(predictor, tmp_path):
    path = tmp_path / "m.safetensors"
    model = predictor.model
    wider = replace(model.config, network=replace(model.config.network, width=8))
    model.config, kept = wider, model.config
    try:
        predictor.save(path)
    finally:
        model.config = kept
    with pytest.raises(
        KpError, match=re.escape(f"{path}: its weights do not fit its configuration; the file is damaged")
    ):
        load(path)


def test_a_file_that_lacks_weights(predictor, tmp_path):
    path = tmp_path / "m.safetensors"
    predictor.save(path)
    tensors = load_file(path)
    tensors.pop("encoder.last.1.bias")
    config = to_json(predictor.model.config)
    save_file(tensors, path, {"config": config, "sha256": digest(config, tensors)})
    with pytest.raises(KpError, match=re.escape(f"{path}: its weights do not fit its configuration")):
        load(path)


def test_weights_that_nothing_vouches_for(predictor, tmp_path):
    """Without a checksum, with what is no number, in another precision, of a size that no memory holds."""
    path = tmp_path / "m.safetensors"
    predictor.save(path)
    tensors, config = load_file(path), to_json(predictor.model.config)

    def refused(message, tensors=tensors, config=config, **notes):
        save_file(tensors, path, {"config": config, "sha256": digest(config, tensors)} | notes)
        with pytest.raises(KpError, match=re.escape(f"{path}: {message}")):
            load(path)

    broken = tensors | {"encoder.last.1.bias": torch.full_like(tensors["encoder.last.1.bias"], torch.nan)}
    refused("the weights 'encoder.last.1.bias' are no numbers any more; take an earlier copy, or train again", broken)
    refused("differs from its own checksum; copy it again", sha256="0")
    refused("its weights do not fit its configuration", config=config.replace('"width": 4', '"width": 1024'))
    for wrong in ("null", "[]", "{", '{"network": 7}', '{"data": {"videos": 7}}', config.replace("body", "x")):
        refused("", config=wrong)
    save_file(tensors, path, {"config": config})
    with pytest.raises(KpError, match=re.escape(f"{path}: has no checksum, as kp writes it; copy it again")):
        load(path)
    save_file({name: tensor.bfloat16() for name, tensor in tensors.items()}, path, {"config": config})
    with pytest.raises(KpError, match=re.escape(f"{path}: its weights are not in float32 or float16")):
        load(path)


def test_half_precision_is_half_as_large_and_predicts_nearly_the_same(predictor, tmp_path):
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    predictor.save(whole)
    predictor.save(half, half=True)
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    images = torch.rand(2, 3, predictor.size, predictor.size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    a, b = load(whole)(images).keypoints, load(half)(images).keypoints
    assert 0 < (a - b).abs().max() < 0.01
    kinds = {tensor.dtype for tensor in load_file(half).values()}
    assert kinds == {torch.float16, torch.float32, torch.int64}  # vectors, and what BatchNorm counts, stay


def test_an_unwritable_place(predictor, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KpError, match=r"m\.safetensors: cannot be written \(.*\); choose another place"):
        predictor.save(tmp_path / "file" / "m.safetensors")


def test_a_flipped_bit_is_noticed(predictor, tmp_path):
    path = tmp_path / "m.safetensors"
    predictor.save(path)
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    with pytest.raises(KpError, match=re.escape(f"{path}: differs from its own checksum; copy it again")):
        load(path)
