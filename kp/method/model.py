"""How a frame pair flows through the parts. The losses are in losses.py, a whole step in step.py.

y  = Φ(x)            skeleton image of frame x
p  = η(y)            its keypoints
y* = β(p)            redrawn: nothing but geometry survives
x̂  = Ψ(y*, x')       the frame again, appearance taken from another frame x' of the video
D(y) against D(β(p̄)) with p̄ drawn from the unpaired poses
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kp.config import Config
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
