import json
import time

import torch

import kp
from kp.record import provenance, read_metrics, write_json


def test_provenance():
    made = provenance()
    assert (made["kp"], made["torch"], made["threads"]) == (kp.__version__, torch.__version__, torch.get_num_threads())
    assert made["processor"].endswith(" cores") and time.strptime(made["date"], "%Y-%m-%d")


def test_outside_a_checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance()["commit"] == "unknown"


def test_without_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance()["commit"] == "unknown"


def test_write_json(tmp_path):
    path = tmp_path / "new" / "numbers.json"
    write_json(path, {"error": 1.5, "where": tmp_path})
    assert json.loads(path.read_text()) == {"error": 1.5, "where": str(tmp_path), "provenance": provenance()}


def test_read_metrics(finished):
    lines = read_metrics(finished[0])
    assert [(line["phase"], line["step"]) for line in lines] == [("pretrain", 4), ("train", 6)]
