"""Folders that may not be written, disks that are full, names in any script: one clear error, or a result; the old file
stays.
"""

import errno
import os
import re
import resource
import shutil
import signal
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime  # noqa: F401 (nobody may not import it any more)
import onnxscript  # noqa: F401
import pytest
import torch
from tiny import prior_arrays, write_video

from kp.cli.own_video import check
from kp.errors import KpError
from kp.formats.read import fit_skeleton, read_pose_file
from kp.formats.track import WRITERS
from kp.inference.batch import summary
from kp.inference.onnx import write_onnx
from kp.inference.predictor import Predictor
from kp.inference.repose import write_reposed
from kp.inference.view import look
from kp.method.checkpoint import save_checkpoint
from kp.own_video.prepare import prepare
from kp.training.loop import train
from kp.training.monitor import Monitor
from kp.training.state import State

FULL = Path("/dev/full")  # whoever writes there hears that no space is left


@pytest.fixture(scope="module")
def predictor(config):
    torch.manual_seed(0)
    return State(config, torch.device("cpu")).predictor()


@pytest.fixture(scope="module")
def tracked(predictor, tiny):
    return predictor.track(tiny / "videos/test/000.mp4", masks=tiny / "masks/test/000.mp4", progress=False)


@pytest.fixture
def writers(config, predictor, tracked, tiny):
    """Everything that kp writes: name → how to write it to a path, and the ending that it wants."""
    view = look(tiny / "videos/test/000.mp4", masks=tiny / "masks/test/000.mp4", progress=False)
    return {
        **{ending: (tracked.save, ending) for ending in WRITERS},
        "weights": (lambda path: predictor.save(path), ".safetensors"),
        "checkpoint": (lambda path: save_checkpoint({"a": torch.zeros(100_000)}, path), ".pt"),
        "repose": (lambda path: write_reposed(predictor, view, view, path.parent), None),
        "onnx": (lambda path: write_onnx(predictor, path.parent), None),
    }


NAMES = (*WRITERS, "weights", "checkpoint")


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize("name", [name for name in NAMES if name != ".slp"])  # which deletes what is in its way first
def test_no_space_left(writers, tmp_path, name):
    """The file beside the target, which is written first, lies on a full disk: an error that names the target, and what
    was there stays.
    """
    write, ending = writers[name]
    path = tmp_path / f"out{ending}"
    path.write_text("precious")
    part = tmp_path / f".{path.stem}.part{path.suffix}"
    part.symlink_to(FULL)
    with pytest.raises(KpError, match=re.escape(str(path))) as error:
        write(path)
    assert "\n" not in str(error.value) and path.read_text() == "precious" and list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_no_space_left_for_the_log_of_a_training(config, clips, poses, tmp_path, monkeypatch):
    real = open

    def full(path, *a, **k):
        return real(FULL if Path(path).name == "metrics.jsonl" and a == ("a",) else path, *a, **k)

    monkeypatch.setattr("builtins.open", full)
    with pytest.raises(KpError, match=re.escape(f"{tmp_path}: cannot be written ({os.strerror(errno.ENOSPC)})")):
        train(config, tmp_path, clips, poses)


def in_a_child(change, work) -> str:
    """Run ``work`` in a process of its own that ``change`` has taken something from; what its KpError says."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            change()
            work()
            said = "no error"
        except KpError as error:
            said = str(error)
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as file:
        said = file.read().decode()
    os.waitpid(child, 0)
    return said


def nobody() -> None:
    os.setgid(65534)
    os.setuid(65534)


def no_file_over_64_bytes() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))


@pytest.mark.parametrize("name", (*NAMES, "repose", "onnx"))
def test_cut_off_in_the_middle_of_a_file(writers, tmp_path, name):
    write, ending = writers[name]
    path = tmp_path / f"out{ending or ''}"
    said = in_a_child(no_file_over_64_bytes, lambda: write(path))
    assert said.startswith(str(tmp_path)) and "\n" not in said
    assert not list(tmp_path.iterdir())


@pytest.fixture
def locked():
    """A folder, below one that all may enter, in which nobody else may write."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


as_root = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can become somebody else")


@as_root
@pytest.mark.parametrize("name", (*NAMES, "repose", "onnx"))
def test_read_only_folder(writers, locked, name):
    write, ending = writers[name]
    said = in_a_child(nobody, lambda: write(locked / f"out{ending or ''}"))
    assert said.startswith(str(locked)) and re.search("Permission denied|can not be written", said) and "\n" not in said
    assert not list(locked.iterdir())


@as_root
def test_read_only_folder_for_a_training_and_a_set(config, clips, poses, locked):
    said = in_a_child(nobody, lambda: train(config, locked / "run", clips, poses))
    assert said == f"{locked / 'run'}: cannot be written (Permission denied); choose another folder with --out"
    write_video(locked / "a.mp4", np.zeros((32, 64, 64, 3), np.uint8))
    np.savez(locked / "poses.npz", **prior_arrays())
    for path in locked.iterdir():
        path.chmod(0o644)
    poses = fit_skeleton(read_pose_file(locked / "poses.npz"))
    said = in_a_child(nobody, lambda: prepare([locked / "a.mp4"], *poses, locked / "set"))
    assert said == f"{locked / 'set'}: cannot be written (Permission denied); choose another folder"
    said = in_a_child(nobody, lambda: check((locked / "a.mp4",), str(locked / "poses.npz"), out=locked / "check.png"))
    assert said == f"{locked / 'check.png'}: cannot be written (Permission denied); choose another place"


NAMES_OF_FILES = (
    "with 'quotes' <img src=x>", "été видео 動画 🎬", "a\nb \x1b[31mred", "..a%20b;c#d..",
)  # fmt: skip


@pytest.mark.parametrize(
    "name", [NAMES_OF_FILES[0], *(pytest.param(n, marks=pytest.mark.slow) for n in NAMES_OF_FILES[1:])], ids=ascii
)
def test_any_name(config, predictor, tracked, tiny, tmp_path, name):
    """In, out and between: videos, boxes, sets, runs and results in folders and files of such names."""
    place = tmp_path / name
    for kind in ("videos", "masks"):
        (place / kind).mkdir(parents=True)
        shutil.copy(tiny / kind / "test/000.mp4", place / kind / f"{name}.mp4")
    found = predictor.track(place / "videos" / f"{name}.mp4", masks=place / "masks" / f"{name}.mp4", progress=False)
    assert np.array_equal(found.keypoints, tracked.keypoints)
    for ending in WRITERS:
        found.save(place / f"{name}{ending}")
        assert (place / f"{name}{ending}").stat().st_size > 100
    shutil.copytree(tiny, place / "set")
    with Monitor(place / "run") as monitor:
        train(replace(config, data=replace(config.data, videos=place / "set")), place / "run", on_step=monitor)
    page = (place / "run/report.html").read_text()
    assert "finished" in page and "<img src=x>" not in page
    again = Predictor.load(place / "run").track(
        place / "videos" / f"{name}.mp4", masks=place / "masks" / f"{name}.mp4", progress=False
    )
    table = "\n".join(summary({again.video: again}))
    assert all(c.isprintable() for line in table.splitlines() for c in line) and len(table.splitlines()) == 2
