"""One step of the method: Φ and Ψ move, then D, then η, all from the same forward pass."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm import tqdm

from kp import distributed
from kp.method.features import PerceptualLoss
from kp.method.losses import discriminator_loss, generator_loss, regressor_loss
from kp.method.model import Model, Pass, run


def step(
    model: Model,
    perceptual: PerceptualLoss,
    optimizers: dict[str, torch.optim.Optimizer],
    rates: dict[str, float],
    exchange: Callable[[Tensor], Tensor],
    frame: Float[Tensor, "b 3 s s"],
    other: Float[Tensor, "b 3 s s"],
    poses: Float[Tensor, "b k 2"],
    precision: str = "float32",
) -> tuple[Pass, dict[str, Tensor]]:
    """One step on frame pairs (x, x') and unpaired poses p̄; returns the forward pass and the loss terms, unweighted.

    optimizers and rates: of "generator" (Φ and Ψ), "discriminator" (D) and "regressor" (η). exchange: the image pool,
    from which D gets some of the y of earlier steps (:class:`ImagePool`). Images in [-1, 1], poses (x, y) in [-1, 1].
    """
    weights, device = model.config.loss, frame.device.type
    drawn = model.draw(poses)
    with frozen(model.regressor, model.discriminator):
        with arithmetic(precision, device):
            made = run(model, frame, other)
            terms = generator_loss(model, perceptual, made, frame, other)
        total = sum(getattr(weights, name) * term for name, term in terms.items())
        descend(optimizers["generator"], total, rates["generator"])
    if weights.adversarial:
        with arithmetic(precision, device):
            terms["discriminator"] = discriminator_loss(model, drawn, exchange(made.skeleton))
        descend(optimizers["discriminator"], terms["discriminator"], rates["discriminator"])
    if model.config.method.finetune_regressor:
        with arithmetic(precision, device):
            terms["regressor"] = regressor_loss(model, poses, drawn, made.skeleton)
        descend(optimizers["regressor"], terms["regressor"], rates["regressor"])
    return made, terms


@contextmanager
def frozen(*nets: nn.Module) -> Iterator[None]:
    """Gradients pass through these networks but do not reach their weights."""
    for net in nets:
        net.requires_grad_(False)
    try:
        yield
    finally:
        for net in nets:
            net.requires_grad_(True)


def arithmetic(precision: str, device: str = "cpu") -> torch.autocast:
    """The context in which networks and losses are computed: mixed precision for "bfloat16". device: cpu or cuda."""
    return torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16")


def settle_precision(precision: str, device: str = "cpu") -> str:
    """ "auto" → bfloat16 where the device computes in it, float32 where it would imitate it (ten times as slow on a
    CPU).

    Whoever asks for bfloat16 gets it, with a line on the terminal where it is imitated. device: cpu, cuda, cuda:1, …
    """
    native = _computes_bfloat16(device)
    if precision == "bfloat16" and not native:
        tqdm.write(f"{device} only imitates bfloat16, slowly: float32 (or auto) is faster here", file=sys.stderr)
    if precision == "auto":
        return "bfloat16" if native else "float32"
    return precision


def _computes_bfloat16(device: str) -> bool:
    if torch.device(device).type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return any(able.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16", "arm_bf16"))


def descend(optimizer: torch.optim.Optimizer, loss: Tensor, rate: float) -> None:
    """One step of Adam with the gradient's norm clipped to 1, separately for each optimiser."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    distributed.average_gradients(weights)
    nn.utils.clip_grad_norm_(weights, 1.0)
    optimizer.step()


class ImagePool:
    """Up to ``capacity`` images of earlier steps, which D sees again (Shrivastava et al. 2017; CycleGAN).

    Once it is full, each newcomer is exchanged, with probability 1/2, for a stored one.
    """

    def __init__(self, capacity: int = 50):
        self.capacity = capacity
        self.images: list[Tensor] = []

    def exchange(self, batch: Float[Tensor, "b c h w"], generator: torch.Generator) -> Float[Tensor, "b c h w"]:
        """What D sees in the place of a batch, detached; random choices are drawn from ``generator``."""
        out = []
        for image in batch.detach():
            if len(self.images) < self.capacity:
                self.images.append(image.clone())  # a view would keep its whole batch
                out.append(image)
            elif torch.rand((), generator=generator) < 0.5:
                k = int(torch.randint(self.capacity, (), generator=generator))
                out.append(self.images[k])
                self.images[k] = image.clone()
            else:
                out.append(image)
        return torch.stack(out)
