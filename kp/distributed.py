"""Several processes, one training: each computes a share of every batch, and all take the same step.

Started by ``torchrun`` (``torchrun --nproc-per-node 2 -m kp.cli.main train laptop``); without it there is one process
and nothing here does anything. Every process draws the whole batch with the same random numbers and computes its share
of it, so the state is the same in all of them, and a checkpoint of N processes goes on in M. DistributedDataParallel
would fix at the start which weights get gradients; a step here freezes and thaws networks, so gradients are averaged by
hand, once for each optimiser.
"""

import os

import torch
import torch.distributed as dist
from torch import Tensor, nn

from kp.errors import KpError


def leave_a_core() -> None:
    """Compute on all cores but one, unless OMP_NUM_THREADS says otherwise: what commands and notebooks do first.

    Threads wait for each other actively. Beside a load on the same cores they wait for one that is not running, and a
    step takes several times as long; a core less costs less (data/runs/speed/busy.json).
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) - 1))


def start(device: str) -> str:
    """Join the other processes, if torchrun started some; returns the device of this one: "cuda" becomes cuda:0,
    cuda:1, …

    Processes talk through gloo on CPUs and NCCL on GPUs.
    """
    if "RANK" not in os.environ or dist.is_initialized():
        return device
    own = f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" else device
    if own.startswith("cuda"):
        torch.cuda.set_device(own)
    dist.init_process_group("nccl" if own.startswith("cuda") else "gloo")
    return own


def finish() -> None:
    """Leave the other processes."""
    if dist.is_initialized():
        dist.destroy_process_group()


def wait() -> None:
    """Until all processes have come so far."""
    if dist.is_initialized():
        dist.barrier()


def size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """The number of this process; 0 is the one that writes files and speaks."""
    return dist.get_rank() if dist.is_initialized() else 0


def share(batch: Tensor) -> Tensor:
    """The part of a whole batch (b, …) that this process computes. KpError if it cannot be divided equally."""
    if len(batch) % size():
        raise KpError(f"a batch of {len(batch)} cannot be shared by {size()} processes; choose another optimizer.batch")
    return batch.chunk(size())[rank()]


def gather(part: Tensor) -> Tensor:
    """The whole batch (b, …) from everyone's part, in order; without gradients."""
    if size() == 1:
        return part.detach()
    parts = [torch.empty_like(part, memory_format=torch.contiguous_format) for _ in range(size())]
    dist.all_gather(parts, part.detach().contiguous())
    return torch.cat(parts)


def mean(values: Tensor) -> Tensor:
    """The mean over all processes, without gradients."""
    if size() == 1:
        return values.detach()
    total = values.detach().clone()
    dist.all_reduce(total)
    return total / size()


def average_gradients(weights: list[nn.Parameter]) -> None:
    """Replace every gradient by its mean over all processes."""
    gradients = [w.grad for w in weights if w.grad is not None]
    if size() == 1 or not gradients:
        return
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat)
    for gradient, average in zip(gradients, (flat / size()).split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(average.view_as(gradient))


class _Sum(torch.autograd.Function):
    """The sum over all processes; its gradient is summed likewise."""

    @staticmethod
    def forward(context, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(context, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total


class SharedBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm over the batch of all processes, in training; PyTorch's own does so on GPUs only."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or size() == 1:
            return super().forward(x)
        count = x.numel() // x.shape[1] * size()
        x = x.float() if x.dtype == torch.bfloat16 else x
        middle = _Sum.apply(x.sum((0, 2, 3))) / count
        centred = x - middle[None, :, None, None]
        spread = _Sum.apply((centred**2).sum((0, 2, 3))) / count
        with torch.no_grad():
            self.running_mean.lerp_(middle, self.momentum)
            self.running_var.lerp_(spread * count / (count - 1), self.momentum)
            self.num_batches_tracked += 1
        scaled = centred * (spread[None, :, None, None] + self.eps).rsqrt()
        return torch.addcmul(self.bias[None, :, None, None], scaled, self.weight[None, :, None, None])


def share_batches(net: nn.Module) -> None:
    """Make every BatchNorm of a network see the batch of all processes; weights and their names stay."""
    for part in net.modules():
        if type(part) is nn.BatchNorm2d and size() > 1:
            part.__class__ = SharedBatchNorm2d
