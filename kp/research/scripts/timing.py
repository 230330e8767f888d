"""How benchmarks measure: median seconds of an action and CPU seconds beside them, operations counted, rates that this
machine reaches.
"""

import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

Action = Callable[[], object]


def seconds(action: Action, repeats: int = 7) -> tuple[float, float]:
    """Median seconds, and CPU seconds, of an action after one warm-up."""
    action()
    wall, cpu = [], []
    for _ in range(repeats):
        start = time.perf_counter(), time.process_time()
        action()
        wall.append(time.perf_counter() - start[0])
        cpu.append(time.process_time() - start[1])
    return statistics.median(wall), statistics.median(cpu)


def operations(action: Action) -> int:
    """Floating-point operations of the convolutions and matrix products of an action."""
    with FlopCounterMode(display=False) as counter:
        action()
    return counter.get_total_flops()


def rates(dtype: torch.dtype) -> dict[str, float]:
    """Operations a second of one square matrix product, and of one wide convolution (64 → 64 channels, 3 × 3, 64 × 64
    pixels).
    """
    a = torch.randn(1024, 1024).to(dtype)
    x = torch.randn(16, 64, 64, 64).to(dtype).to(memory_format=torch.channels_last)
    w = torch.randn(64, 64, 3, 3).to(dtype).to(memory_format=torch.channels_last)
    with torch.no_grad():
        product, _ = seconds(lambda: a @ a)
        convolution, _ = seconds(lambda: F.conv2d(x, w, padding=1))
    return {"matrix_product": 2 * 1024**3 / product, "convolution": 2 * 16 * 64 * 64 * 9 * 64 * 64 / convolution}


def copy_rate(count: int) -> float:
    """Bytes a second, read and written, of copying that many float32 numbers: what memory, or the cache that holds
    them, gives.
    """
    a, b = torch.randn(count), torch.empty(count)
    took, _ = seconds(lambda: b.copy_(a), 21)
    return 8 * count / took
