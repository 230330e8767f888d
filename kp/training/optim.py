"""The one loop that descends beside the main training: of students, painters, probes, mask networks and baselines."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from kp.config import Optimizer
from kp.errors import KpError
from kp.method.checkpoint import read_checkpoint, save_checkpoint
from kp.method.step import arithmetic, descend, settle_precision

PROBE = Optimizer(lr=3e-3)  # rates of a small fresh network
SAVE_SECONDS = 60  # between two files to go on from


@dataclass(frozen=True)
class Progress:
    """Where a training of :func:`learn` is kept while it lasts, so that the same call goes on after it was cut off.

    ``path``: the file; ``generator``: of the loss's random choices, seeded; ``modules``: all networks that change;
    ``about``: what else the result depends on, such as the data. A file of another seed, or about something else,
    counts as none.
    """

    path: Path
    generator: torch.Generator
    modules: tuple[nn.Module, ...]
    about: str = ""

    def _name(self, rates: Optimizer) -> str:
        return f"{rates!r}, seed {self.generator.initial_seed()}, {self.about}"

    def save(self, optimizer: torch.optim.Optimizer, rates: Optimizer, step: int) -> None:
        state = {
            "config": self._name(rates),
            "step": step,
            "optimizer": optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "modules": [module.state_dict() for module in self.modules],
        }
        save_checkpoint(state, self.path)

    def load(self, optimizer: torch.optim.Optimizer, rates: Optimizer) -> int:
        """The step to go on from: 0 if there is no file, or one of another training."""
        try:
            state = read_checkpoint(self.path)
            if state["config"] != self._name(rates):
                return 0
            for module, weights in zip(self.modules, state["modules"], strict=True):
                module.load_state_dict(weights)
            optimizer.load_state_dict(state["optimizer"])
            self.generator.set_state(state["generator"])
        except (KpError, RuntimeError, ValueError, KeyError):
            return 0
        return state["step"]


def learn(
    loss: Callable[[int], Tensor],
    weights: Iterable[nn.Parameter],
    rates: Optimizer,
    name: str = "",
    averages: Sequence[tuple[nn.Module, nn.Module]] = (),
    device: str = "cpu",
    beta: float = 0.9,
    progress: Progress | None = None,
) -> None:
    """``rates.steps`` of Adam on ``loss(step)``, with gradients clipped and the rate on the course that ``rates`` says.

    averages: pairs of a network's running mean, of decay ``rates.average``, and the network. device: its type; losses
    are computed in ``rates.precision``. beta: Adam's first decay. name: shown before a progress bar; "" shows none.
    progress: where to go on from, and to keep what is there every minute. KpError if the loss, or a weight at the end,
    is no number.
    """
    weights = list(weights)
    optimizer = torch.optim.Adam(weights, rates.lr, (beta, 0.999))
    precision = settle_precision(rates.precision, device)
    first = progress.load(optimizer, rates) if progress else 0
    saved = time.monotonic()
    bar = tqdm(
        range(first, rates.steps), name, rates.steps, initial=first, unit="step", mininterval=2.0, disable=not name
    )
    for step in bar:
        with arithmetic(precision, device):
            value = loss(step)
        descend(optimizer, value, learning_rate(rates.lr, step, rates.steps, rates.schedule))
        for average, network in averages:
            follow(average, network, rates.average, step + 1)
        last = step + 1 == rates.steps
        if not value.isfinite() or (last and not all(weight.isfinite().all() for weight in weights)):
            raise KpError(f"{name or 'training'}: broke in step {step + 1}, its weights are no numbers; lower its rate")
        if progress and time.monotonic() - saved > SAVE_SECONDS:
            progress.save(optimizer, rates, step + 1)
            saved = time.monotonic()


def teach_fresh(
    make: Callable[[], nn.Module],
    loss: Callable[[nn.Module, torch.Generator], Tensor],
    rates: Optimizer,
    seed: int,
    name: str = "",
    device: str | torch.device = "cpu",
    keep: Path | None = None,
    about: str = "",
) -> nn.Module:
    """``make()`` after ``rates.steps`` of :func:`learn` on ``loss(network, generator)``, on ``device``, in eval mode.

    seed: of the network's weights and of the generator, with which ``loss`` draws its batches; torch's own generator is
    left as it was. keep: a file to go on from after the call was cut off; about: what the result depends on beside
    rates and seed (:class:`Progress`).
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = make().to(device).train()
    progress = Progress(keep, generator, (net,), about) if keep else None
    learn(lambda _: loss(net, generator), net.parameters(), rates, name, (), torch.device(device).type, 0.9, progress)
    return net.eval()


def follow(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move averaged weights towards those after ``step`` steps: by 1 − decay, and quickly at first, when there is
    little to remember.
    """
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
