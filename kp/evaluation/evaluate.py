"""A trained run against the ground truth of people it has never seen."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm import tqdm

from kp.config import Data
from kp.datasets import faces300, human36m
from kp.datasets.clips import Clips, load_clips, to_images
from kp.datasets.priors import Poses
from kp.datasets.sets import open_clips, open_prior
from kp.errors import KpError
from kp.evaluation.intervals import clip_factors
from kp.evaluation.metrics import Scores, score
from kp.evaluation.truth import Truth, activity_table, load_300vw_truth, load_human36m_truth, load_truth
from kp.geometry import joint_errors
from kp.inference.predictor import Prediction, Predictor
from kp.inference.published import load
from kp.skeletons import find_skeleton

EVERY = 4  # frames between evaluated ones: neighbours are nearly equal


@dataclass(frozen=True)
class TestSet:
    """Clips of a split with their truth, every fourth frame: images (n, t, 3, s, s) and keypoints (n, t, k, 2).

    ``factors``: whom each clip shows and which motion (:func:`kp.evaluation.intervals.clip_factors`).
    """

    __test__ = False  # not a pytest class

    clips: Clips
    truth: Truth
    images: Float[Tensor, "n t 3 s s"]
    keypoints: Float[Tensor, "n t k 2"]
    factors: tuple[Int[np.ndarray, " n"], ...]


def load_test(data: Data, split: str = "test", progress: bool = True) -> TestSet:
    """Clips and truth of ``split`` in the resolution, with the background, masks and source of the training data."""
    clips = load_clips(data.videos, split, data.size, data.background, data.source, progress, data.masks)
    truth = load_truth(data.videos, split, find_skeleton(data.skeleton), data.size).of(clips.names)
    lengths = {len(frames) for frames in clips.frames}
    if lengths != {truth.keypoints.shape[1]}:
        raise KpError(
            f"{data.videos}/videos/{split}: clips have {sorted(lengths)} frames, the truth {truth.keypoints.shape[1]}; "
            "make them equal"
        )
    images = torch.stack([to_images(frames[::EVERY]) for frames in clips.frames])
    return TestSet(clips, truth, images, truth.keypoints[:, ::EVERY], clip_factors(data.videos, split, clips.names))


@runtime_checkable
class Trained(Protocol):
    """What a training returns."""

    def predictor(self) -> Predictor: ...


def evaluate(model: str | Path | Predictor | Trained, split: str = "test", progress: bool = True) -> Scores:
    """Scores of a model (a published name, a file, a run folder, what a training returned) on a split of the data that
    it was trained on: people it has never seen.

    300-VW has no such split: scored are the frames that it was trained on, without their points. KpError as from
    :func:`kp.inference.published.load`, or if the data hold no truth.
    """
    if isinstance(model, str | Path):
        predictor = load(model)
    else:
        predictor = model if isinstance(model, Predictor) else model.predictor()
    data, seed = predictor.model.config.data, predictor.model.config.seed
    if human36m.is_human36m(data.videos) or faces300.is_300vw(data.videos):
        return _score_clips(predictor, split, progress)
    scores, _ = measure(predictor, load_test(data, split, progress), open_prior(data, seed))
    return scores


def measure(predictor: Predictor, test: TestSet, poses: Poses) -> tuple[Scores, Prediction]:
    """Scores on the test clips, and the predictions they come from (images flattened over clips and frames)."""
    prediction = predictor(test.images.flatten(0, 1))

    def clips(points):
        return points.unflatten(0, test.keypoints.shape[:2])

    mean = poses.keypoints.mean(0)
    keypoints, reference = clips(prediction.keypoints), clips(prediction.reference)
    return score(keypoints, test.keypoints, reference, mean, predictor.skeleton, test.factors), prediction


def _score_clips(predictor: Predictor, split: str, progress: bool) -> Scores:
    """Scores clip by clip: images of long clips, as floats, would fill the memory."""
    data = predictor.model.config.data
    predictions = _predict_clips(predictor, open_clips(data, split), progress)
    if human36m.is_human36m(data.videos):
        true = load_human36m_truth(data.videos, split, data.every)
    else:
        true = load_300vw_truth(data.videos, data.size, data.every, data.source)
    mean = open_prior(data, predictor.model.config.seed).keypoints.mean(0)
    return score([p.keypoints for p in predictions], true, [p.reference for p in predictions], mean, predictor.skeleton)


def _predict_clips(predictor: Predictor, clips: Clips, progress: bool = True) -> list[Prediction]:
    bar = tqdm(clips.frames, desc="predicting", unit="clip", leave=False, disable=not progress)
    return [predictor(to_images(frames)) for frames in bar]


def activities(predictor: Predictor, split: str = "test") -> dict[str, dict[str, float]]:
    """Simplified Human3.6M's table: errors per activity and their mean, as
    :func:`kp.evaluation.truth.activity_table` has them.

    Predicts clip by clip, since the test images as floats would fill the memory.
    """
    data = predictor.model.config.data
    clips = open_clips(data, split)
    true = load_human36m_truth(data.videos, split, data.every)
    predictions = _predict_clips(predictor, clips)
    return activity_table(
        [p.keypoints for p in predictions], true, [p.reference for p in predictions], clips.sources, predictor.skeleton
    )


def regressor_floor(predictor: Predictor, keypoints: Float[Tensor, "n k 2"]) -> float:
    """Error of the pre-trained η on perfect drawings β(p), % of the image size: expect no prediction below it."""
    return joint_errors(predictor.reread(keypoints), keypoints).mean().item()
