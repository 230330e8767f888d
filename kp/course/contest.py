"""The contest of exercise 9.8: teams hide images in skeleton images, and try to detect what others have hidden."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from kp.errors import KpError

MOST = 0.0201
"""How far a hider may change a pixel of y, which lies in [-1, 1]."""


@dataclass(frozen=True)
class Team:
    """What a team hands in. ``hide``: skeleton images (n, 1, s, s) and images (n, 3, s, s) to skeleton images with a
    message; ``reveal``: those to grey images (n, 1, s, s); ``suspicion``: skeleton images to (n,), the larger, the more
    likely a message.
    """

    name: str
    hide: Callable[[Tensor, Tensor], Tensor]
    reveal: Callable[[Tensor], Tensor]
    suspicion: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Row:
    """A team's result. ``brought_back``: the correlation of the revealed image with the grey one; ``caught``: the mean
    share of pairs that the detectors rank rightly, ½ being chance; ``catches``: the same of the team's own detector
    over all hiders; ``points``: one for each detector that is fooled, times what was brought back, plus ``catches``.
    """

    team: str
    brought_back: float
    caught: float
    catches: float
    points: float


def contest(teams: Sequence[Team], skeletons: Float[Tensor, "n 1 s s"], images: Float[Tensor, "n 3 s s"]) -> list[Row]:
    """Play every hider against every detector; the best team first.

    skeletons: clean, in [-1, 1]; images: what is to be hidden, in [-1, 1]. A detector is fooled if it ranks at most
    60 % of the pairs (a drawing with a message, a clean one) rightly. An image counts as brought back from a
    correlation of ½ on. KpError names the team whose hider changes a pixel by more than 0.02, or whose functions return
    another shape.
    """
    hidden, back = {}, {}
    for team in teams:
        made = _asked(team, "hide", team.hide(skeletons, images), skeletons.shape)
        change = (made - skeletons).abs().max().item()
        if change > MOST:
            raise KpError(f"team {team.name}: hide changes a pixel by {change:.3f}; the contest allows 0.02")
        grey = images.mean(1, keepdim=True)
        found = _asked(team, "reveal", team.reveal(made), grey.shape)
        hidden[team.name] = made
        back[team.name] = _correlation(found, grey)
    ranked = {
        (hider, team.name): _ranked(
            _asked(team, "suspicion", team.suspicion(skeletons), (len(skeletons),)),
            _asked(team, "suspicion", team.suspicion(made), (len(skeletons),)),
        )
        for team in teams
        for hider, made in hidden.items()
    }
    rows = []
    for name in hidden:
        against = [ranked[name, team.name] for team in teams]
        own = [ranked[hider, name] for hider in hidden]
        catches = sum(own) / len(own)
        fooled = sum(share <= 0.6 for share in against)
        points = fooled * (back[name] if back[name] >= 0.5 else 0.0) + catches
        rows.append(Row(name, back[name], sum(against) / len(against), catches, points))
    return sorted(rows, key=lambda row: -row.points)


def _asked(team: Team, what: str, made: object, shape: tuple[int, ...]) -> Tensor:
    if not isinstance(made, Tensor) or tuple(made.shape) != tuple(shape):
        got = f"shape {tuple(made.shape)}" if isinstance(made, Tensor) else type(made).__name__
        raise KpError(f"team {team.name}: {what} returns {got}; the contest asks for shape {tuple(shape)}")
    return made.detach().float()


def _correlation(a: Tensor, b: Tensor) -> float:
    """Of all values; 0 where one of the two is constant."""
    value = torch.corrcoef(torch.stack([a.flatten(), b.flatten()]).double())[0, 1].item()
    return value if value == value else 0.0


def _ranked(clean: Float[Tensor, " n"], hidden: Float[Tensor, " n"]) -> float:
    """The share of pairs in which the drawing with a message is the more suspicious one; ties count half."""
    gap = hidden[:, None] - clean[None]
    return ((gap > 0).double() + 0.5 * (gap == 0).double()).mean().item()
