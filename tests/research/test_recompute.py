"""Records that hold, and those that do not any more."""

import json
import re
import sys
from dataclasses import replace

import pytest

from kp.cli.main import main
from kp.config import smoke
from kp.errors import KpError
from kp.inference.published import load
from kp.research import recompute as module
from kp.research import study
from kp.research.recompute import recompute
from kp.research.records import read_record


@pytest.fixture
def record(own, tmp_path, monkeypatch):
    """A record of a tiny run, whose weights are there."""
    monkeypatch.setattr(study, "WORK", tmp_path / "work")
    monkeypatch.setattr(module, "WORK", tmp_path / "work")
    made = smoke(own)
    made = replace(made, optimizer=replace(made.optimizer, pretrain_steps=3, steps=4, batch=2))
    monkeypatch.setattr(study, "find_preset", lambda name: lambda: made)
    study.run_study(["full"], [0], tmp_path / "out", "smoke", 4, "float32", 1)
    return tmp_path / "out/full_seed0.json"


def test_a_record_that_holds(record, own, tmp_path):
    check = recompute(record, tmp_path / "work")
    assert check.holds and check.changed == () and check.weights.is_file()
    assert check.lines()[0].endswith(f"the same (from {check.weights})")
    assert read_record(record)["trained"]["data"] == read_record(record)["data_checksum"]


def test_a_number_that_was_made_up(record, tmp_path, monkeypatch):
    wrong = json.loads(record.read_text())
    wrong["raw"] -= 1
    record.write_text(json.dumps(wrong))
    check = recompute(record, tmp_path / "work")
    assert not check.holds and "NOT the same" in check.lines()[0]
    monkeypatch.setattr("kp.research.recompute.recompute", lambda path: check)
    monkeypatch.setattr(sys, "argv", ["kp", "verify", str(record)])
    with pytest.raises(SystemExit, match=re.escape(f"kp: {record}: its number does not come out again; see what")):
        main()


def test_what_has_changed_since(record, own, tmp_path, monkeypatch):
    (own / "videos/train/new.mp4").write_bytes((own / "videos/train/000.mp4").read_bytes())
    assert recompute(record, tmp_path / "work").changed == ()  # no file that the list of the set names
    with open(own / "truth/test.npz", "ab") as file:
        file.write(b"x")
    monkeypatch.setattr(module, "commit", lambda: "another")
    changed = recompute(record, tmp_path / "work").changed
    assert re.fullmatch(rf"{own}, from \w+ to \w+", changed[0]) and re.fullmatch(
        r"kp's code, from .* to another", changed[1]
    )


def test_without_weights_or_data(record, own, tmp_path):
    check = recompute(record, tmp_path / "elsewhere")
    assert check.computed is None and "its weights are not here, so it cannot be computed again" in check.lines()[0]
    own.rename(own.with_name("gone"))
    with pytest.raises(KpError, match=re.escape(f"{own}: holds no videos; the record {record} was made from them")):
        recompute(record, tmp_path / "work")


def test_from_the_weights_that_come_with_kp(record, tmp_path):
    """Those of the same setting and the same configuration only."""
    (kept,) = (tmp_path / "work").rglob("full_*.safetensors")
    shipped = record.parent / "weights/full.safetensors"
    load(kept).save(shipped, half=True)
    check = recompute(record, tmp_path / "elsewhere")
    assert check.holds and check.weights == shipped
    assert check.lines()[0].endswith(f"the same but for half precision (from {shipped})")
    other = json.loads(record.read_text())
    other["config"]["seed"] = 7
    record.write_text(json.dumps(other))
    assert recompute(record, tmp_path / "elsewhere").computed is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:200], r"is not written in JSON \(line \d+\); write it again"),
        (lambda text: text.replace('"raw":', '"row":', 1), "'raw' is missing; add it"),
        (lambda text: re.sub(r'"raw": [\d.]+', '"raw": NaN', text, count=1), "raw is nan; it must be finite"),
        (lambda text: text.replace('"width": 4', '"width": 0'), "network.width is 0; it must be at least 1"),
        (lambda text: "[]", r"the whole is \[\]; it must be a table of names and values"),
    ],
)
def test_damaged_records(record, change, message):
    record.write_text(change(record.read_text()))
    with pytest.raises(KpError, match=f"^{re.escape(str(record))}: {message}"):
        read_record(record)
    record.write_bytes(b"\xff\xfe{")
    with pytest.raises(KpError, match="is not text in UTF-8"):
        read_record(record)
