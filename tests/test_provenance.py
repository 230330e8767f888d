import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import kp.provenance
from kp.provenance import code_digest, command_line, provenance, write_record
from kp.training.log import read_metrics


def test_provenance():
    made = provenance()
    assert (made["kp"], made["torch"], made["threads"]) == (kp.__version__, torch.__version__, torch.get_num_threads())
    assert made["processor"].endswith(" cores") and time.strptime(made["date"], "%Y-%m-%d")


@pytest.mark.skipif(not (Path(__file__).parents[1] / ".git").exists(), reason="wants a checkout")
def test_the_commit_is_that_of_the_code_wherever_one_stands(tmp_path, monkeypatch):
    here = provenance()["commit"]
    subprocess.run(
        "git init -q . && git -c user.name=a -c user.email=a commit -q --allow-empty -m x", shell=True, cwd=tmp_path
    )
    monkeypatch.chdir(tmp_path)
    assert provenance()["commit"] == here != "unknown"


def test_code_that_is_no_part_of_the_checkout_around_it(tmp_path, monkeypatch):
    subprocess.run(
        "git init -q . && git -c user.name=a -c user.email=a commit -q --allow-empty -m x", shell=True, cwd=tmp_path
    )
    monkeypatch.setattr(kp.provenance, "__file__", str(tmp_path / "site/kp/provenance.py"))
    assert provenance()["commit"] == "unknown"


def test_without_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance()["commit"] == "unknown"


def test_write_json(tmp_path):
    path = tmp_path / "new" / "numbers.json"
    write_record(path, {"error": 1.5, "where": tmp_path})
    assert json.loads(path.read_text()) == {"error": 1.5, "where": str(tmp_path), "provenance": provenance()}


def test_read_metrics(finished):
    lines = read_metrics(finished[0])
    assert [(line["phase"], line["step"]) for line in lines] == [("pretrain", 4), ("train", 6)]


def test_the_code_digest_sees_code_and_no_words(tmp_path, monkeypatch):
    monkeypatch.setattr(kp.provenance, "__file__", str(tmp_path / "provenance.py"))
    (tmp_path / "method").mkdir()
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "method/b.py").write_text('def f():\n    """Words."""\n    return 1\n')
    before, foundations = code_digest("method"), code_digest()
    (tmp_path / "method/b.py").write_text('def f():\n    """Other words."""\n    return 1  # one\n')
    assert code_digest("method") == before != foundations
    (tmp_path / "method/b.py").write_text('def f():\n    """Words."""\n    return 2\n')
    assert code_digest("method") != before and code_digest() == foundations


def test_the_command_is_what_one_would_type(monkeypatch):
    monkeypatch.setattr("sys.argv", ["/somewhere/deep/program.py", "imm", "--seed", "0"])
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    assert command_line() == "python program.py imm --seed 0"
    spec = type("Spec", (), {"name": "kp.research.scripts.peers"})
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", spec)
    assert command_line() == "python -m kp.research.scripts.peers imm --seed 0"
