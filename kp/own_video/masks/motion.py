"""Masks by motion, without labels: what moves before a static camera, and what looks like that where it stands still.

A pixel far from its median over the clip has moved. That finds arms and misses trunks, which hardly move in a second or
two. But no body part stands still in *every* clip: a small network that learns, from one frame, which pixels move,
finds whole people. Where it sees none, the background comes to light, and what equals it elsewhere is none either; a
second network learns from that. Pathak et al., "Learning features by watching objects move", CVPR 2017, learnt so from
motion, too.
"""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha1
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, UInt8
from torch import Tensor

from kp.datasets.clips import Clips, to_images
from kp.errors import KpError
from kp.method.networks import Encoder
from kp.training.distil import frames_at
from kp.training.optim import PROBE, teach_fresh
from kp.video import shrink

MOVED = 10  # of 255, in any channel
# a pixel may belong to the subject if so large a share of such pixels moves; below 1/2, since trunks seldom move
LIKELY = 0.25
SAME = 6  # of 255, in every channel: no different from the background
SEEN = 2  # frames in which a pixel must show the background for it to be known
LEAST = 0.003  # share of moving pixels below which nothing can be learnt


def moving(frames: UInt8[Tensor, "t h w 3"]) -> Bool[Tensor, "t h w"]:
    """Where each frame of a static camera's clip differs from the median over the clip."""
    x = frames.float()
    return ((x - x.median(0).values).abs() > MOVED).any(-1)


def train_foreground(
    clips: Clips,
    steps: int = 600,
    seed: int = 0,
    width: int = 16,
    progress: bool = True,
    device: str = "cpu",
    keep: Path | None = None,
) -> Encoder:
    """A network, images (b, 3, s, s) in [-1, 1] → logits (b, 1, s, s) that a pixel belongs to the subject.

    ``steps`` of learning which pixels are :func:`moving`; then ``steps`` of learning, afresh, what :func:`subject_mask`
    makes of that. keep: beginning of the names of two files to go on from after the call was cut off. KpError if hardly
    anything moves in these clips.
    """
    targets = [moving(frames) for frames in clips.frames]
    share = torch.stack([m.float().mean() for m in targets]).mean().item()
    if share < LEAST:
        raise KpError(
            f"only {100 * share:.2f} % of the pixels ever move; masks by motion need a static camera and a moving "
            "subject"
        )
    names = ("what moves", "the subject") if progress else ("", "")
    digest = sha1()
    for frames in clips.frames:
        digest.update(np.ascontiguousarray(frames))
    about = digest.hexdigest()
    kept = [keep.with_name(f"{keep.name}.{number}") if keep else None for number in (1, 2)]
    first = _fit(clips, targets, steps, seed, width, names[0], device, kept[0], about)
    masks = [subject_mask(first, frames) for frames in clips.frames]
    return _fit(clips, masks, steps, seed, width, names[1], device, kept[1], about)


def _fit(
    clips: Clips,
    targets: list[Bool[Tensor, "_ s s"]],
    steps: int,
    seed: int,
    width: int,
    name: str,
    device: str,
    keep: Path | None,
    about: str,
) -> Encoder:
    """A fresh network that learns one binary picture per frame, from batches of 16 frames."""

    def loss(net, generator):
        clip = torch.randint(len(clips), (16,), generator=generator).tolist()
        moments = [int(torch.randint(len(clips.frames[c]), (1,), generator=generator)) for c in clip]
        target = torch.stack([targets[c][t] for c, t in zip(clip, moments, strict=True)])[:, None].float()
        return F.binary_cross_entropy_with_logits(net(frames_at(clips, clip, moments).to(device)), target.to(device))

    def make():
        return Encoder(width, 3, 1).to(memory_format=torch.channels_last)

    return teach_fresh(make, loss, replace(PROBE, steps=steps), seed, name, device, keep, about).cpu()


@torch.no_grad()
def subject_mask(net: Callable[[Tensor], Tensor], frames: UInt8[Tensor, "t s s 3"]) -> Bool[Tensor, "t s s"]:
    """Where ``net`` (images → logits) takes a pixel for the subject's, unless it equals the clip's background, as far
    as that is known.

    The background: the median over the frames in which the network takes a pixel for no part of the subject.
    """
    likely = torch.cat([net(to_images(part))[:, 0].sigmoid() > LIKELY for part in frames.split(64)])
    hidden = torch.where(likely[..., None], torch.nan, frames.float())
    differs = ((frames - hidden.nanmedian(0).values).abs() > SAME).any(-1)
    return likely & (differs | ((~likely).sum(0) < SEEN))


def motion_masks(
    net: Callable[[Tensor], Tensor], frames: UInt8[np.ndarray, "t h w 3"], size: int
) -> Bool[np.ndarray, "t h w"]:
    """:func:`subject_mask`, found at ``size`` pixels a side, enlarged to the frames' own."""
    mask = subject_mask(net, torch.from_numpy(shrink(frames, size)))[:, None].float()
    return (F.interpolate(mask, frames.shape[1:3], mode="bilinear", align_corners=False)[:, 0] > 0.5).numpy()
