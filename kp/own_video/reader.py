"""A reader: a network that finds keypoints in frames of a subject on black, taught by cardboard figures.

It sees the film in one way only. Subjects differ: another fly stretches its middle legs further forward, and its wings
are longer. A reader that is not sure reports what is usual among the poses that taught it, so its readings of the film
lie between those poses and the truth. The mean of the readings says which way. The poses that teach are moved that way,
joint by joint, while the reader learns, until its readings of the film and the poses that taught it agree in the mean.
That is expectation maximisation for one parameter, the mean pose of the film. No label is used.
"""

import copy
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from kp.config import Optimizer
from kp.datasets.priors import Poses
from kp.inference.outlines import WIDTH
from kp.method.networks import UNetRegressor, joint_soft_argmax
from kp.own_video.cardboard import CardboardRenderer, spoil, tear
from kp.skeletons import Skeleton
from kp.training.optim import Progress, learn

MAPS = 0.02  # weight of the maps' loss beside the squared error
BEGIN, EVERY, STEP = 0.3, 50, 0.5  # of the mean's moves: share of the steps before the first; steps between; their size
READ = 192  # frames that are read for a move
RECENT = 0.03  # weight of the newest batch in the running mean of the poses that teach


def map_loss(scores: Float[Tensor, "b k h w"], points: Float[Tensor, "b k 2"]) -> Float[Tensor, ""]:
    """Cross-entropy of the joints' maps and Gaussians of 0.7 cells around the true points (x, y) in [-1, 1].

    The squared error of the read-out alone teaches where a map's mean should be, not that it should be narrow: with
    this term a reader learns in half the steps (Nibali, He, Morgan, Prendergast, "Numerical coordinate regression with
    convolutional neural networks", 2018, with another divergence).
    """
    height, width = scores.shape[2:]

    def bell(at, cells):
        return (-(((torch.linspace(-1, 1, cells) - at[..., None]) * (cells - 1) / 2 / 0.7) ** 2) / 2).exp()

    goal = bell(points[..., 1], height)[..., :, None] * bell(points[..., 0], width)[..., None, :]
    goal = goal.flatten(2) / goal.flatten(2).sum(-1, keepdim=True).clamp_min(1e-6)
    return -(goal * scores.flatten(2).log_softmax(-1)).sum(-1).mean()


def reader_loss(scores: Float[Tensor, "b k h w"], points: Float[Tensor, "b k 2"]) -> Float[Tensor, ""]:
    """Squared error of the read-out and the maps' loss, over the joints whose points (x, y) in [-1, 1] are not NaN."""
    seen = points.isfinite().all(-1)
    squares = F.mse_loss(joint_soft_argmax(scores)[seen], points[seen])
    return squares + MAPS * map_loss(scores[seen][None], points[seen][None])


class MeanShift(nn.Module):
    """How far the poses that teach are moved so that they agree in the mean with what is read in a film.

    ``shift`` (k, 2): added to every pose of the prior before it is varied. ``taught`` (k, 2): the running mean of the
    varied poses. Both are the same for a pose and its mirror image. The first joint of a limb is never moved: it lies
    under the body, and nothing in a frame says where.
    """

    def __init__(self, skeleton: Skeleton):
        super().__init__()
        self.skeleton = skeleton
        self.register_buffer("shift", torch.zeros(len(skeleton), 2))
        self.register_buffer("taught", torch.full((len(skeleton), 2), torch.nan))
        self.roots = [limb[0] for limb, _ in skeleton.limbs if len(limb) > 1]

    def note(self, varied: Float[Tensor, "b k 2"]) -> None:
        """Take a batch of poses that taught into their running mean."""
        mean = self._even(varied)
        self.taught = torch.where(self.taught.isnan(), mean, self.taught.lerp(mean, RECENT))

    def move(self, read: Float[Tensor, "n k 2"]) -> None:
        """Move the poses that will teach half the way from their mean to that of readings."""
        step = STEP * (self._even(read) - self.taught)
        step[self.roots] = 0
        self.shift = self.shift + step
        self.taught = self.taught + step

    def _even(self, points: Float[Tensor, "n k 2"]) -> Float[Tensor, "k 2"]:
        """The mean of points and, where the skeleton has sides, of their mirror images."""
        mean = points.mean(0)
        return (mean + self.skeleton.mirrored(mean)) / 2 if self.skeleton.mirror_pairs else mean


def teach_reader(
    poses: Poses,
    renderer: CardboardRenderer,
    rates: Optimizer,
    seed: int,
    film: Float[Tensor, "n c s s"] | None = None,
    width: int = WIDTH,
    name: str = "",
    keep: Path | None = None,
) -> nn.Module:
    """η's own network, taught to read poses off cardboard figures of varied prior poses. Grey pictures with a rim, in
    [-1, 1] (n, 1, s, s) → keypoints (n, k, 2) in their frame; :func:`read_frames` asks it about images.

    rates: steps, batch, rate and its course, and ``average``, the decay of the running mean of the weights, which is
    the reader. film: frames in [-1, 1], subjects on black, to whose mean pose the poses are moved; None leaves them
    where they are. width: channels of the first stage. keep: a file to go on from after the call was cut off.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = UNetRegressor(len(renderer.skeleton), width, 1).train()
    reader, moved = copy.deepcopy(net).eval().requires_grad_(False), MeanShift(renderer.skeleton)

    def loss(step: int) -> Tensor:
        if film is not None and step >= BEGIN * rates.steps and step % EVERY == 0:
            some = torch.randperm(len(film), generator=generator)[:READ]
            moved.move(read_frames(reader, film[some], renderer))
        pose = renderer.vary(poses.sample(rates.batch, generator) + moved.shift, generator)
        moved.note(pose)
        drawn = renderer.draw(pose * renderer.inside, generator)
        drawn = spoil(tear(drawn, generator) if renderer.figure.outline else drawn, generator) * renderer.window
        return reader_loss(net.scores(drawn * 2 - 1), pose * renderer.inside)

    progress = Progress(keep, generator, (net, reader, moved)) if keep else None
    learn(loss, net.parameters(), rates, name, [(reader, net)], progress=progress)
    return reader


@torch.no_grad()
def read_frames(
    reader: nn.Module, images: Float[Tensor, "n c s s"], renderer: CardboardRenderer
) -> Float[Tensor, "n k 2"]:
    """Keypoints (x, y) in [-1, 1] that a reader finds in images in [-1, 1] on black, or in outlines, some of them just
    outside: the mean of the readings of the image's brightness and of its mirror image, where the skeleton has sides.
    """
    grey = F.pad(images.mean(1, keepdim=True), 4 * [renderer.rim], value=-1.0)
    return mirrored_mean(reader, grey, renderer.skeleton) / renderer.inside


@torch.no_grad()
def mirrored_mean(
    net: Callable[[Tensor], Tensor], images: Float[Tensor, "n c s s"], skeleton: Skeleton
) -> Float[Tensor, "n k 2"]:
    """What a network of images → keypoints reads: the mean of an image's reading and that of its mirror image, or the
    former alone where the skeleton has no sides.
    """
    plain = torch.cat([net(x) for x in images.split(64)])
    if not skeleton.mirror_pairs:
        return plain
    return (plain + skeleton.mirrored(torch.cat([net(x.flip(3)) for x in images.split(64)]))) / 2
