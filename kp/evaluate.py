"""A trained run against the ground truth of people it has never seen."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from kp.clips import Clips, load_clips, to_images
from kp.config import Data
from kp.datasets import open_clips
from kp.errors import KpError
from kp.human36m_truth import activity_table
from kp.human36m_truth import load_truth as load_h36m_truth
from kp.metrics import Scores, joint_errors, score
from kp.poses import Poses
from kp.predict import Prediction, Predictor
from kp.skeleton import find_skeleton
from kp.truth import Truth, load_truth

EVERY = 4  # frames between evaluated ones: neighbours are nearly equal


@dataclass(frozen=True)
class TestSet:
    """Clips of a split with their truth, every fourth frame: images (n, t, 3, s, s) and keypoints (n, t, k, 2)."""

    __test__ = False  # not a pytest class

    clips: Clips
    truth: Truth
    images: Float[Tensor, "n t 3 s s"]
    keypoints: Float[Tensor, "n t k 2"]


def load_test(data: Data, split: str = "test", progress: bool = True) -> TestSet:
    """Clips and truth of ``split`` under the same resolution, background, masks and motion source as the training data."""
    clips = load_clips(data.videos, split, data.size, data.background, data.source, progress, data.masks)
    truth = load_truth(data.videos, split, find_skeleton(data.skeleton), data.size).of(clips.names)
    lengths = {len(frames) for frames in clips.frames}
    if lengths != {truth.keypoints.shape[1]}:
        raise KpError(
            f"{data.videos}/videos/{split}: clips have {sorted(lengths)} frames, the truth {truth.keypoints.shape[1]}; make them equal"
        )
    images = torch.stack([to_images(frames[::EVERY]) for frames in clips.frames])
    return TestSet(clips, truth, images, truth.keypoints[:, ::EVERY])


def evaluate(predictor: Predictor, test: TestSet, poses: Poses) -> tuple[Scores, Prediction]:
    """Scores on the test clips, and the predictions they come from (images flattened over clips and frames)."""
    made = predictor(test.images.flatten(0, 1))
    split = lambda p: p.unflatten(0, test.keypoints.shape[:2])
    scores = score(split(made.keypoints), test.keypoints, split(made.reference), poses.keypoints.mean(0), predictor.skeleton)
    return scores, made


def activities(predictor: Predictor, split: str = "test") -> dict[str, dict[str, float]]:
    """Simplified Human3.6M's table: errors an activity and their mean (see :func:`kp.human36m_truth.activity_table`).

    Predicts clip by clip, since the test images as floats would fill the memory.
    """
    data = predictor.model.config.data
    clips = open_clips(data, split)
    true = load_h36m_truth(data.videos, split, data.every)
    made = [predictor(to_images(frames)) for frames in tqdm(clips.frames, desc="predicting", unit="clip", leave=False)]
    return activity_table([m.keypoints for m in made], true, [m.reference for m in made], clips.sources, predictor.skeleton)


def regressor_floor(predictor: Predictor, keypoints: Float[Tensor, "n k 2"]) -> float:
    """Error of the pre-trained η on perfect drawings β(p), % of the image size: no prediction can be expected below it."""
    with torch.no_grad():
        predictor.first_regressor.eval()
        drawn = (predictor.model.draw(p).to(predictor.device) for p in keypoints.split(64))
        read = torch.cat([predictor.first_regressor(y).cpu() for y in drawn])
    return joint_errors(read, keypoints).mean().item()
