"""Named departures from the method: what each part is there for, shown by leaving it out."""

from collections.abc import Callable
from dataclasses import replace

from kp.config import Config
from kp.errors import KpError


def _method(**changes) -> Callable[[Config], Config]:
    return lambda c: replace(c, method=replace(c.method, **changes))


def _network(config: Config, **changes) -> Config:
    return replace(config, network=replace(config.network, **changes))


def _optimizer(config: Config, **changes) -> Config:
    return replace(config, optimizer=replace(config.optimizer, **changes))


ABLATIONS = {
    "full": ("the method", lambda c: c),
    "skeleton_and_frame": ("Ψ reads y, and a second frame", _method(decoder_reads="skeleton")),
    "skeleton_alone": ("Ψ reads y, and nothing else", _method(decoder_reads="skeleton", second_frame=False)),
    "no_discriminator": ("without D", lambda c: replace(c, loss=replace(c.loss, adversarial=0.0))),
    "frozen_regressor": ("η not fine-tuned", _method(finetune_regressor=False)),
}
"""Name → (what it is, Config → Config)."""

RECIPES = {
    "official_regressor": ("the official η", lambda c: _network(c, regressor="official", regressor_width=16)),
    "official_init": ("the official initialisation", lambda c: _network(c, official_init=True)),
    "constant_rate": ("constant rates: Φ, Ψ, D 0.0002, η 0.0001", lambda c: _optimizer(c, schedule="constant", lr=2e-4)),
}
"""Where the laptop preset departs from the official recipe, each step taken back."""

SETTINGS = {
    "background": ("with backgrounds", lambda c: replace(c, data=replace(c.data, background=True))),
    "other_prior": ("prior of other motions", lambda c: replace(c, data=replace(c.data, prior="other", source="cmu"))),
}
"""Harder data for the same method; ``other_prior`` learns from clips of one motion source and poses of the other."""


def find_ablation(name: str) -> tuple[str, Callable[[Config], Config]]:
    """(description, Config → Config) of an ablation, a recipe or a setting; KpError lists those there are."""
    known = ABLATIONS | RECIPES | SETTINGS
    if name not in known:
        raise KpError(f"unknown ablation '{name}'; use some of: {', '.join(known)}")
    return known[name]
