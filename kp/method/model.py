"""One step of the method: how a frame pair and unpaired poses flow through the parts, and every loss.

y  = Φ(x)            skeleton image of frame x
p  = η(y)            its keypoints
y* = β(p)            redrawn: nothing but geometry survives
x̂  = Ψ(y*, x')       the frame again, appearance taken from another frame x' of the video
D(y) against D(β(p̄)) with p̄ drawn from the unpaired poses
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from kp.config import Config
from kp.method.features import Lite0, PerceptualLoss, PixelPyramid, random_vgg, vgg16, vgg19
from kp.method.networks import Decoder, Discriminator, Encoder, Regressor, UNetRegressor, official_init
from kp.method.renderer import render_skeleton
from kp.skeletons import find_skeleton


class Model(nn.Module):
    """Φ, η, Ψ and D with the skeleton they share. Images are (b, 3, s, s) in [-1, 1]."""

    def __init__(self, config: Config):
        super().__init__()
        net = config.network
        self.config = config
        self.skeleton = find_skeleton(config.data.skeleton)
        joints = len(self.skeleton)
        self.layers = [self.skeleton.edge_indices] if net.limbs == "one" else self.skeleton.sides
        channels = len(self.layers)
        self.encoder = Encoder(net.width, outputs=channels)
        self.regressor = (Regressor if net.regressor == "official" else UNetRegressor)(
            joints, net.regressor_width, channels
        )
        self.decoder = Decoder(net.width, config.method.second_frame, channels)
        self.discriminator = Discriminator(net.discriminator_width, net.scales, channels, net.halvings)
        official_init(self if net.official_init else self.discriminator)
        self.to(memory_format=torch.channels_last)

    def draw(self, keypoints: Float[Tensor, "b k 2"]) -> Float[Tensor, "b c s s"]:
        """β at the training size: one channel, or one a side of the body."""
        net, size = self.config.network, self.config.data.size
        return torch.cat([render_skeleton(keypoints, edges, size, net.sigma, net.profile) for edges in self.layers], 1)

    def decoder_input(
        self, skeleton: Float[Tensor, "b c s s"], redrawn: Float[Tensor, "b c s s"]
    ) -> Float[Tensor, "b c s s"]:
        """What Ψ reads of the pose: y*, or y itself if there is no bottleneck."""
        return redrawn if self.config.method.decoder_reads == "keypoints" else skeleton

    def forward(self, image: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b k 2"]:
        """η(Φ(x)): all that is needed once trained."""
        return self.regressor(self.encoder(image))


@dataclass(frozen=True)
class Pass:
    """What one frame pair became: skeleton image y, keypoints p, redrawn y*, reconstruction x̂."""

    skeleton: Float[Tensor, "b c s s"]
    keypoints: Float[Tensor, "b k 2"]
    redrawn: Float[Tensor, "b c s s"]
    reconstruction: Float[Tensor, "b 3 s s"]


def run(model: Model, frame: Float[Tensor, "b 3 s s"], other: Float[Tensor, "b 3 s s"]) -> Pass:
    """x, x' → y, p, y*, x̂. Without the bottleneck Ψ reads y in the place of y*."""
    skeleton = model.encoder(frame)
    keypoints = model.regressor(skeleton)
    redrawn = model.draw(keypoints)
    return Pass(skeleton, keypoints, redrawn, model.decoder(model.decoder_input(skeleton, redrawn), other))


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
