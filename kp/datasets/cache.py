"""More clips than memory holds: they are decoded when asked for, and a window of them that moves with the training
stays.

A training draws its pairs from the window. At every step ``PACE`` clips leave it and as many come, in an order shuffled
once, so that a clip gives about eight pairs (in batches of 16) before it goes, and all clips have their turn. Which
clips are in the window depends on the step alone: a training that was cut off goes on with the same ones.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor
from tqdm import tqdm

PACE = 2  # clips that leave the window, and come, at every step
AHEAD = 8  # clips that are decoded before they are needed
WORKERS = 2  # threads that decode


class ClipCache(Sequence):
    """Clips as a sequence of (t, s, s, 3) uint8 tensors.

    ``load``: number of a clip → its frames; ``held``: clips in the window.
    """

    def __init__(self, load: Callable[[int], Tensor], count: int, held: int):
        self.load, self.count, self.held = load, count, min(held, count)
        self.order = torch.randperm(count, generator=torch.Generator().manual_seed(0)).tolist()
        self.workers = ThreadPoolExecutor(WORKERS)
        self.decoded: dict[int, Future] = {}  # of the window, and of those that come next

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, clip: int) -> Tensor:
        """Frames of a clip. KpError, naming the file, if it is damaged."""
        future = self.decoded.get(clip)
        return future.result() if future else self.load(clip)

    def __iter__(self) -> Iterator[Tensor]:
        """All clips in order, a few decoded ahead, none kept."""
        coming = [self.workers.submit(self.load, clip) for clip in range(min(AHEAD, self.count))]
        for clip in range(self.count):
            yield coming.pop(0).result()
            if clip + AHEAD < self.count:
                coming.append(self.workers.submit(self.load, clip + AHEAD))

    def at(self, step: int) -> list[int]:
        """The clips in the window at a step; others are forgotten, and the next ones are decoded in the background."""

        def place(start, count):
            return [self.order[(start + k) % self.count] for k in range(count)]

        window, coming = place(step * PACE, self.held), place(step * PACE + self.held, AHEAD)
        stay = {*window, *coming}
        self.decoded = {clip: future for clip, future in self.decoded.items() if clip in stay}
        self.ask(coming)
        return window

    def ask(self, clips: list[int]) -> None:
        """Have these clips, of the window, decoded side by side."""
        for clip in clips:
            if clip not in self.decoded:
                self.decoded[clip] = self.workers.submit(self.load, clip)


def hold_clips(
    load: Callable[[int], Tensor], count: int, longest: int, size: int, memory: float, title: str, progress: bool = True
) -> list[Tensor] | ClipCache:
    """``count`` clips of at most ``longest`` frames: read now if they fit into ``memory`` gigabytes, else a
    :class:`ClipCache` of what fits.

    load: number of a clip → (t, size, size, 3) uint8. title: for the progress bar, "train clips".
    """
    each, most = longest * size * size * 3, memory * 1e9
    if count * each > most:
        held = max(int(most / each), 1)
        if progress:
            tqdm.write(f"{count} {title} do not fit into {memory:g} GB: {held} at a time, in turn (--data.memory)")
        return ClipCache(load, count, held)
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(
            tqdm(pool.map(load, range(count)), total=count, desc=f"reading {title}", disable=not progress, leave=False)
        )
