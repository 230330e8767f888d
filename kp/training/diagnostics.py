"""Does it learn? A few numbers that tell without labels, and what they mean in plain words.

They are taken on a few frames that stay the same, with the averaged weights, and change nothing in the training.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from kp.datasets.clips import Clips
from kp.datasets.priors import Poses
from kp.geometry import Similarity, joint_errors
from kp.inference.predictor import Prediction, Predictor
from kp.skeletons import resolve_flips
from kp.training.state import State

PROBES = 32  # frames
SHIFT = 0.15  # of kp's coordinates: 5 of 64 pixels
CENTRE = 0.1  # of kp's coordinates: 5 % of the image's size
EARLY = 100  # steps in which nothing is judged
MEMORY = 3  # looks that are averaged for a judgement
HALF, SHORT = 0.5, 100  # of the mean pose's error, that η may have left; steps of pre-training that teach nothing yet
SPREAD, BEYOND, FOLLOWS, FLIPS, ACCURACY = 0.25, 0.3, 0.45, 0.25, 0.95  # beyond these, something is wrong


@dataclass(frozen=True)
class Diagnostics:
    """The numbers of one look at a training. Shares are in [0, 1].

    ``spread``: standard deviation of the joints over the frames, as a multiple of that over the prior's poses.
    ``centred``: share of joints within 5 % of the image's size of its centre, and ``prior_centred`` that of the prior.
    ``follows``: how far poses move when the picture is shifted, as a multiple of the shift. ``flips``: share of poses
    whose redrawing η₀ reads with left and right exchanged. ``real`` and ``fake``: D's mean score of drawn prior poses
    (wanted: 1) and of Φ's pictures (wanted: 0), ``accuracy``: the share of both that it judges rightly; None without D.
    """

    step: int
    spread: float
    centred: float
    prior_centred: float
    follows: float
    flips: float
    real: float | None
    fake: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Verdict:
    """``level``, one sentence of what is seen, and what probably helps (empty if nothing needs to)."""

    level: Literal["early", "well", "doubtful", "wrong"]
    seen: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.seen} What may help: {self.remedy}" if self.remedy else self.seen


@dataclass(frozen=True)
class Probe:
    """The frames of a training that are looked at again and again, other frames of the same clips, and some poses of
    the prior.
    """

    frames: Float[Tensor, "n 3 s s"]
    others: Float[Tensor, "n 3 s s"]
    poses: Float[Tensor, "n k 2"]

    @staticmethod
    def of(clips: Clips, poses: Poses) -> "Probe":
        """Chosen by a generator of its own: the training's is not touched."""
        generator = torch.Generator().manual_seed(0)
        return Probe(*(x.cpu() for x in clips.pairs(PROBES, generator)), poses.sample(PROBES, generator))


def following(predictor: Predictor, frames: Float[Tensor, "n 3 s s"], found: Float[Tensor, "n k 2"]) -> float:
    """How far keypoints ``found`` in frames move along when the frames are shifted, as a multiple of the shift: 1 is
    right, 0 is rigid.

    Frames are shifted left, right, up and down in turn, by 7.5 % of their size.
    """
    ways = SHIFT * torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    shift = ways[torch.arange(len(frames)) % 4]
    moved = predictor(Similarity(torch.eye(2).expand(len(frames), 2, 2), shift).images(frames)).keypoints - found
    return ((moved * shift[:, None]).sum(-1) / SHIFT**2).mean().item()


@torch.no_grad()
def scores_of(state: State, drawings: Float[Tensor, "n c s s"]) -> Float[Tensor, " p"]:
    """D's scores of all patches, at all scales, of skeleton images."""
    discriminator = state.model.discriminator
    was = discriminator.training
    scores = discriminator.eval()(drawings.to(state.device, memory_format=torch.channels_last))
    discriminator.train(was)
    return torch.cat([s.flatten() for s in scores]).float().cpu()


def diagnose(state: State, probe: Probe) -> tuple[Diagnostics, Prediction]:
    """The signs of a training at this moment, and what its averaged weights find in the probe's frames.

    Changes nothing in ``state``.
    """
    predictor = state.predictor()
    prediction = predictor(probe.frames)

    def near(points):
        return (points.norm(dim=-1) < CENTRE).float().mean().item()

    def wide(points):
        return points.std(0, correction=0).mean().item()

    resolved = resolve_flips(prediction.keypoints, prediction.reference, predictor.skeleton)
    real = fake = None
    if state.config.loss.adversarial:
        with torch.no_grad():
            drawings = state.model.draw(probe.poses.to(state.device))
        real, fake = scores_of(state, drawings), scores_of(state, prediction.skeleton)
    return Diagnostics(
        step=state.step,
        spread=wide(prediction.keypoints) / max(wide(probe.poses), 1e-6),
        centred=near(prediction.keypoints),
        prior_centred=near(probe.poses),
        follows=following(predictor, probe.frames, prediction.keypoints),
        flips=(resolved != prediction.keypoints).any(-1).any(-1).float().mean().item(),
        real=None if real is None else real.mean().item(),
        fake=None if fake is None else fake.mean().item(),
        accuracy=None
        if real is None or fake is None
        else ((real > 0.5).float().mean() + (fake < 0.5).float().mean()).item() / 2,
    ), prediction


