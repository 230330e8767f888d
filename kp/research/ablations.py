"""Named departures from a preset: what each part is there for, each choice of the recipe, each harder kind of data."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kp.config import Config
from kp.errors import KpError


def _with(**parts: dict) -> Callable[[Config], Config]:
    """Config → Config, with fields of its parts replaced: ``_with(loss={"adversarial": 0.0})``."""
    return lambda c: replace(c, **{part: replace(getattr(c, part), **fields) for part, fields in parts.items()})


ABLATIONS = {
    "full": ("the method", _with()),
    "skeleton_and_frame": ("Ψ reads y, and a second frame", _with(method={"decoder_reads": "skeleton"})),
    "skeleton_alone": (
        "Ψ reads y, and nothing else",
        _with(method={"decoder_reads": "skeleton", "second_frame": False}),
    ),
    "no_frame": ("Ψ reads y* alone: no conditioning", _with(method={"second_frame": False})),
    "no_discriminator": ("without D", _with(loss={"adversarial": 0.0})),
    "no_reconstruction": ("without Ψ's loss: D alone", _with(loss={"perceptual": 0.0})),
    "frozen_regressor": ("η not fine-tuned", _with(method={"finetune_regressor": False})),
}
"""The method with a part taken away. Name → (what it is, Config → Config)."""

RECIPES = {
    "official_regressor": ("the official η", _with(network={"regressor": "official"})),
    "official_pretraining": (
        "η taught at a constant 0.0002, poses as they are",
        _with(
            optimizer={
                "pretrain_lr": 2e-4,
                "pretrain_schedule": "constant",
                "pretrain_beta": 0.5,
                "pretrain_augment": False,
            }
        ),
    ),
    "official_init": ("the official initialisation", _with(network={"official_init": True})),
    "constant_rate": (
        "constant rates: Φ, Ψ, D 0.0002, η 0.0001",
        _with(optimizer={"schedule": "constant", "lr": 2e-4}),
    ),
    "slow_regressor": ("η learns beside Φ at a tenth of its rate", _with(optimizer={"lr_regressor": 1e-5})),
    "drawn_poses_alone": ("η learns beside Φ, on drawn poses alone", _with(loss={"regressor_fake": 0.0})),
    "strong_discriminator": ("D counts three times as much", _with(loss={"adversarial": 30.0})),
    "gaussian_profile": ("drawn with a Gaussian profile", _with(network={"profile": "gaussian"})),
}
"""Choices of our recipe, each taken back to the official one or changed."""

FEATURES = {
    "raw_pixels": ("images compared by pixels alone", _with(loss={"features": "raw"})),
    "random_features": ("by a random network", _with(loss={"features": "random"})),
    "lite0_features": ("by EfficientNet-Lite0 (ImageNet labels)", _with(loss={"features": "lite0"})),
    "vgg16_features": (
        "by VGG-16 (ImageNet labels)",
        _with(loss={"features": "vgg16"}),
    ),
}
"""How images are compared; the preset takes a pyramid of pixels."""

PRIORS = {
    **{f"prior_{n}": (f"{n:,} poses in the prior", _with(data={"prior_size": n})) for n in (50, 500, 5000)},
    "cmu_matched": ("videos of source A, matched prior", _with(data={"source": "cmu"})),
    "mixture_50": (
        "videos of source A, 50 % of the prior from source B",
        _with(data={"source": "cmu", "second_prior": "other", "second_share": 0.5}),
    ),
    "other_prior": ("videos of source A, prior of source B", _with(data={"source": "cmu", "prior": "other"})),
}
"""How many poses, and how near to the videos."""

_OTHER = {"source": "cmu", "prior": "other"}
REMEDIES = {
    "other_recombined": ("… D sees recombined limbs", _with(data=_OTHER | {"vary_prior": "recombine"})),
    "other_augmented": ("… recombined and augmented", _with(data=_OTHER | {"vary_prior": "augment"})),
    "other_weighed": ("… D sees the poses that fit silhouettes", _with(data=_OTHER | {"vary_prior": "weigh"})),
    "other_soft": ("… D counts a third", _with(data=_OTHER, loss={"adversarial": 3.0})),
}
"""Against a prior unlike the videos."""

SETTINGS = {
    "background": ("with backgrounds", _with(data={"background": True})),
    "background_motion": (
        "with backgrounds, moving pixels count more",
        _with(data={"background": True}, loss={"motion": 4.0}),
    ),
    "background_moved": (
        "with backgrounds, frames and poses moved at random",
        _with(data={"background": True, "move": True}),
    ),
    "size_128": ("at 128 pixels", _with(data={"size": 128})),
    "motion_masks": ("masks found by motion (kp masks)", _with(data={"masks": Path("runs/masks/people")})),
    "circle": ("cameras all around", _with(data={"videos": Path("data/circle")})),
    "circle_tolerant": (
        "… η may exchange sides",
        _with(data={"videos": Path("data/circle")}, method={"flip_tolerant": True}),
    ),
    "circle_sides": (
        "… sides drawn in three channels",
        _with(data={"videos": Path("data/circle")}, network={"limbs": "sides"}),
    ),
}
"""Harder videos for the same method."""

_RENDERED = {"prior": "matched"}
FACES = {
    "unmoved": ("frames and poses as they are", _with(data={"move": False})),
    "rendered_prior": ("poses of other rendered faces", _with(data=_RENDERED)),
    "rendered_and_frame": (
        "… Ψ reads y, and a second frame",
        _with(data=_RENDERED, method={"decoder_reads": "skeleton"}),
    ),
    "rendered_alone": (
        "… Ψ reads y, and nothing else",
        _with(data=_RENDERED, method={"decoder_reads": "skeleton", "second_frame": False}),
    ),
}
"""For the preset faces."""

ALL = ABLATIONS | RECIPES | FEATURES | PRIORS | REMEDIES | SETTINGS
"""For people; FACES, ABLATIONS, RECIPES and FEATURES are for faces."""


def names_for(preset: str) -> list[str]:
    """Names of the departures that make sense with a preset, in order."""
    return list(ABLATIONS | RECIPES | FEATURES | FACES if preset == "faces" else ALL)


def find_ablation(name: str) -> tuple[str, Callable[[Config], Config]]:
    """(description, Config → Config) of a named departure; KpError lists those there are."""
    if name not in ALL | FACES:
        raise KpError(f"unknown ablation '{name}'; use some of: {', '.join(ALL | FACES)}")
    return (ALL | FACES)[name]
