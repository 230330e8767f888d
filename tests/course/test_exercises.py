"""Checks of exercises say what is wrong."""

import re

import numpy as np
import pytest
import torch

from kp.course.exercises import NotYet, holds, same, seal, sealed

SQUARE = torch.arange(9.0).view(3, 3)
POINTS = torch.tensor([[0.0, 1.0], [2.0, 3.0]])


@pytest.mark.parametrize(
    ("yours", "right"),
    [
        (SQUARE, SQUARE),
        (SQUARE.numpy(), SQUARE),
        (SQUARE.tolist(), SQUARE),
        (SQUARE.numpy()[::-1], SQUARE.flip(0)),
        (0.1 + 0.2, 0.3),
        ((1, 2), [1, 2]),
    ],
)
def test_right_answers_pass(yours, right):
    same(yours, right, "the answer")


@pytest.mark.parametrize(
    ("yours", "right", "said"),
    [
        (None, SQUARE, "it: nothing there yet; fill in the cell above and run it"),
        (..., SQUARE, "it: nothing there yet; fill in the cell above and run it"),
        ("text", SQUARE, "it: is str, wanted numbers"),
        (SQUARE[0], SQUARE, "it: has shape (3,), wanted (3, 3)"),
        (torch.zeros(2, 3), torch.zeros(3, 2), "it: has shape (2, 3), its axes in another order, wanted (3, 2)"),
        (
            SQUARE / torch.zeros(3, 1),
            SQUARE,
            "it: holds 9 values that are no numbers; a division by zero, or a root or logarithm of less than zero?",
        ),
        (-SQUARE, SQUARE, "it: has the other sign; at (2, 2) you have -8, wanted 8 (89 % of all values differ)"),
        (SQUARE.T, SQUARE, "it: has rows and columns exchanged; at (0, 2) you have 6, wanted 2"),
        (POINTS.flip(-1)[:1], POINTS[:1], "it: has x and y exchanged; "),
        (2 * SQUARE, SQUARE, "it: is right but for a factor of 2; "),
        (SQUARE + 0.5, SQUARE, "it: is right but for an offset of 0.5; "),
        (SQUARE**2, SQUARE, "it: at (2, 2) you have 64, wanted 8 (78 % of all values differ)"),
        (3.0, 2.0, "it: you have 3, wanted 2"),
        (0.066, 6.6, "it: is a hundredth; you have 0.066, wanted 6.6"),
        (660.0, 6.6, "it: is 100 times too large; "),
        (1.0, 2.0, "it: is half; "),
    ],
)
def test_wrong_answers_are_told_what_is_wrong(yours, right, said):
    with pytest.raises(NotYet, match=f"^{re.escape(said)}"):
        same(yours, right, "it")


def test_an_answer_that_is_right_in_one_place_gets_the_words_for_it():
    partly = SQUARE.clone()
    partly[2] = 0
    with pytest.raises(NotYet, match=r"^it: only the top is right$"):
        same(partly, SQUARE, "it", right_at=((slice(2), slice(3)), "only the top is right"))
    with pytest.raises(NotYet, match="at "):
        same(SQUARE**2, SQUARE, "it", right_at=((slice(2), slice(3)), "only the top is right"))


def test_tolerance():
    same(1.05, 1.0, "it", tolerance=0.1)
    with pytest.raises(NotYet):
        same(np.float64(1.05), 1.0, "it", tolerance=0.01)


def test_holds():
    holds(torch.tensor(True), "no")
    with pytest.raises(NotYet, match=r"^no$"):
        holds(False, "no")


def test_a_sealed_answer_is_known_without_being_shown():
    right = seal(0.25, "chance", 2)
    sealed(0.25, right, "chance", 2)
    sealed(torch.tensor(0.251), right, "chance", 2)
    for wrong in (0.3, -0.25, 25.0):
        with pytest.raises(NotYet, match=r"chance: .* is not right"):
            sealed(wrong, right, "chance", 2)
    with pytest.raises(NotYet, match="nothing there yet"):
        sealed(..., right, "chance", 2)
    with pytest.raises(NotYet, match="is str, wanted a number"):
        sealed("a quarter", right, "chance", 2)
    assert seal(6.0, "one") != seal(6.0, "another")
