"""Everything that affects the next training step, in one place; saved whole, never half."""

import copy
import errno
import os
import zipfile
from pathlib import Path

import torch
from torch import nn

from kp.config import Config, from_json, to_json
from kp.errors import KpError
from kp.model import Model, make_perceptual
from kp.pool import ImagePool


def follow(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move averaged weights towards those after ``step`` steps: by 1 − decay, quickly at first, when there is little to remember."""
    decay, now = min(decay, step / (step + 10)), network.state_dict()
    for name, mean in average.state_dict().items():
        mean.lerp_(now[name], 1 - decay) if mean.is_floating_point() else mean.copy_(now[name])


def learning_rate(peak: float, step: int, steps: int, schedule: str) -> float:
    """Constant, or one cycle: linear from peak/25 during the first tenth, then a cosine down to (nearly) nothing."""
    if schedule == "constant":
        return peak
    rise = max(1, steps // 10)
    if step < rise:
        return peak * (1 + 24 * step / rise) / 25
    fall = torch.tensor(torch.pi * (step - rise) / max(1, steps - rise)).cos().item()
    return peak * max(1e-4, (1 + fall) / 2)


class State:
    """Networks, running means, optimisers, image pool, random generator and the two step counters.

    ``average`` is the running mean of the weights of Φ, η and Ψ, the model that predicts.
    ``first_regressor`` is η as it was after pre-training: it resolves left and right without labels.
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
        adam = lambda params, lr, beta=0.5: torch.optim.Adam(params, lr, (beta, 0.999))
        self.optimizers = {
            "pretrain": adam(model.regressor.parameters(), rates.pretrain_lr, rates.pretrain_beta),
            "generator": adam([*model.encoder.parameters(), *model.decoder.parameters()], rates.lr),
            "discriminator": adam(model.discriminator.parameters(), rates.lr_discriminator),
            "regressor": adam(model.regressor.parameters(), rates.lr_regressor),
        }
        self.pool = ImagePool()
        self.generator = torch.Generator().manual_seed(config.seed)
        self.pretrain_step, self.step = 0, 0
        self.finish_pretraining()

    @property
    def modules(self) -> dict[str, nn.Module]:
        return dict(model=self.model, average=self.average, first_regressor=self.first_regressor)

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
            modules={k: m.state_dict() for k, m in self.modules.items()},
            optimizers={k: o.state_dict() for k, o in self.optimizers.items()},
            perceptual_scale=self.perceptual.scale,  # not Γ's weights: they come from a file and never change
            pool=self.pool.images,
            generator=self.generator.get_state(),
        )

    def load_state_dict(self, saved: dict) -> None:
        self.pretrain_step, self.step = saved["pretrain_step"], saved["step"]
        for k, module in self.modules.items():
            module.load_state_dict(saved["modules"][k])
        for k, optimizer in self.optimizers.items():
            optimizer.load_state_dict(saved["optimizers"][k])
        self.perceptual.scale.copy_(saved["perceptual_scale"])
        self.pool.images = [image.to(self.device) for image in saved["pool"]]
        self.generator.set_state(saved["generator"])


def save_checkpoint(saved: dict, path: Path) -> None:
    """Write beside ``path``, flush to disk, then rename: a checkpoint is the old one or the new one, never a part.

    KpError if the folder cannot be written or the disk is full; the old file then stays.
    """
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            torch.save(saved, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except (OSError, RuntimeError) as error:  # torch reports a failed write as RuntimeError
        part.unlink(missing_ok=True)
        full = getattr(error, "errno", None) == errno.ENOSPC or "No space" in str(error) or isinstance(error, RuntimeError)
        why = "the disk seems full: free some space" if full else f"{error}: choose another folder with --out"
        raise KpError(f"{path}: could not be saved, {why}; any earlier checkpoint is untouched") from error


def read_checkpoint(path: Path) -> dict:
    """A saved state dict, on the CPU. KpError if the file is missing or damaged."""
    if not path.is_file():
        raise KpError(f"{path}: no such checkpoint; train first with 'kp train', or check the path")
    try:
        with zipfile.ZipFile(path) as parts:  # torch does not look at the checksums
            if damaged := parts.testzip():
                raise zipfile.BadZipFile(f"checksum of {damaged}")
        saved = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises many kinds for damaged files
        raise KpError(f"{path}: not a readable checkpoint ({type(error).__name__}); train again or restore a copy") from error
    if not isinstance(saved, dict) or "config" not in saved:
        raise KpError(f"{path}: not a checkpoint of kp; give a run folder, or its checkpoint.pt")
    return saved


def load_state(path: Path, device: torch.device) -> State:
    """The state saved in a checkpoint, with the configuration it was made with."""
    saved = read_checkpoint(path)
    state = State(from_json(saved["config"]), device)
    state.load_state_dict(saved)
    return state
