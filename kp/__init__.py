"""kp: named keypoints from unlabelled videos and unpaired poses.

A re-implementation of *Self-supervised Learning of Interpretable Keypoints from Unlabelled Videos* (Jakab, Gupta,
Bilen, Vedaldi, CVPR 2020). The paper is in ``kp.method``; ``kp.datasets`` holds what a training may see,
``kp.training`` the loop, ``kp.inference`` what a trained model is for. The names below are the front door; each is
imported when it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kp import config as config
    from kp.config import Config as Config
    from kp.errors import KpError as KpError
    from kp.evaluation.evaluate import evaluate as evaluate
    from kp.formats.track import Track as Track
    from kp.inference.predictor import Predictor as Predictor
    from kp.inference.published import load as load
    from kp.own_video.fit import fit as fit
    from kp.skeletons import Skeleton as Skeleton
    from kp.training.loop import train as train

__version__ = "0.4.0"
__all__ = ["Config", "KpError", "Predictor", "Skeleton", "Track", "__version__", "evaluate", "fit", "load", "train"]

_HOMES = {
    "Config": "kp.config",
    "KpError": "kp.errors",
    "Predictor": "kp.inference.predictor",
    "Skeleton": "kp.skeletons",
    "Track": "kp.formats.track",
    "evaluate": "kp.evaluation.evaluate",
    "fit": "kp.own_video.fit",
    "load": "kp.inference.published",
    "train": "kp.training.loop",
}


def __getattr__(name: str) -> object:
    if name == "config":
        return import_module("kp.config")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'kp' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES, "config"])
