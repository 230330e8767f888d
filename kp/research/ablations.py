"""Named departures from a preset: what each part is there for, choices of the recipe, harder data. Each has a record in
data/runs; whatever else a configuration can say, ``kp train`` takes as an option.
"""

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
    "slow_regressor": ("η learns beside Φ at a tenth of its rate", _with(optimizer={"lr_regressor": 1e-5})),
    "drawn_poses_alone": ("η learns beside Φ, on drawn poses alone", _with(loss={"regressor_fake": 0.0})),
}
"""Ways to keep y a skeleton at length."""

PRIORS = {
    "prior_50": ("50 poses in the prior", _with(data={"prior_size": 50})),
    "other_prior": ("videos of source A, prior of source B", _with(data={"source": "cmu", "prior": "other"})),
}
"""How many poses, and how near to the videos."""

_CIRCLE = {"videos": Path("data/circle")}
SETTINGS = {
    "background": ("with backgrounds", _with(data={"background": True})),
    "circle": ("cameras all around", _with(data=_CIRCLE)),
    "circle_tolerant": ("… η may exchange sides", _with(data=_CIRCLE, method={"flip_tolerant": True})),
    "circle_sides": ("… sides drawn in three channels", _with(data=_CIRCLE, network={"limbs": "sides"})),
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

ALL = ABLATIONS | RECIPES | PRIORS | SETTINGS
"""For people; FACES, ABLATIONS and RECIPES are for faces."""


def names_for(preset: str) -> list[str]:
    """Names of the departures that make sense with a preset, in order."""
    return list(ABLATIONS | RECIPES | FACES if preset == "faces" else ALL)


def find_ablation(name: str) -> tuple[str, Callable[[Config], Config]]:
    """(description, Config → Config) of a named departure; KpError lists those there are."""
    if name not in ALL | FACES:
        raise KpError(f"unknown ablation '{name}'; use some of: {', '.join(ALL | FACES)}")
    return (ALL | FACES)[name]
