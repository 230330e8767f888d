"""Is the confidence of ``kp predict`` right? Fit its three numbers on the validation set, measure them on the test set.

``python -m kp.research.scripts.confidence`` writes results/confidence/<model>.json: the curve of its confidence,
and, on test people, how often joints of each confidence are within 5 % of the image size of the truth.
"""

from dataclasses import replace
from pathlib import Path

import torch
import tyro
from torch import Tensor

from kp.evaluation.evaluate import load_test
from kp.geometry import joint_errors
from kp.inference.confidence import CLOSE, confidence, fit_curve
from kp.inference.published import load
from kp.provenance import write_record

BINS = 10


def measured(predictor, split: str, background: bool) -> tuple[Tensor, Tensor]:
    """(distances between readings (n, 2), errors (n,)) of all joints of all frames of a split, % of the image size."""
    test = load_test(replace(predictor.model.config.data, background=background), split)
    keypoints, distances = predictor.readings(test.images.flatten(0, 1))
    return distances.flatten(0, 1), joint_errors(keypoints, test.keypoints.flatten(0, 1)).flatten()


def reliability(sure: Tensor, right: Tensor) -> dict:
    """Joints in tenths of equal number by confidence: mean confidence, share that is right; and the mean gap between
    the two.
    """
    order = sure.argsort()
    rows = [(sure[part].mean().item(), right[part].double().mean().item()) for part in order.chunk(BINS)]
    gap = sum(abs(a - b) for a, b in rows) / len(rows)
    return {"confidence": [a for a, _ in rows], "right": [b for _, b in rows], "gap": gap}


def ranking(sure: Tensor, right: Tensor) -> float:
    """Probability that of two joints, one right and one wrong, the right one has more confidence (area under the ROC
    curve).
    """
    ranks = sure.double().argsort().argsort().double() + 1
    good, bad = right.sum().item(), (~right).sum().item()
    return (ranks[right].sum().item() - good * (good + 1) / 2) / (good * bad)


def main(models: tuple[str, ...] = ("people", "faces"), out: Path = Path("results/confidence")) -> None:
    """Fit and measure.

    Args:
        models: Published models.
        out: Folder for the records.
    """
    for name in models:
        predictor = load(name)
        known = [measured(predictor, "val", background) for background in (False, True)]
        curve = fit_curve(*(torch.cat(column) for column in zip(*known, strict=True)))
        numbers = {"model": name, "curve": curve._asdict(), "close": CLOSE}
        for place, background in (("on black", False), ("before backgrounds", True)):
            distances, error = measured(predictor, "test", background)
            sure, right = confidence(distances, curve), error <= CLOSE
            numbers[place] = reliability(sure, right) | {
                "right_share": right.double().mean().item(),
                "ranking": ranking(sure, right),
            }
            print(name, place, {k: v for k, v in numbers[place].items() if not isinstance(v, list)}, curve)
        write_record(out / f"{name}.json", numbers)


if __name__ == "__main__":
    tyro.cli(main)
