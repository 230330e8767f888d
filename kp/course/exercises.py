"""Checks for the course's exercises: they compare an answer with the right one and say what is wrong with it."""

import hashlib
from numbers import Number

import numpy as np
import torch
from torch import Tensor

Value = Tensor | np.ndarray | Number | list | tuple


class NotYet(AssertionError):
    """An answer that is missing or wrong; the message says how."""


def same(
    yours: object, right: Value, what: str, tolerance: float = 1e-5, right_at: tuple[tuple, str] | None = None
) -> None:
    """NotYet, with what is wrong, unless ``yours`` has the shape of ``right`` and its values to within ``tolerance``.

    what: how the message calls it. Recognised: nothing there yet, wrong shape, not a number, turned over, another sign,
    a constant factor, a constant offset. right_at: an index, and what to say of an answer that is right there and wrong
    elsewhere.
    """
    if yours is None or yours is Ellipsis:
        raise NotYet(f"{what}: nothing there yet; fill in the cell above and run it")
    try:
        mine, wanted = (
            torch.as_tensor(v if isinstance(v, Tensor) else np.array(v)).detach().double() for v in (yours, right)
        )
    except (TypeError, ValueError, RuntimeError) as error:
        raise NotYet(
            f"{what}: is {type(yours).__name__}, wanted numbers ({' '.join(str(error).split())[:80]})"
        ) from error
    if mine.shape != wanted.shape:
        turned = ", its axes in another order" if sorted(mine.shape) == sorted(wanted.shape) else ""
        raise NotYet(f"{what}: has shape {tuple(mine.shape)}{turned}, wanted {tuple(wanted.shape)}")
    if not mine.isfinite().all():
        count = int((~mine.isfinite()).sum())
        raise NotYet(
            f"{what}: holds {count} values that are no numbers; a division by zero, or a root or logarithm of less "
            "than zero?"
        )
    distances = (mine - wanted).abs()
    if distances.max() <= tolerance:
        return
    if right_at and distances[right_at[0]].max() <= tolerance:
        raise NotYet(f"{what}: {right_at[1]}")
    raise NotYet(f"{what}: {_likely(mine, wanted, tolerance)}{_worst(mine, wanted, distances)}")


def _worst(mine: Tensor, wanted: Tensor, distances: Tensor) -> str:
    if not mine.shape:
        return f"you have {mine.item():.6g}, wanted {wanted.item():.6g}"
    at = tuple(int(i) for i in np.unravel_index(int(distances.argmax()), tuple(distances.shape)))
    share = 100 * (distances > 0).double().mean().item()
    return (
        f"at {at} you have {mine[at].item():.6g}, wanted {wanted[at].item():.6g} ({share:.0f} % of all values differ)"
    )


def _likely(mine: Tensor, wanted: Tensor, tolerance: float) -> str:
    """A guess at the mistake, or nothing."""

    def close(a):
        return bool((a - wanted).abs().max() <= tolerance)

    if close(-mine):
        return "has the other sign; "
    if mine.dim() >= 2 and mine.shape[-1] == mine.shape[-2] and close(mine.transpose(-1, -2)):
        return "has rows and columns exchanged; "
    if mine.dim() and mine.shape[-1] == 2 and close(mine.flip(-1)):
        return "has x and y exchanged; "
    if not mine.shape:
        known = {100: "100 times too large; ", 0.01: "a hundredth; ", 2: "twice too large; ", 0.5: "half; "}
        return next((f"is {words}" for factor, words in known.items() if close(mine / factor)), "")
    if (mine * mine).sum() > 0:
        factor = (mine * wanted).sum() / (mine * mine).sum()
        if factor != 0 and mine.numel() > 1 and close(mine * factor):
            return f"is right but for a factor of {1 / factor.item():.4g}; "
    if mine.numel() > 1 and close(mine - (mine - wanted).mean()):
        return f"is right but for an offset of {(mine - wanted).mean().item():.4g}; "
    return ""


def seal(value: float, what: str, digits: int = 0) -> str:
    """The first eight letters of a digest of ``value``, rounded to ``digits`` digits, and of what it is."""
    return hashlib.sha256(f"{what} {round(float(value) * 10**digits)}".encode()).hexdigest()[:8]


def sealed(yours: object, right: str, what: str, digits: int = 0) -> None:
    """NotYet unless the number ``yours`` has the seal ``right``, give or take one in the last of ``digits`` digits.

    The check of an answer that is a number: whoever reads it does not see the answer.
    """
    if yours is None or yours is Ellipsis:
        raise NotYet(f"{what}: nothing there yet; fill in the cell above and run it")
    try:
        value = float(yours)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise NotYet(f"{what}: is {type(yours).__name__}, wanted a number") from error
    if right not in {seal(value + step * 10.0**-digits, what, digits) for step in (-1, 0, 1) if digits or not step}:
        raise NotYet(f"{what}: {value:.6g} is not right")


def holds(true: bool | Tensor, otherwise: str) -> None:
    """NotYet(otherwise) unless ``true``."""
    if not bool(true):
        raise NotYet(otherwise)
