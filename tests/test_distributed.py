"""Two processes take the steps that one takes, and go on where the other left off."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kp import distributed
from kp.config import to_json
from kp.errors import KpError
from kp.method.checkpoint import read_checkpoint

PROGRAM = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
import kp.training.state
import kp.training.loop
from kp import distributed
from kp.config import from_json
kp.training.loop.LOG_EVERY = 1
# Single precision tells the first steps apart at 1e-5, and Adam makes much of it: double.
batch_on, model, perceptual = kp.training.loop.batch_on, kp.training.state.Model, kp.training.state.make_perceptual
kp.training.loop.batch_on = lambda state, tensor: batch_on(state, tensor).double()
kp.training.state.Model = lambda config: model(config).double()
kp.training.state.make_perceptual = lambda config: perceptual(config).double()
config, out, stop = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
kp.training.loop.train(from_json(config.read_text()), out, stop_after=stop or None)
distributed.finish()
"""

NORMS = """
import sys
import torch
from torch import nn
from kp import distributed
distributed.start("cpu")
torch.manual_seed(0)
norm, x, goal = nn.BatchNorm2d(3), torch.randn(8, 3, 4, 4) * 2 + 1, torch.randn(8, 3, 4, 4)
distributed.share_batches(norm)
part = distributed.share(x).clone().requires_grad_()
made = norm(part)
((made - distributed.share(goal)) ** 2).mean().backward()
distributed.average_gradients(list(norm.parameters()))
rank = torch.tensor(float(distributed.rank()))
results = dict(made=distributed.gather(made), x=distributed.gather(part.grad) / distributed.size(),
               weight=norm.weight.grad, bias=norm.bias.grad, mean=norm.running_mean, var=norm.running_var,
               average=distributed.mean(rank))
if distributed.rank() == 0:
    torch.save(results, sys.argv[1])
distributed.finish()
"""


def run(program: Path, processes: int, *words) -> None:
    """Run a program in so many processes, as torchrun does."""
    start = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes > 1 else []
    surroundings = os.environ | {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "PYTHONWARNINGS": "ignore",
    }
    done = subprocess.run(
        [sys.executable, *start, str(program), *map(str, words)], capture_output=True, text=True, env=surroundings
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def programs(tmp_path_factory, config):
    """The programs, and the settings of a short run, as files."""
    place = tmp_path_factory.mktemp("programs")
    (place / "train.py").write_text(PROGRAM)
    (place / "norms.py").write_text(NORMS)
    short = replace(
        config,
        optimizer=replace(config.optimizer, batch=4, pretrain_steps=3, steps=3),
        data=replace(config.data, augment=True),
    )
    (place / "config.json").write_text(to_json(short))
    return place


@pytest.fixture(scope="module")
def alone(programs, tmp_path_factory):
    """The run of one process."""
    out = tmp_path_factory.mktemp("alone") / "run"
    run(programs / "train.py", 1, programs / "config.json", out, 0)
    return out


def losses(out: Path) -> list[dict]:
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("seconds", "phase")} for line in lines]


def apart(one: Path, other: Path) -> float:
    """The largest difference of two runs' final weights."""
    a, b = (read_checkpoint(out / "checkpoint.pt")["modules"]["model"] for out in (one, other))
    return max((a[k] - b[k]).abs().max().item() for k in a)


def test_two_processes_take_the_steps_of_one(programs, alone, tmp_path):
    """In double precision losses agree to a hundred-thousandth for six steps. Sums in another order are all that
    differs, but Adam
    makes full steps of the rounding where a gradient is nothing: it grows from step to step, as it would with another
    number of threads."""
    run(programs / "train.py", 2, programs / "config.json", tmp_path / "run", 0)
    one, two = losses(alone), losses(tmp_path / "run")
    assert [line.keys() for line in one] == [line.keys() for line in two] and len(one) == 6
    for a, b in zip(one, two, strict=True):
        assert b == pytest.approx(a, rel=1e-5)
    assert apart(alone, tmp_path / "run") < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), ((2, 1), (1, 2)))
def test_a_checkpoint_goes_on_in_another_number_of_processes(programs, alone, tmp_path, before, after):
    run(programs / "train.py", before, programs / "config.json", tmp_path / "run", 4)
    assert len(losses(tmp_path / "run")) == 4
    run(programs / "train.py", after, programs / "config.json", tmp_path / "run", 0)
    for a, b in zip(losses(alone), losses(tmp_path / "run"), strict=True):
        assert b == pytest.approx(a, rel=1e-5)


def test_norms_see_the_whole_batch(programs, tmp_path):
    """Outputs, gradients and running statistics are those of one process that sees all; a mean is over processes."""
    for processes in (1, 2):
        run(programs / "norms.py", processes, tmp_path / f"{processes}.pt")
    one, two = (torch.load(tmp_path / f"{n}.pt", weights_only=True) for n in (1, 2))
    assert one.pop("average") == 0 and two.pop("average") == 0.5
    assert all(torch.allclose(one[k], two[k], atol=1e-6) for k in one) and one.keys() == two.keys()


def test_alone_nothing_is_shared():
    x = torch.arange(4.0)
    assert (distributed.size(), distributed.rank()) == (1, 0) and distributed.start("cpu") == "cpu"
    assert (
        torch.equal(distributed.share(x), x)
        and torch.equal(distributed.gather(x), x)
        and torch.equal(distributed.mean(x), x)
    )


def test_a_batch_that_cannot_be_shared(monkeypatch):
    monkeypatch.setattr(distributed, "size", lambda: 3)
    with pytest.raises(KpError, match=r"a batch of 4 cannot be shared by 3 processes; choose another optimizer\.batch"):
        distributed.share(torch.zeros(4))


def test_a_core_is_left_to_others(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    distributed.leave_a_core()
    assert torch.get_num_threads() == before
    monkeypatch.delenv("OMP_NUM_THREADS")
    distributed.leave_a_core()
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)
