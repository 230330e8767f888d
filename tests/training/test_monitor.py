import json
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import kp.training.diagnostics
import kp.training.monitor
from kp.config import to_json
from kp.errors import KpError
from kp.training.loop import train
from kp.training.monitor import Monitor, read_diagnostics
from kp.training.state import State, load_state


def look_often(monkeypatch):
    """A look every two steps, a page each time, judged from the start."""
    monkeypatch.setattr(kp.training.monitor, "EVERY", 2)
    monkeypatch.setattr(kp.training.monitor, "PAGE", -1)
    monkeypatch.setattr(kp.training.diagnostics, "EARLY", 0)


@pytest.fixture
def often(monkeypatch):
    look_often(monkeypatch)


@dataclass(frozen=True)
class Watched:
    """A run that was watched to its end: its folder, state and monitor, the page at step 4, the verdict of its first
    look, and what was said.
    """

    run: Path
    state: State
    watch: Monitor
    page: str
    first: str
    heard: list[str]


@pytest.fixture(scope="module")
def watched(config, clips, poses, tmp_path_factory):
    run, pages, heard = tmp_path_factory.mktemp("watched"), [], []

    def look(state, *data):
        watch(state, *data)
        if state.step == 4:
            pages.append((run / "report.html").read_text())

    with pytest.MonkeyPatch.context() as patch:
        look_often(patch)
        patch.setattr(kp.training.monitor.tqdm, "write", lambda text, *file: file or heard.append(text))
        with Monitor(run) as watch:
            state = train(config, run, clips, poses, on_step=look)
        first = str(kp.training.monitor.judge(watch.history[:1]))
    return Watched(run, state, watch, pages[0], first, heard)


def steps(run):
    return [json.loads(line)["step"] for line in (run / "diagnostics.jsonl").read_text().splitlines()]


def test_a_watched_run_ends_in_the_same_bits(watched, finished, same):
    assert same(watched.state.state_dict(), finished[1].state_dict())
    assert steps(watched.run) == [2, 4, 6] == [s.step for s in watched.watch.history]


def test_the_last_step_is_looked_at(config, tmp_path):
    with Monitor(tmp_path) as watch:
        train(config, tmp_path, on_step=watch)
    assert steps(tmp_path) == [6] and watch.verdict.level == "early"


def test_a_continued_run_keeps_its_looks_up_to_the_checkpoint(config, clips, poses, tmp_path, often):
    with Monitor(tmp_path) as watch:
        train(config, tmp_path, clips, poses, on_step=watch, stop_after=8)  # four steps of pre-training first
    with open(
        tmp_path / "diagnostics.jsonl", "a"
    ) as file:  # as if it had gone on and been killed before the next checkpoint
        file.write(json.dumps(dict(vars(watch.history[0]), step=6)) + '\n{"step": 8, "spre')
    with Monitor(tmp_path) as again:
        train(config, tmp_path, clips, poses, on_step=again)
    assert steps(tmp_path) == [2, 4, 6] and again.history[:2] == watch.history
    assert len(read_diagnostics(tmp_path, before=5)) == 2 and read_diagnostics(tmp_path / "none", before=5) == []


def test_the_page_reloads_while_training_runs(watched):
    pages = watched.page, (watched.run / "report.html").read_text()
    assert ['http-equiv="refresh"' in page for page in pages] == [True, False]
    assert "training" in pages[0] and "step 4 of 6" in pages[0] and "finished · step 6 of 6" in pages[1]
    assert watched.watch.verdict.seen.split("(")[0] in pages[1] and pages[1].count("data:image/png;base64,") == 3


def test_the_page_says_how_training_ended(config, clips, poses, tmp_path, often):
    def stop(state, *data):
        watch(state, *data)
        if state.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Monitor(tmp_path) as watch:
        train(config, tmp_path, clips, poses, on_step=stop)
    page = (tmp_path / "report.html").read_text()
    assert "stopped: KeyboardInterrupt · step 3 of 6" in page and "refresh" not in page


def test_training_that_breaks_is_said(config, clips, poses, tmp_path, often, monkeypatch):
    """So large a step that the next loss is not a number: the error says so, the page too, and the checkpoint is the
    last good one.
    """
    fast = replace(config, optimizer=replace(config.optimizer, schedule="constant"))
    expected = (
        "is not a number any more; begin anew in another folder with a lower learning rate (--optimizer.lr) or with"
    )

    def breaks(peak, step, *_):
        return 1e30 if peak == fast.optimizer.lr and step == 3 else 1e-4

    monkeypatch.setattr("kp.training.loop.learning_rate", breaks)
    with pytest.raises(KpError, match=re.escape(expected)), Monitor(tmp_path) as watch:
        train(fast, tmp_path, clips, poses, on_step=watch)
    assert load_state(tmp_path / "checkpoint.pt", config_device()).step == 0
    assert [signs.step for signs in watch.history][:1] == [2]
    assert expected in (tmp_path / "report.html").read_text().replace("&#x27;", "'")


def config_device():
    import torch

    return torch.device("cpu")


def test_the_terminal_hears_of_changes_only(watched):
    assert watched.heard == [f"step 2: {watched.first}"]


def test_a_run_without_training_has_no_page(config, clips, poses, tmp_path):
    with Monitor(tmp_path) as watch:
        train(replace(config, optimizer=replace(config.optimizer, steps=0)), tmp_path, clips, poses, on_step=watch)
    assert not (tmp_path / "report.html").exists()


def test_a_page_that_cannot_be_written(config, clips, poses, tmp_path, often):
    shutil.rmtree(tmp_path)
    (tmp_path / "run/report.html/taken").mkdir(parents=True)
    (tmp_path / "run/config.json").write_text(to_json(config))
    with (
        pytest.raises(KpError, match=re.escape(f"{tmp_path / 'run/report.html'}: cannot be written")),
        Monitor(tmp_path / "run") as watch,
    ):
        train(config, tmp_path / "run", clips, poses, on_step=watch)
