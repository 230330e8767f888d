"""Where a loss would move a joint: the gradient fields of the reconstruction and of the renderer.

Of the reconstruction: minus the gradient of ‖Γ(Ψ(β(p), x')) − Γ(x)‖² at a joint, which ties a drawing to its image. Of
the renderer alone: minus the gradient of ‖β(p) − β(p₀)‖², and whether descent on it comes home.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from kp.geometry import joint_errors
from kp.method.features import PixelPyramid
from kp.method.model import Model
from kp.method.renderer import render_skeleton
from kp.skeletons import Skeleton


def gradient_field(
    model: Model, keypoints: Float[Tensor, "n k 2"], frame: Float[Tensor, "n 3 s s"], other: Float[Tensor, "n 3 s s"]
) -> Float[Tensor, "n k 2"]:
    """−∂/∂p of the squared error of Ψ(β(p), x') to x, averaged over a pyramid of pixels: where descent would move each
    joint.

    keypoints: (x, y) in [-1, 1], where the joints are now; frame x and other x' in [-1, 1]. Ψ as at test time. The pull
    has the direction of the method's (there every term is divided by its running mean, too); its length has no unit
    that means much.
    """
    moving, pyramid = keypoints.clone().requires_grad_(), PixelPyramid()
    painted = model.eval().decoder(model.draw(moving), other)
    terms = [
        F.mse_loss(a, b, reduction="none").mean((1, 2, 3)).sum()
        for a, b in zip(pyramid(painted), pyramid(frame), strict=True)
    ]
    (gradient,) = torch.autograd.grad(torch.stack(terms).mean(), moving)
    return -gradient


def points_home(
    model: Model,
    keypoints: Float[Tensor, "n k 2"],
    frame: Float[Tensor, "n 3 s s"],
    other: Float[Tensor, "n 3 s s"],
    away: float,
    seed: int = 0,
) -> Float[Tensor, " k"]:
    """The share of n poses in which each joint, moved ``away`` (in units of [-1, 1]) in a random direction and alone,
    is pulled back.

    keypoints: where the joints truly are. Back: the pull's angle to the way home is below 90°; a pull without sense
    gives ½.
    """
    n, k = keypoints.shape[:2]
    angles = torch.rand(n, k, generator=torch.Generator().manual_seed(seed)) * 2 * torch.pi
    shift = away * torch.stack([angles.cos(), angles.sin()], -1)
    home = torch.empty(n, k)
    for joint in range(k):
        moved = keypoints.clone()
        moved[:, joint] += shift[:, joint]
        home[:, joint] = ((gradient_field(model, moved, frame, other)[:, joint] * -shift[:, joint]).sum(-1) > 0).float()
    return home.mean(0)


def renderer_field(
    pose: Float[Tensor, "k 2"],
    joint: int,
    places: Float[Tensor, "n 2"],
    skeleton: Skeleton,
    sigma: float,
    size: int = 64,
    steps: int = 120,
) -> tuple[Float[Tensor, "n 2"], Float[Tensor, " n"]]:
    """One joint of a pose put into other places: where descent on ‖β(p) − β(pose)‖² would move it from each, and how
    far from its own place it is after ``steps`` of Adam (rate 0.01), % of the image size.

    pose and places: (x, y) in [-1, 1]. sigma: width of the lines.
    """
    edges = skeleton.edge_indices
    goal = render_skeleton(pose[None], edges, size, sigma)
    point = places.clone().requires_grad_()
    optimizer, pull = torch.optim.Adam([point], 0.01), torch.zeros_like(places)
    for step in range(steps):
        moved = pose.expand(len(places), -1, -1).index_copy(1, torch.tensor([joint]), point[:, None])
        optimizer.zero_grad()
        (render_skeleton(moved, edges, size, sigma) - goal).square().mean((1, 2, 3)).sum().backward()
        if step == 0:
            pull = -point.grad.clone()
        optimizer.step()
    return pull, joint_errors(point.detach()[:, None], pose[joint].expand(len(places), 1, 2))[:, 0]
