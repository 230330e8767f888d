"""A thousand damaged files: each is read rightly or refused by one clear error; none crashes, hangs or eats memory."""

import json
import os
import random
import re
import resource
import signal
import warnings
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from tiny import prior_arrays

from kp.config import from_json, to_json
from kp.datasets.clips import clip_frames, read_labels
from kp.datasets.priors import load_poses
from kp.errors import KpError
from kp.files import read_checksums
from kp.formats.read import fit_skeleton, read_pose_file
from kp.formats.rows import MISSING
from kp.formats.track import Track
from kp.inference.crops import read_boxes
from kp.inference.predictor import Predictor
from kp.inference.published import load
from kp.method.checkpoint import save_checkpoint
from kp.own_video.prepare import as_prior
from kp.research.records import read_record
from kp.skeletons import BODY, find_skeleton
from kp.training.diagnostics import Diagnostics
from kp.training.log import read_metrics
from kp.training.monitor import read_diagnostics
from kp.training.state import State
from kp.video import read_header, read_image, read_video, write_video

MUTANTS = int(os.environ.get("KP_MUTANTS", 60))  # of every kind of file; `make fuzz` tries more
SECONDS, ROOM, GROWTH = 20, 3 << 30, 300 << 20  # for one file; bytes that may be asked for; bytes that may be kept


def mutate(data: bytes, chance: random.Random) -> bytes:
    """Bytes changed, cut off, doubled, blanked or moved; numbers and words replaced by what no one expects."""
    made = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        a = chance.randrange(len(made)) if made else 0
        b = min(len(made), a + chance.choice((1, 1, 4, 16, 100, 1000)))
        match chance.randrange(8):
            case 0 | 1:
                made[a:b] = chance.randbytes(b - a)
            case 2:
                made[a:] = b""
            case 3:
                made[a:b] = b""
            case 4:
                made[a:a] = made[a:b]
            case 5:
                made[a:b] = bytes(b - a)
            case 6:
                made[a:a] = chance.randbytes(chance.choice((1, 8)))
            case 7:
                numbers = list(re.finditer(rb"-?\d+(\.\d+)?|null|true|false|\"\w+\"", made))
                if numbers:
                    where = chance.choice(numbers)
                    made[where.start() : where.end()] = chance.choice(
                        (
                            b"nan",
                            b"1e999",
                            b"-1",
                            b"0",
                            b"",
                            b"99999999999999999999",
                            b'"x"',
                            b"[]",
                            b"{}",
                            b"null",
                            b"1e15",
                            b"NaN",
                        )
                    )
    return bytes(made)


def finite(values) -> bool:
    return bool(np.isfinite(np.asarray(values)).all())


def plain(path: Path) -> np.ndarray:
    """Keypoints (n, k, 2) of a file of poses as its text says, read without any care: what a reader must agree with
    where it reads at all. Only what kp's own writers write.
    """
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            return np.asarray(file["keypoints"], float)
    text = path.read_bytes().decode("utf-8-sig")
    if path.suffix == ".json":
        content = json.loads(text)
        kinds = {str(category["id"]) for category in content["categories"]}
        told = [a for a in content["annotations"] if str(a["category_id"]) in kinds]
        poses = [a["keypoints"] for a in told if a.get("keypoints")]
        values = np.array(poses, float).reshape(len(poses), -1, 3)  # an annotation may have none
        return np.where(values[..., 2:] > 0, values[..., :2], np.nan)
    rows = [[cell.strip() for cell in line.split(",")] for line in text.split("\n") if line.strip()]

    def numbers(cells):
        return [float("nan") if cell.lower() in MISSING else float(cell) for cell in cells]

    def likely(values):
        return np.where(values[..., 2:] < 0, np.nan, values[..., :2])  # a score below 0 says that there is no joint

    if rows[0][0] == "scorer":
        return likely(np.array([numbers(row[1:]) for row in rows[3:]]).reshape(len(rows) - 3, -1, 3))
    if "joint" in rows[0]:
        x, frame, joint = (rows[0].index(name) for name in ("x", "frame", "joint"))
        frames, joints = (list(dict.fromkeys(row[i] for row in rows[1:])) for i in (frame, joint))
        values = np.full((len(frames), len(joints), 3), np.nan)
        for row in rows[1:]:
            values[frames.index(row[frame]), joints.index(row[joint])] = numbers(row[x : x + 3])
        return likely(values)
    return likely(np.array([numbers(row[1:]) for row in rows[1:]]).reshape(len(rows) - 1, -1, 3))


