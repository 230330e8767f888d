from dataclasses import replace

import pytest
import torch
from torch import nn

import kp.training.optim
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


def test_a_training_goes_on_where_it_was_cut_off(tmp_path, monkeypatch):
    """Cut off after 7 of 12 steps, it ends at the very same weights; a file of other rates, of another seed, or about
    other data is not believed.
    """
    monkeypatch.setattr(kp.training.optim, "SAVE_SECONDS", -1)
    rates = replace(PROBE, steps=12, batch=4)

    def teach(keep, stop=None, rates=rates, seed=0, about=""):
        steps = []

        def loss(net, generator):
            steps.append(1)
            if len(steps) == stop:
                raise KeyboardInterrupt
            x = torch.randn(4, 3, generator=generator)
            return (net(x) - x.sum(1, keepdim=True)).square().mean()

        def make():
            return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))

        net = teach_fresh(make, loss, rates, seed, keep=keep, about=about)
        return net.state_dict(), len(steps)

    whole, count = teach(None)
    assert count == 12
    with pytest.raises(KeyboardInterrupt):
        teach(tmp_path / "kept", stop=8)
    rest, count = teach(tmp_path / "kept")
    assert count == 5 and all(torch.equal(whole[name], rest[name]) for name in whole)
    assert teach(tmp_path / "kept", rates=replace(rates, steps=13))[1] == 13
    for other in ({"seed": 1}, {"about": "other films"}):
        with pytest.raises(KeyboardInterrupt):
            teach(tmp_path / "kept", stop=8)
        assert teach(tmp_path / "kept", **other)[1] == 12
    (tmp_path / "kept").write_bytes(b"damaged")
    assert teach(tmp_path / "kept")[1] == 12
