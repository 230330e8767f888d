import errno
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kp.errors import KpError
from kp.method.checkpoint import read_checkpoint, save_checkpoint
from kp.training.loop import train_step
from kp.training.optim import learning_rate
from kp.training.state import State, load_state

cpu = torch.device("cpu")


@pytest.fixture
def state(config):
    return State(config, cpu)


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 0.04), (5, 0.52), (10, 1.0), (55, 0.5), (100, 1e-4)],
    ids=["start", "rise", "peak", "fall", "end"],
)
def test_one_cycle(step, expected):
    assert learning_rate(1.0, step, 100, "one-cycle") == pytest.approx(expected, abs=1e-6)
    assert learning_rate(3.0, step, 100, "constant") == 3.0


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_short_cycles_stay_within_the_peak(steps):
    assert all(0 < learning_rate(2.0, step, steps, "one-cycle") <= 2 for step in range(steps))


def test_seed_decides_the_weights(config):
    same, again, other = (State(c, cpu).model.encoder.last[1].weight for c in (config, config, replace(config, seed=1)))
    assert torch.equal(same, again) and not torch.equal(same, other)


def test_averages_start_from_the_model(state):
    for a, b in ((state.average, state.model), (state.first_regressor, state.model.regressor)):
        assert all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))
        assert not any(p.requires_grad for p in a.parameters())


@pytest.mark.parametrize(("step", "decay"), [(1, 1 / 11), (5, 5 / 15), (100_000, 0.99)])
@pytest.mark.parametrize(
    "part", [lambda m: m.encoder.last[1], lambda m: m.decoder.last[1], lambda m: m.regressor.maps], ids=["Φ", "Ψ", "η"]
)
def test_update_average(state, step, decay, part):
    state.step = step
    weight, mean = part(state.model).weight, part(state.average).weight
    before = mean.clone()
    with torch.no_grad():
        weight.add_(1)
    state.model.encoder.down[0][0][1].num_batches_tracked.fill_(7)
    state.update_average()
    torch.testing.assert_close(mean, before + (1 - decay))
    assert state.average.encoder.down[0][0][1].num_batches_tracked == 7


def test_no_average_means_the_last_weights(config):
    state = State(replace(config, optimizer=replace(config.optimizer, average=0.0)), cpu)
    state.step = 50
    with torch.no_grad():
        state.model.regressor.maps.weight.add_(1)
    state.update_average()
    assert torch.equal(state.average.regressor.maps.weight, state.model.regressor.maps.weight)


def test_first_regressor_stays_as_pretrained(state):
    with torch.no_grad():
        state.model.regressor.maps.weight.add_(1)
    kept = state.first_regressor.maps.weight.clone()
    state.update_average()
    assert torch.equal(state.first_regressor.maps.weight, kept)
    state.finish_pretraining()
    assert torch.equal(state.first_regressor.maps.weight, state.model.regressor.maps.weight)


def test_checkpoint_round_trip(state, clips, poses, tmp_path, same):
    train_step(state, clips, poses)
    save_checkpoint(state.state_dict(), tmp_path / "c.pt")
    again = load_state(tmp_path / "c.pt", cpu)
    assert same(again.state_dict(), state.state_dict()) and again.config == state.config
    assert len(again.pool.images) == 2 and again.step == 1
    assert [p.name for p in tmp_path.iterdir()] == ["c.pt"]


def test_random_features_are_not_saved_and_leave_the_start_alone(config, same):
    pixels, random = (
        State(replace(config, loss=replace(config.loss, features=f)), cpu).state_dict() for f in ("pixels", "random")
    )
    assert same(pixels.pop("modules"), random["modules"]) and torch.equal(random["perceptual_scale"], torch.zeros(4))
    assert pixels.keys() == random.keys() - {"modules"}


def write_to_full_device(monkeypatch):
    full = Path("/dev/full")
    monkeypatch.setattr("kp.method.checkpoint.open", lambda path, mode: full.open(mode), raising=False)


def fail_half_way(monkeypatch):
    def save(saved, file):
        file.write(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("torch.save", save)


def fail_as_torch_does(monkeypatch):
    def save(saved, file):
        file.write(b"half of it")
        raise RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0")

    monkeypatch.setattr("torch.save", save)


@pytest.mark.parametrize("fail", [write_to_full_device, fail_half_way, fail_as_torch_does])
def test_full_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch, fail):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(dict(config="old", weight=torch.ones(3)), path)
    fail(monkeypatch)
    expected = f"{path}: cannot be written (REASON); free some space"
    with pytest.raises(
        KpError, match=re.escape(expected).replace("REASON", "(No space left on device|the disk seems full)")
    ):
        save_checkpoint(dict(config="new", weight=torch.zeros(100_000)), path)
    assert torch.equal(read_checkpoint(path)["weight"], torch.ones(3))
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_missing_checkpoint(tmp_path):
    path = tmp_path / "c.pt"
    with pytest.raises(
        KpError, match=re.escape(f"{path}: no such checkpoint; train first with 'kp train', or check the path")
    ):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b"text", lambda b: b""], ids=["cut short", "text", "empty"]
)
def test_damaged_checkpoint(tmp_path, damage):
    path = tmp_path / "c.pt"
    save_checkpoint(dict(a=torch.zeros(1000)), path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(
        KpError, match=rf"^{re.escape(str(path))}: not a readable checkpoint \(\w+\); train again or restore a copy$"
    ):
        read_checkpoint(path)


@pytest.mark.parametrize("content", [dict(weight=torch.zeros(2)), [1, 2]], ids=["weights", "list"])
def test_some_other_torch_file(tmp_path, content):
    path = tmp_path / "c.pt"
    torch.save(content, path)
    with pytest.raises(KpError, match=re.escape(f"{path}: ")):
        load_state(path, cpu)
