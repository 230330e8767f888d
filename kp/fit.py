"""A small fresh network taught one thing: how probes, and the finder of foregrounds, are trained."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from tqdm import tqdm

PEAK = 3e-3  # of the learning rate


def fit(
    make: Callable[[], nn.Module], loss: Callable[[nn.Module, torch.Generator], Tensor], steps: int, seed: int, name: str = ""
) -> nn.Module:
    """``make()``, after ``steps`` of Adam on ``loss(network, generator)``, one cycle of the learning rate to 3e-3; in eval mode.

    seed: of the network's weights and of the generator, with which ``loss`` draws its batches; torch's own generator is left as
    it was. name: shown before a progress bar; "" shows none.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = make().train()
    optimizer = torch.optim.Adam(net.parameters(), PEAK)
    course = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK, total_steps=steps)
    for _ in tqdm(range(steps), desc=name, unit="step", mininterval=2.0, disable=not name):
        optimizer.zero_grad()
        loss(net, generator).backward()
        optimizer.step()
        course.step()
    return net.eval()
