"""What is left, and said, when somebody stops a command."""

import os
import signal
import subprocess
import sys
import time

import pytest

from kp.cli.main import main
from kp.formats.read import read_pose_file
from kp.inference.predictor import Predictor


def obey_ctrl_c() -> None:
    """What runs in the background of a shell ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize(("stop", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 1)])
def test_a_training_that_is_stopped_says_so(tiny, tmp_path, stop, status):
    """As clusters and timeout do it, and by Ctrl-C: the report does not claim that it goes on."""
    words = ["train", "--out", tmp_path / "run", "smoke", "--data.videos", tiny, "--optimizer.steps", "100000"]
    command = [sys.executable, "-m", "kp", *map(str, words)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=obey_ctrl_c
    )
    end = time.monotonic() + 120
    while not (tmp_path / "run/report.html").exists():
        assert process.poll() is None and time.monotonic() < end, process.stderr.read()
        time.sleep(0.2)
    process.send_signal(stop)
    _, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert "kp: stopped; the same command goes on from the last checkpoint\n" in err
    page = (tmp_path / "run/report.html").read_text()
    assert "stopped" in page and 'http-equiv="refresh"' not in page
    assert not {".lock", ".process"} & {p.name for p in (tmp_path / "run").iterdir()}


def test_a_prediction_that_is_stopped_keeps_its_frames(finished, tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("kp.inference.view.CHUNK", 3)
    read = Predictor.readings

    def stop(predictor, images, first=0):
        if first >= 3:
            raise KeyboardInterrupt
        return read(predictor, images, first)

    monkeypatch.setattr(Predictor, "readings", stop)
    film, masks = tiny / "videos/test/000.mp4", tiny / "masks/test/000.mp4"
    words = ["predict", finished[0], film, "--masks", masks, "--out", tmp_path]
    monkeypatch.setattr(sys, "argv", ["kp", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        main()
    out, err = capsys.readouterr()
    assert end.value.code == 1 and "kp: stopped; the same command begins anew" in err
    assert f"{film}: stopped; what was found until there is in {tmp_path}/000_until_3.csv" in out
    assert len(read_pose_file(tmp_path / "000_until_3.csv", 0.0).keypoints) == 3
    assert not (tmp_path / "000.csv").exists() and not (tmp_path / "000.mp4").exists()


def test_ctrl_c_while_libraries_load(tmp_path):
    """No traceback, from the first moment on."""
    (tmp_path / "tyro.py").write_text("raise KeyboardInterrupt")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-m", "kp", "settings"], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "kp: stopped; the same command begins anew\n")


def test_a_terminal_that_does_not_write_greek(tmp_path):
    environment = os.environ | {"PYTHONIOENCODING": "cp1252"}
    for words in (["train", "laptop", "--help"], ["--help"]):
        done = subprocess.run([sys.executable, "-m", "kp", *words], env=environment, capture_output=True)
        assert done.returncode == 0 and done.stderr == b""
