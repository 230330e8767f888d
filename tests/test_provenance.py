import json
import subprocess
import time

import torch

import kp.provenance
from kp.provenance import provenance, write_record
from kp.training.log import read_metrics


def test_provenance():
    made = provenance()
    assert (made["kp"], made["torch"], made["threads"]) == (kp.__version__, torch.__version__, torch.get_num_threads())
    assert made["processor"].endswith(" cores") and time.strptime(made["date"], "%Y-%m-%d")


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
