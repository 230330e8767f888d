"""Every loss of the method: reconstruction, likeness to the prior (for Φ and for D), and what η learns from."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from kp.config import Config
from kp.method.features import Lite0, PerceptualLoss, PixelPyramid, random_vgg, vgg16, vgg19
from kp.method.model import Model, Pass


def least_squares(scores: list[Tensor], target: float) -> Float[Tensor, ""]:
    """Least-squares GAN loss, mean over patches, then over scales."""
    return torch.stack([((s - target) ** 2).mean() for s in scores]).mean()


def motion_weight(
    frame: Float[Tensor, "b 3 s s"], other: Float[Tensor, "b 3 s s"], strength: float
) -> Float[Tensor, "b 1 s s"]:
    """1 + strength · m, with m how much each pixel (5 × 5 around it) differs between the frames, mean 1 an image.

    Not in the paper. In front of a still background only the subject moves: what is worth rebuilding, found without a
    mask.
    """
    change = F.avg_pool2d((frame - other).abs().mean(1, keepdim=True), 5, 1, 2, count_include_pad=False)
    return 1 + strength * change / (change.mean((1, 2, 3), keepdim=True) + 1e-6)


def generator_loss(
    model: Model,
    perceptual: PerceptualLoss,
    made: Pass,
    frame: Float[Tensor, "b 3 s s"],
    other: Float[Tensor, "b 3 s s"],
) -> dict[str, Tensor]:
    """Terms for Φ and Ψ: reconstruction ‖Γ(x̂) − Γ(x)‖² and (D(y) − 1)², unweighted."""
    motion = model.config.loss.motion
    terms = {
        "perceptual": perceptual(made.reconstruction, frame, motion_weight(frame, other, motion) if motion else None)
    }
    if model.config.loss.adversarial:
        terms["adversarial"] = least_squares(model.discriminator(made.skeleton), 1.0)
    return terms


def discriminator_loss(
    model: Model, real: Float[Tensor, "b c s s"], fake: Float[Tensor, "b c s s"]
) -> Float[Tensor, ""]:
    """½ [(D(β(p̄)) − 1)² + D(y)²]; the official code's labels (real 1, fake 0)."""
    return 0.5 * (
        least_squares(model.discriminator(real), 1.0) + least_squares(model.discriminator(fake.detach()), 0.0)
    )


def reading_loss(model: Model, read: Float[Tensor, "b k 2"], true: Float[Tensor, "b k 2"]) -> Float[Tensor, ""]:
    """‖p − p̄‖², or, if η may exchange left and right of a whole pose, the smaller of ‖p − p̄‖² and ‖p − flip(p̄)‖² a
    pose.
    """
    if not model.config.method.flip_tolerant:
        return F.mse_loss(read, true)

    def distance(target):
        return ((read - target) ** 2).mean((1, 2))

    return torch.minimum(distance(true), distance(true[:, model.skeleton.flip])).mean()


def regressor_loss(
    model: Model, poses: Float[Tensor, "b k 2"], drawn: Float[Tensor, "b c s s"], skeleton: Float[Tensor, "b c s s"]
) -> Float[Tensor, ""]:
    """0.9 ‖η(β(p̄)) − p̄‖² + 0.1 ‖β(η(y)) − y‖², y detached: only η learns from it."""
    weights, fixed = model.config.loss, skeleton.detach()
    real = reading_loss(model, model.regressor(drawn), poses)
    fake = F.mse_loss(model.draw(model.regressor(fixed)), fixed)
    return weights.regressor_real * real + weights.regressor_fake * fake


def make_perceptual(config: Config) -> PerceptualLoss:
    """Γ as the configuration names it. KpError if its weights are missing or of another network."""
    loss = config.loss
    match loss.features:
        case "raw":
            features = PixelPyramid(1)
        case "pixels":
            features = PixelPyramid()
        case "random":
            features = random_vgg(loss.relu)
        case "lite0":
            features = Lite0(loss.weights)
        case "vgg16":
            features = vgg16(loss.weights, loss.relu)
        case "vgg19":
            features = vgg19(loss.weights, loss.relu)
    return PerceptualLoss(features)