def agreeing(path: Path) -> bool:
    """Whether the reader finds the numbers that the file holds. A pose without a marked joint may be left out."""
    found = read_pose_file(path, 0.0).keypoints
    wanted = plain(path)
    wanted = wanted[np.isfinite(wanted).all(-1).any(1)]
    return found.shape == wanted.shape and np.allclose(found, wanted, atol=1e-3, equal_nan=True)


def pose_file(path) -> bool:
    found, skeleton = fit_skeleton(read_pose_file(path))
    poses = as_prior(found, skeleton, 64, 1.25)
    return poses.shape[1:] == (len(skeleton), 2) and finite(poses)


def video(path) -> bool:
    header, frames = read_header(path), read_video(path)
    return frames.shape[2:0:-1] == header.size and header.rate > 0 and finite(float(header.rate))


def images(frames: np.ndarray) -> bool:
    return frames.dtype == np.uint8 and frames.ndim == 4 and frames.shape[3] == 3


def model(predictor: Predictor) -> list:
    """What it finds: it must be what the sound file's model finds."""
    return predictor(torch.zeros(1, 3, predictor.size, predictor.size)).keypoints.tolist()


def lines(path: Path, name: str, read) -> bool:
    """A log of a run, which lies in its folder under a name of its own."""
    path.replace(path.with_name(name))
    try:
        return isinstance(read(path.parent), list)
    except KpError as error:
        raise KpError(str(error).replace(name, path.name)) from error


