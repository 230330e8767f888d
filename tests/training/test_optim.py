from dataclasses import replace

import torch
from torch import nn

from kp.training.optim import PROBE, teach_fresh


def lines(net, generator):
    return ((net(x := torch.rand(64, 1, generator=generator)) - (0.7 * x + 0.2)) ** 2).mean()


def test_fits_a_line():
    net = teach_fresh(lambda: nn.Linear(1, 1), lines, replace(PROBE, steps=2000), 0)
    assert not net.training and abs(net.weight.item() - 0.7) < 0.02 and abs(net.bias.item() - 0.2) < 0.02


def test_repeats_by_seed_and_leaves_the_global_generator():
    before = torch.get_rng_state()
    a, b, c = (
        teach_fresh(lambda: nn.Linear(1, 1), lines, replace(PROBE, steps=5), seed).weight.item() for seed in (0, 0, 1)
    )
    assert a == b != c and torch.equal(before, torch.get_rng_state())


def test_progress_is_shown_under_its_name_only(capsys):
    teach_fresh(lambda: nn.Linear(1, 1), lines, replace(PROBE, steps=2), 0)
    assert capsys.readouterr().err == ""
    teach_fresh(lambda: nn.Linear(1, 1), lines, replace(PROBE, steps=2), 0, "lines")
    assert "lines: 100%" in capsys.readouterr().err
