"""What a representation tells beyond the pose: probes for pictures and colours, and tests that tamper with what Ψ
reads.

A probe is a small fresh network that learns to read an attribute off a representation. What it finds is there;
what it does not find may still be there: every number is a lower bound for these probes.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from kp.inference.predictor import Predictor
from kp.method.networks import Encoder
from kp.training.optim import PROBE, teach_fresh


def small_network(channels: int, outputs: int) -> nn.Sequential:
    """Four convolutions of stride 2, the mean over the picture, a linear layer: (n, channels, s, s) → (n, outputs)."""
    layers: list[nn.Module] = []
    for inputs, width in ((channels, 16), (16, 32), (32, 64), (64, 64)):
        layers += [nn.Conv2d(inputs, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, outputs))


def fit_probe(
    inputs: Float[Tensor, "n c s s"],
    loss: Callable[[Tensor, Tensor], Tensor],
    outputs: int,
    steps: int,
    seed: int,
    device: str = "cpu",
) -> Callable[[Tensor], Tensor]:
    """A network trained with Adam (one cycle to 3e-3, batches of 32); ``loss(output, rows)`` knows the labels of the
    rows.

    Inputs are standardised by their own mean and deviation, so that faint signals are not lost to scale. The network
    computes on ``device``; everything else stays on the CPU.
    """
    mean, deviation = inputs.mean(), inputs.std() + 1e-6

    def of_batch(probe, generator):
        rows = torch.randint(len(inputs), (32,), generator=generator)
        return loss(probe(((inputs[rows] - mean) / deviation).to(device)).cpu(), rows)

    rates = replace(PROBE, steps=steps)
    probe = teach_fresh(lambda: small_network(inputs.shape[1], outputs), of_batch, rates, seed, device=device)

    def read(x):
        with torch.no_grad():
            return torch.cat([probe(((part - mean) / deviation).to(device)).cpu() for part in x.split(128)])

    return read


def colour_r2(
    inputs: Float[Tensor, "n c s s"],
    colours: Float[Tensor, "n 5 3"],
    test_inputs: Float[Tensor, "m c s s"],
    test_colours: Float[Tensor, "m 5 3"],
    names: tuple[str, ...],
    steps: int = 300,
    seed: int = 0,
    device: str = "cpu",
) -> dict[str, float]:
    """R² of the five named colours (top, hair, …) that a probe predicts from pictures of people it has not seen.

    1: the colour is read exactly; 0: no better than the training people's mean colour; below 0: worse, misled by what
    it learnt.
    """
    target = colours.flatten(1)
    mean, deviation = target.mean(0), target.std(0) + 1e-6
    wanted = (target - mean) / deviation
    read = fit_probe(inputs, lambda out, rows: F.mse_loss(out, wanted[rows]), 15, steps, seed, device)
    made = (read(test_inputs) * deviation + mean).view(-1, 5, 3)
    missed = ((made - test_colours) ** 2).sum((0, 2))
    total = ((mean.view(5, 3) - test_colours) ** 2).sum((0, 2))
    return dict(zip(names, (1 - missed / total).tolist(), strict=True))


def at_joints(
    pictures: Float[Tensor, "n 3 s s"], keypoints: Float[Tensor, "n k 2"]
) -> tuple[Float[Tensor, "n 1 k"], Float[Tensor, "n 3 k"]]:
    """(light, hue) of pictures in [-1, 1] at joints (x, y) in [-1, 1]: the mean of red, green and blue, and the three
    without their mean. Averages of 3 × 3 pixels.
    """
    smooth = F.avg_pool2d(pictures, 3, 1, 1, count_include_pad=False)
    colour = F.grid_sample(smooth, keypoints[:, :, None], align_corners=True, padding_mode="border")[..., 0]
    light = colour.mean(1, keepdim=True)
    return light, colour - light


def painted_r2(
    made: Float[Tensor, "n 3 s s"], images: Float[Tensor, "n 3 s s"], keypoints: Float[Tensor, "n k 2"]
) -> dict[str, float]:
    """How much of the colours at the true joints (x, y) in [-1, 1] of ``images`` is right in the pictures ``made`` of
    them: R².

    light: the mean of red, green and blue; hue: the three without their mean. Averages of 3 × 3 pixels. 1: all of it;
    0: no better than the mean over all images at that joint, which a picture made from geometry alone can know.
    """

    def share(a, b):
        return (1 - ((a - b) ** 2).sum() / ((b - b.mean(0)) ** 2).sum().clamp_min(1e-12)).item()

    return {
        name: share(a, b)
        for name, a, b in zip(("light", "hue"), at_joints(made, keypoints), at_joints(images, keypoints), strict=True)
    }


def person_mask(images: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 1 s s"]:
    """1 where images in [-1, 1], people on black, clearly show the person, else 0."""
    return (images.amax(1, keepdim=True) > -0.9).float()


def silhouette_colour(pictures: Float[Tensor, "n 3 s s"], images: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 3"]:
    """Mean colour of ``pictures`` where ``images``, people on black, show the person."""
    person = person_mask(images)
    return (pictures * person).sum((2, 3)) / person.sum((2, 3)).clamp_min(1)


def transplant(
    predictor: Predictor, images: Float[Tensor, "n 3 s s"], others: Float[Tensor, "n 3 s s"], seed: int = 0
) -> dict[str, float]:
    """Whose colours does Ψ paint when it reads y*_b + (y_a − y*_a): those of b, who is drawn, or of a, whose residual
    is added?

    Slopes of a linear fit of the painted person's mean colour on the true mean colours of a (``residual``) and b
    (``drawn``). others: the second frames of b, for a Ψ that takes one. A method whose Ψ reads y* alone never sees the
    residual.
    """
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    made = predictor(images)
    mixed = made.redrawn + (made.skeleton - made.redrawn)[order]
    painted = decode_all(predictor, predictor.model.decoder_input(mixed, made.redrawn), others)
    a, b, out = (
        silhouette_colour(p, i) for p, i in ((images[order], images[order]), (images, images), (painted, images))
    )
    features = torch.stack([(a - a.mean(0)).flatten(), (b - b.mean(0)).flatten()], 1)
    slopes = torch.linalg.lstsq(features.double(), (out - out.mean(0)).flatten()[:, None].double()).solution[:, 0]
    return {"residual": slopes[0].item(), "drawn": slopes[1].item()}


def decode_all(
    predictor: Predictor, read: Float[Tensor, "n c s s"], others: Float[Tensor, "n 3 s s"]
) -> Float[Tensor, "n 3 s s"]:
    """Ψ in batches of 64."""
    return torch.cat([predictor.decode(y, o) for y, o in zip(read.split(64), others.split(64), strict=True)])


def capacity_bits(joints: int, size: int, precision: float) -> float:
    """What ``joints`` points carry at most, each coordinate exact to ``precision`` pixels of ``size``: 2 K log₂(size /
    precision).
    """
    return 2 * joints * math.log2(size / precision)


def jitter(keypoints: Float[Tensor, "n k 2"], pixels: float, size: int, seed: int = 0) -> Float[Tensor, "n k 2"]:
    """Keypoints moved by Gaussian noise of ``pixels`` standard deviation in each coordinate, in images of ``size``."""
    noise = torch.randn(keypoints.shape, generator=torch.Generator().manual_seed(seed))
    return keypoints + noise * pixels * 2 / (size - 1)


def rebuild(
    inputs: Float[Tensor, "n c s s"],
    images: Float[Tensor, "n 3 s s"],
    test_inputs: Float[Tensor, "m c s s"],
    steps: int,
    seed: int = 0,
    width: int = 16,
    device: str = "cpu",
) -> Float[Tensor, "m 3 s s"]:
    """The probe: images that a fresh network rebuilds from ``test_inputs`` alone, for people it has not seen.

    It learns inputs → images, a small encoder-decoder with skips trained for ``steps`` batches of 16 with
    Adam and the one-cycle schedule, on ``device``. The same probe serves every representation, so its errors compare.
    """

    def fast(x):
        return x.contiguous(memory_format=torch.channels_last).to(device)

    def loss(probe, generator):
        rows = torch.randint(len(inputs), (16,), generator=generator)
        return F.mse_loss(probe(fast(inputs[rows])), fast(images[rows]))

    def make():
        return Encoder(width, inputs.shape[1], 3).to(memory_format=torch.channels_last)

    probe = teach_fresh(make, loss, replace(PROBE, steps=steps), seed, device=device)
    with torch.no_grad():
        return torch.cat([probe(fast(x)).cpu() for x in test_inputs.split(64)])


def plant(
    drawing: Float[Tensor, "n 1 s s"], images: Float[Tensor, "n 3 s s"], amplitude: float
) -> Float[Tensor, "n 1 s s"]:
    """Drawings with the images written into them, ``amplitude`` (a share of full brightness) from black to white.

    One channel takes three colours as a camera's sensor does: of every 2 × 2 pixels two hold green, one red and one
    blue. A probe that does not find a message of an amplitude says nothing about fainter ones.
    """
    mosaic = images[:, 1:2].clone()
    mosaic[..., ::2, ::2], mosaic[..., 1::2, 1::2] = images[:, :1, ::2, ::2], images[:, 2:, 1::2, 1::2]
    return drawing + amplitude * (mosaic + 1)


def leak(error: float, geometry: float, image: float) -> float:
    """How much of the picture a representation reveals beyond pose, 0 to 1.

    (E_geometry − E) / (E_geometry − E_image), with E the mean squared error of what the probe rebuilds from the
    representation, on true skeletons (geometry only) and on the image itself (everything). 0: no more than the pose; 1:
    all. Small negative values mean a pose less exact than the true one. A low value says that this probe found nothing,
    not that nothing is there.
    """
    return (geometry - error) / (geometry - image)