READERS = {
    "mp4": (".mp4", video),
    "avi": (".avi", video),
    "mkv": (".mkv", video),
    "clip": (".mp4", lambda path: images(np.stack(list(clip_frames(path))))),
    "png": (".png", lambda path: images(read_image(path)[None])),
    "jpg": (".jpg", lambda path: images(read_image(path)[None])),
    "csv": (".csv", lambda path: pose_file(path) and agreeing(path)),
    "dlc": (".csv", lambda path: pose_file(path) and agreeing(path)),
    "dlc-h5": (".h5", pose_file),
    "coco": (".json", lambda path: pose_file(path) and agreeing(path)),
    "sleap": (".slp", pose_file),
    "npz": (".npz", pose_file),
    "track": (".npz", lambda path: pose_file(path) and agreeing(path)),
    "wide": (".csv", lambda path: pose_file(path) and agreeing(path)),
    "spreadsheet": (".csv", pose_file),
    "individuals": (".csv", pose_file),
    "prior": (".npz", lambda path: finite(load_poses(path, BODY, 64).keypoints)),
    "boxes": (".csv", lambda path: read_boxes(path, 50).boxes.shape == (50, 4) and finite(read_boxes(path, 50).boxes)),
    "config": (".json", lambda path: from_json(path.read_text(errors="replace"), str(path)).data.size > 0),
    "record": (".json", lambda path: 0 <= read_record(path)["raw"] < 1e9),
    "sums": ("", lambda path: lines(path, "SHA256SUMS", lambda folder: [*read_checksums(folder / "SHA256SUMS")])),
    "labels": (".csv", lambda path: lines(path, "clips.csv", lambda folder: [*read_labels(folder)])),
    "skeleton": (".json", lambda path: len(find_skeleton(str(path)).edge_indices) > 0),
    "checkpoint": (".pt", lambda path: model(Predictor.load(path))),
    "safetensors": (".safetensors", lambda path: model(load(path))),
    "diagnostics": (".jsonl", lambda path: lines(path, "diagnostics.jsonl", lambda run: read_diagnostics(run, 100))),
    "metrics": (".jsonl", lambda path: lines(path, "metrics.jsonl", read_metrics)),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory, config):
    """kind → the bytes of one sound file."""
    place, chance = tmp_path_factory.mktemp("sound"), np.random.default_rng(0)

    def target(kind):
        return place / f"{kind}{READERS[kind][0]}"

    frames = chance.integers(0, 255, (10, 32, 32, 3), np.uint8)
    for kind in ("mp4", "avi", "mkv", "clip"):
        write_video(target(kind), frames, crf=20)
    for kind in ("png", "jpg"):
        Image.fromarray(frames[0]).save(target(kind))
    poses = prior_arrays(12)["keypoints"].astype(np.float32)
    track = Track(place / "a.mp4", (128, 128), 20.0, BODY, poses, np.full((12, 17), 0.9, np.float32), [])
    for kind, ending in {
        "csv": ".csv",
        "dlc": ".dlc.csv",
        "dlc-h5": ".h5",
        "coco": ".json",
        "sleap": ".slp",
        "track": ".npz",
    }.items():
        track.save(place / f"track{ending}")
        (place / f"track{ending}").replace(target(kind))
    np.savez(target("npz"), **prior_arrays(12))
    names = [f"{joint}_{what}" for joint in BODY.joints for what in ("x", "y", "likelihood")]
    values = np.concatenate([poses, np.full((12, 17, 1), 0.9, np.float32)], -1).reshape(12, -1)
    rows = [[t, *(f"{v:.3f}" for v in row)] for t, row in enumerate(values)]
    target("wide").write_text("\n".join(",".join(map(str, row)) for row in [["frame", *names], *rows]))
    spreadsheet = target("csv").read_text().replace(".", ";").replace(",", "\t").replace(";", ",")
    target("spreadsheet").write_text("\ufeff" + spreadsheet)
    lines = target("dlc").read_text().splitlines()
    lines[0:1] = [lines[0], ",".join(["individuals", *["one"] * 51])]
    head, body = (
        [line + line[line.index(",") :] for line in lines[:4]],
        [line + line[line.index(",") :] for line in lines[4:]],
    )
    head[1] = ",".join(["individuals", *["one"] * 51, *["two"] * 51])
    target("individuals").write_text("\n".join([*head, *body]))
    np.savez(target("prior"), **prior_arrays(12))
    target("boxes").write_text("frame,x,y,width,height\n0,1.5,2,30,40\n9,4,2,30,40\n49,8.25,2,31,40\n")
    target("skeleton").write_text(json.dumps(asdict(replace(BODY, name="mine")) | {"regions": {}}, indent=1))
    torch.manual_seed(0)
    state = State(
        replace(config, network=replace(config.network, width=4, regressor_width=4, discriminator_width=4)),
        torch.device("cpu"),
    )
    save_checkpoint(state.state_dict(), target("checkpoint"))
    state.predictor().save(target("safetensors"))
    target("config").write_text(to_json(config))
    record = {
        "setting": "full",
        "description": "the method",
        "raw": 3.25,
        "raw_by_clip": [3.0, 3.5],
        "seconds_train": 9.5,
    }
    record |= {"nearest_prior_pose": 2.5, "mean_pose": 8.25, "config": json.loads(to_json(config))}
    target("record").write_text(json.dumps(record, indent=2))
    target("sums").write_text("".join(f"{number:064x}  videos/train/{number:03d}.mp4\n" for number in range(9)))
    target("labels").write_text("split,clip,source\n" + "".join(f"train,{n:03d},cmu\n" for n in range(9)))
    target("diagnostics").write_text(
        (json.dumps(asdict(Diagnostics(25, 0.5, 0.1, 0.1, 0.5, 0.0, 0.6, 0.4, 0.7))) + "\n") * 3
    )
    target("metrics").write_text('{"phase": "train", "step": 25, "seconds": 1.5, "perceptual": 0.5}\n' * 3)
    return {kind: target(kind).read_bytes() for kind in READERS}


def try_all(kind: str, data: bytes, place: Path, told: Path) -> None:
    """Read every mutant and write a line about each to ``told``: "right", "error", or what should not have happened."""
    ending, read = READERS[kind]
    path = place / f"mutant{ending}"
    address_space = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (address_space + ROOM, address_space + ROOM))
    chance, peak, first = random.Random(kind), 0, None
    warnings.simplefilter("ignore")  # an AVI that lost a frame is read with a warning
    with open(told, "w") as log:
        for number in range(MUTANTS):
            path.write_bytes(mutate(data, chance) if number else data)
            signal.alarm(SECONDS)
            try:
                found = read(path)
                first = found if number == 0 else first
                outcome = "right" if found and found == first else "a wrong result"
            except KpError as error:
                words = str(error)
                fine = words.startswith(str(path)) and "\n" not in words and len(words) < 400 + 2 * len(str(path))
                outcome = "error" if fine else f"an unclear error: {words}"
            except BaseException as error:
                outcome = f"{type(error).__name__}: {error}"
            signal.alarm(0)
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - peak
            if number == 10:
                peak += grown
            elif number > 10 and grown > GROWTH:
                outcome = f"{grown >> 20} MiB more memory"
            log.write(json.dumps(outcome) + "\n")
            log.flush()


