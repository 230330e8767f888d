"""Everything that affects the next training step, in one place; saved whole, never half."""

import copy
from pathlib import Path

import torch
from torch import nn

from kp.config import Config, from_json, to_json
from kp.errors import KpError
from kp.inference.predictor import Predictor
from kp.method.checkpoint import read_checkpoint
from kp.method.losses import make_perceptual
from kp.method.model import Model
from kp.method.step import ImagePool
from kp.training.optim import follow


class State:
    """Networks, running means, optimisers, image pool, random generator and the two step counters.

    ``average`` is the running mean of the weights of Φ, η and Ψ, the model that predicts.
    ``first_regressor`` is η as it was after pre-training: it resolves left and right without labels. ``origin``: the
    commits of kp's code that it was trained with, and the checksum of the
    data.
    """

    def __init__(self, config: Config, device: torch.device):
        torch.manual_seed(config.seed)  # initial weights
        self.config, self.device = config, device
        self.model = Model(config).to(device)
        self.perceptual = make_perceptual(config).to(device)
        self.average = Model(config).to(device).requires_grad_(False)
        self.first_regressor = copy.deepcopy(self.model.regressor)
        self.first_regressor.requires_grad_(False)
        model, rates = self.model, config.optimizer

        def adam(params, lr, beta=0.5):
            return torch.optim.Adam(params, lr, (beta, 0.999))

        self.optimizers = {
            "pretrain": adam(model.regressor.parameters(), rates.pretrain_lr, rates.pretrain_beta),
            "generator": adam([*model.encoder.parameters(), *model.decoder.parameters()], rates.lr),
            "discriminator": adam(model.discriminator.parameters(), rates.lr_discriminator),
            "regressor": adam(model.regressor.parameters(), rates.lr_regressor),
        }
        self.pool = ImagePool()
        self.generator = torch.Generator().manual_seed(config.seed)
        self.pretrain_step, self.step = 0, 0
        self.origin: dict = {"commits": [], "data": "none"}
        self.finish_pretraining()

    @property
    def modules(self) -> dict[str, nn.Module]:
        return dict(model=self.model, average=self.average, first_regressor=self.first_regressor)

    def predictor(self, averaged: bool = True) -> Predictor:
        """The model that predicts: with averaged weights, or the last ones if it averages nothing or ``averaged`` is
        off.
        """
        average = averaged and self.config.optimizer.average
        return Predictor(self.average if average else self.model, self.first_regressor)

    def finish_pretraining(self) -> None:
        """Keep η as it now is for flip resolution, and start the averages from the present weights."""
        self.first_regressor.load_state_dict(self.model.regressor.state_dict())
        self.average.load_state_dict(self.model.state_dict())

    def update_average(self) -> None:
        """Move the averaged Φ, η and Ψ towards the present ones; quickly at first, as there is little to remember."""
        for net in ("encoder", "regressor", "decoder"):
            follow(getattr(self.average, net), getattr(self.model, net), self.config.optimizer.average, self.step)

    def state_dict(self) -> dict:
        return dict(
            config=to_json(self.config),
            pretrain_step=self.pretrain_step,
            step=self.step,
            origin=self.origin,
            modules={k: m.state_dict() for k, m in self.modules.items()},
            optimizers={k: o.state_dict() for k, o in self.optimizers.items()},
            perceptual_scale=self.perceptual.scale,  # not Γ's weights: they come from a file and never change
            pool=self.pool.images,
            generator=self.generator.get_state(),
        )

    def load_state_dict(self, saved: dict) -> None:
        self.pretrain_step, self.step = int(saved["pretrain_step"]), int(saved["step"])
        self.origin = saved.get("origin", {"commits": [], "data": ""})  # kp 0.3 did not know
        for k, module in self.modules.items():
            module.load_state_dict(saved["modules"][k])
        for k, optimizer in self.optimizers.items():
            optimizer.load_state_dict(saved["optimizers"][k])
        self.perceptual.scale.copy_(saved["perceptual_scale"])
        self.pool.images = [image.to(self.device) for image in saved["pool"]]
        self.generator.set_state(saved["generator"])


def load_state(path: Path, device: torch.device) -> State:
    """The state saved in a checkpoint, with the configuration it was made with. KpError if it is not whole."""
    saved = read_checkpoint(path)
    state = State(from_json(saved["config"], str(path)), device)
    try:
        state.load_state_dict(saved)
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise KpError(f"{path}: does not hold all of a training's state; restore a copy, or train again") from error
    return state
