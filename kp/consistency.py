"""How far a model agrees with itself where nobody knows the truth: under mirroring, and from frame to frame."""

import torch
from jaxtyping import Float
from torch import Tensor

from kp.metrics import joint_errors
from kp.predict import Predictor


def mirrored(predictor: Predictor, images: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n k 2"]:
    """Keypoints (x, y) in [-1, 1] read from the mirror images, and mirrored back: left and right exchanged."""
    return predictor(images.flip(3)).keypoints[:, predictor.skeleton.flip] * torch.tensor([-1.0, 1.0])


def mirrored_mean(predictor: Predictor, images: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n k 2"]:
    """Keypoints (x, y) in [-1, 1], the mean of those read from each image and from its mirror image."""
    return (predictor(images).keypoints + mirrored(predictor, images)) / 2


def mirror_disagreement(predictor: Predictor, images: Float[Tensor, "n 3 s s"]) -> Float[Tensor, " n"]:
    """Mean distance between the keypoints of an image and those of its mirror image mirrored back, % of the image size.

    Whatever the truth, the errors of the two readings add up to at least this.
    """
    return joint_errors(predictor(images).keypoints, mirrored(predictor, images)).mean(1)


def jitter(keypoints: Float[Tensor, "t k 2"]) -> Float[Tensor, " u"]:
    """How far each inner frame's points lie from the middle of their neighbours in time, % of the image size, mean over joints.

    keypoints: (x, y) in [-1, 1], consecutive frames. Points that move evenly have none; t − 2 values.
    """
    return joint_errors(keypoints[1:-1], (keypoints[:-2] + keypoints[2:]) / 2).mean(1)
