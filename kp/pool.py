"""The image pool: D also sees skeleton images that Φ drew some time ago (Shrivastava et al. 2017; CycleGAN)."""

import torch
from jaxtyping import Float
from torch import Tensor


class ImagePool:
    """Keeps up to ``capacity`` images. Once full, each newcomer is, with probability 1/2, exchanged for a stored one."""

    def __init__(self, capacity: int = 50):
        self.capacity = capacity
        self.images: list[Tensor] = []

    def exchange(self, batch: Float[Tensor, "b c h w"], generator: torch.Generator) -> Float[Tensor, "b c h w"]:
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
