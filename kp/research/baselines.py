"""What stands beside the method, on the same clips: training with labels, and IMM. (Retrieval:
kp/datasets/retrieval.py.)

IMM: Jakab, Gupta, Bilen, Vedaldi, "Unsupervised learning of object landmarks through conditional image
generation", NeurIPS 2018. It uses no poses, so its points have no names: a linear read-out, fitted on
labelled frames, gives them some. Nothing here is used by the method.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from kp.config import Config
from kp.datasets.clips import Clips, to_images
from kp.errors import KpError
from kp.method.losses import make_perceptual
from kp.method.model import Model
from kp.method.networks import block, marginal_soft_argmax, trunk
from kp.training.optim import learn

SPREAD = 0.75  # standard deviation of IMM's Gaussians in cells: the official 0.1 of [-1, 1] on 16 × 16 cells
RIDGES = [10.0**e for e in range(-9, 1)]  # of the largest variance of the points


def labelled_frames(clips: Clips, count: int, seed: int) -> list[tuple[int, int]]:
    """(clip, frame) of ``count`` random frames of all clips, or of every frame if 0; fewer frames are a part of more.

    KpError if the clips have not that many.
    """
    every = [(c, t) for c, frames in enumerate(clips.frames) for t in range(len(frames))]
    if not 0 <= count <= len(every):
        raise KpError(f"labelled is {count}, but the clips have {len(every)} frames; give 0 (all) to {len(every)}")
    order = torch.randperm(len(every), generator=torch.Generator().manual_seed(seed)).tolist()
    return [every[i] for i in order[:count]] if count else every


def images_at(clips: Clips, where: list[tuple[int, int]]) -> Float[Tensor, "n 3 s s"]:
    """The frames at (clip, frame), in [-1, 1]."""
    return to_images(torch.stack([clips.frames[c][t] for c, t in where]))


def truth_at(truth: Float[Tensor, "c t k 2"], where: list[tuple[int, int]]) -> Float[Tensor, "n k 2"]:
    """The true keypoints at (clip, frame), (x, y) in [-1, 1]."""
    clip, frame = zip(*where, strict=True)
    return truth[list(clip), list(frame)]


@torch.no_grad()
def read(net: nn.Module, images: Float[Tensor, "n 3 s s"], batch: int = 64) -> Float[Tensor, "n k 2"]:
    """What ``net`` (a Model, or one trained here) reads from images in [-1, 1]: points (x, y) in [-1, 1]. Leaves it in
    eval mode.
    """
    net.eval()
    return torch.cat([net(x) for x in images.split(batch)])


def read_at(net: nn.Module, clips: Clips, where: list[tuple[int, int]]) -> Float[Tensor, "n k 2"]:
    """:func:`read` of the frames at (clip, frame), a few in memory at a time."""
    return torch.cat([read(net, images_at(clips, where[i : i + 64])) for i in range(0, len(where), 64)])


def train_supervised(
    config: Config,
    clips: Clips,
    truth: Float[Tensor, "c t k 2"],
    labelled: int = 0,
    progress: bool = True,
    device: str = "cpu",
) -> nn.Module:
    """η(Φ(x)), the method's own networks, trained end to end on ‖η(Φ(x)) − p‖² with true keypoints p.

    truth: (x, y) in [-1, 1] of every frame of every clip. labelled: how many random frames to learn from (0: all).
    Steps, batch, rates and seed are those of ``config``. Trains on ``device``; returns images (b, 3, s, s) → keypoints
    (b, k, 2), on the CPU. KpError if clips and truth differ in length, or there are not that many frames.
    """
    lengths = [len(frames) for frames in clips.frames]
    if lengths != [truth.shape[1]] * len(truth):
        raise KpError(
            f"{len(lengths)} clips of {sorted(set(lengths))} frames, the truth has {len(truth)} of {truth.shape[1]}; "
            "make them equal"
        )
    where = labelled_frames(clips, labelled, config.seed)
    generator = torch.Generator().manual_seed(config.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = Model(config)
    net = nn.Sequential(model.encoder, model.regressor).to(device).train()

    def loss() -> Tensor:
        batch = [where[i] for i in torch.randint(len(where), (config.optimizer.batch,), generator=generator).tolist()]
        return F.mse_loss(net(images_at(clips, batch).to(device)), truth_at(truth, batch).to(device))

    name = "supervised" if progress else ""
    learn(lambda _: loss(), net.parameters(), config.optimizer, name, device=torch.device(device).type, beta=0.5)
    return net.cpu()


def gaussian_maps(points: Float[Tensor, "b p 2"], size: int) -> Float[Tensor, "b p {size} {size}"]:
    """One map a point: exp(−d²/2s²), d the distance of a cell's centre in [-1, 1] and s three quarters of a cell.

    The official code leaves out the 2.
    """
    grid = torch.linspace(-1, 1, size, device=points.device, dtype=points.dtype)

    def near(x):
        return torch.exp(-((x[..., None] - grid) ** 2) / (2 * (SPREAD * 2 / (size - 1)) ** 2))

    return near(points[..., 1])[..., :, None] * near(points[..., 0])[..., None, :]


class Detector(nn.Module):
    """IMM's image → unnamed points, (b, 3, s, s) → (b, p, 2) in [-1, 1]: trunk, maps at s/8, marginal soft-argmax."""

    def __init__(self, points: int, width: int):
        super().__init__()
        self.maps = trunk(3, points, width)

    def forward(self, image: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b p 2"]:
        return marginal_soft_argmax(self.maps(image).float())


class Imm(nn.Module):
    """IMM: the points of frame x and the look of another frame x' of the video → the frame, with Ψ's sizes.

    Nothing of x but its points reaches the reconstruction, as Gaussians at 1/8 of the size.
    """

    def __init__(self, points: int, width: int):
        super().__init__()
        w = 8 * width

        def rise(a, b):
            return nn.Sequential(block(a, b), block(b, b), nn.Upsample(scale_factor=2, mode="bilinear"))

        self.detector = Detector(points, width)
        self.appearance = trunk(3, w, width)
        self.painter = nn.Sequential(
            rise(w + points, w),
            rise(w, w // 2),
            rise(w // 2, w // 4),
            block(w // 4, w // 8),
            nn.Conv2d(w // 8, 3, 3, 1, 1),
        )
        self.to(memory_format=torch.channels_last)

    def paint(self, points: Float[Tensor, "b p 2"], other: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b 3 s s"]:
        """Points (x, y) in [-1, 1] and x' → x̂."""
        return self.painter(torch.cat([gaussian_maps(points, other.shape[-1] // 8), self.appearance(other)], 1))

    def forward(self, frame: Float[Tensor, "b 3 s s"], other: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b 3 s s"]:
        return self.paint(self.detector(frame), other)


def train_imm(config: Config, clips: Clips, points: int = 30, progress: bool = True, device: str = "cpu") -> Imm:
    """IMM on frame pairs of the clips, with the method's reconstruction loss. No poses, no labels.

    Steps, batch, rates, widths and seed are those of ``config``. Trains on ``device``, returns a model on the CPU,
    whose ``.detector`` finds the points.
    """
    generator = torch.Generator().manual_seed(config.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        net, perceptual = Imm(points, config.network.width).to(device).train(), make_perceptual(config).to(device)

    def loss() -> Tensor:
        frame, other = (x.to(device) for x in clips.pairs(config.optimizer.batch, generator))
        return perceptual(net(frame, other).float(), frame)

    name = "IMM" if progress else ""
    learn(lambda _: loss(), net.parameters(), config.optimizer, name, device=torch.device(device).type, beta=0.5)
    return net.cpu()


def linear_read_out(
    points: Float[Tensor, "n p 2"], truth: Float[Tensor, "n k 2"], unseen: Float[Tensor, "m p 2"]
) -> Float[Tensor, "m k 2"]:
    """Named joints as an affine function of all points of an image, fitted on n labelled images, for m unseen ones.

    All (x, y) in [-1, 1]. Ridge regression with an intercept; the weight of the ridge is the one with the
    smallest leave-one-out error, computed in closed form. KpError for fewer than two labelled images.
    """
    n = len(points)
    if n < 2:
        raise KpError(f"a linear read-out needs at least 2 labelled images, not {n}; label more")
    x, y = points.flatten(1).double(), truth.flatten(1).double()
    u, s, v = torch.linalg.svd(x - x.mean(0), full_matrices=False)
    target = u.T @ (y - y.mean(0))

    def solve(ridge: float) -> tuple[float, Tensor]:
        weight = ridge * s[0].clamp_min(1e-12) ** 2
        share = s**2 / (s**2 + weight)
        leverage = 1 / n + (u**2 * share).sum(1)
        left_out = (y - y.mean(0) - u @ (share[:, None] * target)) / (1 - leverage)[:, None]
        return (left_out**2).mean().item(), v.T @ ((s / (s**2 + weight))[:, None] * target)

    _, slope = min((solve(r) for r in RIDGES), key=lambda pair: pair[0])
    read_out = y.mean(0) + (unseen.flatten(1).double() - x.mean(0)) @ slope
    return read_out.view(-1, *truth.shape[1:]).to(truth.dtype)