def outcomes(kind: str, data: bytes, place: Path) -> list[str]:
    """What came of every mutant; in a process of its own: what crashes or hangs there is told by the last line it
    wrote.
    """
    child = os.fork()
    if child == 0:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        try:
            try_all(kind, data, place, place / "told")
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    told = [json.loads(line) for line in (place / "told").read_text().splitlines()]
    assert not os.WIFSIGNALED(status), f"mutant {len(told)} ended the process by signal {os.WTERMSIG(status)}"
    return told


LENIENT = ("diagnostics", "labels")  # damaged signs are left out; a label may be any text

needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")


@needs_proc
@pytest.mark.parametrize("kind", READERS)
def test_damaged_files(kind, sound, tmp_path):
    told = outcomes(kind, sound[kind], tmp_path)
    surprises = {number: outcome for number, outcome in enumerate(told) if outcome not in ("right", "error")}
    assert not surprises and len(told) == MUTANTS
    assert told[0] == "right" and ("error" in told or kind in LENIENT), "the sound file is read, and damage is seen"
    if table := os.environ.get("KP_FUZZ_TABLE"):
        with open(table, "a") as file:
            file.write(f"{kind},{len(told)},{told.count('error')},{told.count('right')}\n")


def one_pixel_off(read):
    """A reader that is wrong: the first joint of the last pose lies a pixel to the right."""

    def wrong(path, *more):
        poses = read(path, *more)
        poses.keypoints[-1, 0, 0] += 1
        return poses

    return wrong


@needs_proc
@pytest.mark.parametrize("kind", ["csv", "dlc", "coco", "track", "wide"])
def test_a_reader_that_is_wrong_would_be_noticed(kind, sound, tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "read_pose_file", one_pixel_off(read_pose_file))
    assert "a wrong result" in outcomes(kind, sound[kind], tmp_path)


@needs_proc
@pytest.mark.parametrize(("kind", "broken"), [("safetensors", "digest"), ("config", "parse"), ("record", "parse")])
def test_a_check_that_is_missing_would_be_noticed(kind, broken, sound, tmp_path, monkeypatch):
    """Without the checksum, damaged weights find other points; without validation, nonsense is taken."""
    if broken == "digest":
        stored = lambda config, tensors: notes["sha256"]  # noqa: E731
        path = tmp_path / "sound.safetensors"
        path.write_bytes(sound[kind])
        with safe_open(path, "pt") as file:
            notes = file.metadata()
        monkeypatch.setattr("kp.method.checkpoint.digest", stored)
        monkeypatch.setattr("kp.method.checkpoint.check_weights", lambda *_: None)
    else:
        module = "kp.config" if kind == "config" else "kp.research.records"
        monkeypatch.setattr(f"{module}.parse", lambda kind, text, source: kind(**json.loads(text)))
    told = outcomes(kind, sound[kind], tmp_path)
    assert set(told) - {"right", "error"}


class Evil:
    """Executes a command when it is unpickled."""

    def __init__(self, trace: Path):
        self.trace = trace

    def __reduce__(self):
        return os.system, (f"touch {self.trace}",)


@pytest.mark.parametrize("kind", ("checkpoint", "npz", "prior"))
def test_no_file_executes_anything(kind, tmp_path):
    ending, read = READERS[kind]
    evil, path = Evil(tmp_path / "trace"), tmp_path / f"evil{ending}"
    if kind == "checkpoint":
        torch.save({"config": evil, "modules": evil}, path)
    else:
        np.savez(
            path, **prior_arrays(2) | {"keypoints": np.array([evil], object), "joint_names": np.array([evil], object)}
        )
    with pytest.raises(KpError, match=re.escape(str(path))):
        read(path)
    assert not (tmp_path / "trace").exists()