def judge(history: list[Diagnostics]) -> Verdict:
    """What the latest looks, averaged, mean. The worst thing is named first, with the remedy that it most often has."""
    last = history[-MEMORY:]

    def mean(name):
        return sum(getattr(signs, name) or 0 for signs in last) / len(last)

    spread, follows, flips, beyond = (
        mean("spread"),
        mean("follows"),
        mean("flips"),
        mean("centred") - mean("prior_centred"),
    )
    if spread < SPREAD or beyond > BEYOND:
        where = (
            "gather in the middle of the picture"
            if beyond > BEYOND
            else f"spread {spread:.2f} times as far as the prior's"
        )
        verdict = Verdict(
            "wrong",
            f"Collapsed: the frames all get nearly the same pose (joints {where}).",
            "clips in which the subject moves, and poses like those in them; 'kp check' shows both. If they are: a "
            "lower optimizer.lr, "
            "or begin anew with another seed.",
        )
    elif follows < FOLLOWS:
        verdict = Verdict(
            "wrong",
            f"Poses do not follow the picture: shifted frames move them {follows:.2f} times as far.",
            "masks, so that the subject stands on black (kp masks); crops whose size and place fit the prior's poses "
            "(kp check).",
        )
    elif (accuracy := mean("accuracy")) > ACCURACY and last[-1].accuracy is not None:
        verdict = Verdict(
            "doubtful",
            f"D tells {100 * accuracy:.0f} % of Φ's pictures from drawn poses: they do not look alike.",
            "a prior of the same scale, place and view as the footage (kp check); or a lower "
            "optimizer.lr_discriminator.",
        )
    elif flips > FLIPS:
        verdict = Verdict(
            "doubtful",
            f"Left and right are exchanged in {100 * flips:.0f} % of the frames, as far as the redrawn poses tell.",
            "a subject seen from one side only, and a prior seen from there too; --network.limbs sides draws the sides "
            "apart.",
        )
    else:
        verdict = Verdict(
            "well",
            f"Poses follow the picture (shifted frames move them {follows:.2f} times as far) and differ from frame to "
            "frame "
            f"(spread {spread:.2f} of the prior's).",
        )
    if history[-1].step < EARLY:
        return Verdict(
            "early", f"After {EARLY} steps the signs can be judged; now: spread {spread:.2f}, following {follows:.2f}."
        )
    return verdict


HEALTHY = {
    "spread": (
        f"over {SPREAD}",
        "how much poses differ from frame to frame, in multiples of how much the prior's do; 0: one pose for all",
    ),
    "centred": (
        f"up to {BEYOND} above the prior's",
        "share of joints in the middle, where a regressor that sees nothing puts them",
    ),
    "prior_centred": ("", "the same share of the prior's joints"),
    "follows": (f"over {FOLLOWS}", "how far poses move with a frame that is shifted; 1: as far, 0: not at all"),
    "flips": (f"under {FLIPS}", "share of poses whose redrawing is read with left and right exchanged"),
    "real": ("near 1", "D's mean score of drawn prior poses"),
    "fake": ("not near 0", "D's mean score of Φ's pictures, which should become like drawn poses"),
    "accuracy": (
        f"under {ACCURACY}",
        "share of pictures that D judges rightly; at 0.5 it cannot tell Φ's from drawn poses",
    ),
}
"""Diagnostic → (its healthy range, what it means)."""


def regressor_errors(state: State, poses: Poses) -> tuple[float, float]:
    """(error of the pre-trained η on drawings of ``poses``, error of their mean pose), % of the image size. Where η may
    exchange left and right of a whole pose, the better reading counts.
    """
    model, true = state.model, poses.keypoints
    read = state.predictor().reread(true)
    if model.config.method.flip_tolerant:
        read = resolve_flips(read, true, model.skeleton)
    return joint_errors(read, true).mean().item(), joint_errors(true.mean(0).expand_as(true), true).mean().item()


def regressor_fault(error: float, mean: float, state: State) -> str:
    """What is probably wrong if η reads untaught poses no better than half as far off as their mean pose is; empty if
    it reads them well, or if so little was taught that nothing can be said.
    """
    steps, skeleton = state.config.optimizer.pretrain_steps, state.model.skeleton
    if error < HALF * mean or steps < SHORT:
        return ""
    sides = "" if skeleton.mirror_pairs else "the skeleton has no mirror pairs, so left and right may look alike; "
    return (
        f"η has not learnt to read drawings of this skeleton ({error:.2f} % off, the mean pose {mean:.2f} %): {sides}"
        f"{steps} steps of pre-training may be too few for {len(skeleton)} joints; several limbs may look alike"
    )
