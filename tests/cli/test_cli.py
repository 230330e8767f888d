import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import FRAMES, make_set, prior_arrays, write_video

from kp.cli.main import main
from kp.inference.predictor import Predictor
from kp.skeletons import BODY
from kp.video import read_video


@pytest.fixture
def kp(monkeypatch, capfd):
    """Run a command in this process; returns (exit status, stdout, stderr) as a shell would see them."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["kp", *map(str, words)])
        status, message = 0, ""
        try:
            main()
        except SystemExit as end:
            status, message = (1, f"{end.code}\n") if isinstance(end.code, str) else (end.code or 0, "")
        out, err = capfd.readouterr()
        return status, out, err + message

    return run


def shell(*words):
    code = "from kp.cli.main import main; main()"
    command = [sys.executable, "-W", "error", "-c", code, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def blame(err):
    """The lines with which kp ends, as a terminal shows them."""
    return [line for line in re.split(r"[\r\n]", err) if "kp: " in line]


def test_help_lists_the_commands(kp):
    status, out, _ = kp("--help")
    assert status == 0 and all(
        re.search(rf"^  {name}\b", out, re.M)
        for name in (
            "train",
            "evaluate",
            "predict",
            "repose",
            "export",
            "prepare",
            "masks",
            "check",
            "fit",
            "study",
            "settings",
            "verify",
        )
    )


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["train"], ["smoke", "laptop", "study", "paper", "faithful", "--out", "--device"]),
        (
            ["train", "laptop"],
            ["--data.videos", "--loss.adversarial", "--optimizer.steps", "--method.decoder-reads", "--seed"],
        ),
        (["evaluate"], ["--split", "--json-file"]),
        (["predict"], ["--out", "--formats", "--crop", "--boxes", "dlc-h5"]),
        (["verify"], ["data/people"]),
        (["check"], ["--poses", "--crop", "--boxes"]),
        (["fit"], ["--poses", "--skeleton", "--start", "--crop", "--masks", "one subject"]),
    ],
    ids=" ".join,
)
def test_help_of_each_command(kp, words, shown):
    status, out, _ = kp(*words, "--help")
    assert status == 0 and all(word in out for word in shown)


@pytest.mark.parametrize("words", [["train", "fast"], ["train", "smoke", "--optimizer.steps", "many"]], ids=" ".join)
def test_wrong_usage(kp, words):
    assert kp(*words)[0] == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["vgg19"], "loss.features vgg19 needs a file; give torchvision's .pth or MatConvNet's .mat as --loss.weights"),
        (
            ["vgg19", "--loss.weights", "gone.mat", "--loss.relu"],
            "gone.mat: no such file of weights; check --loss.weights",
        ),
        (
            ["random", "--loss.weights", "a.mat"],
            "loss.weights is a.mat, but loss.features random reads no file; choose lite0, vgg16 or vgg19",
        ),
    ],
    ids=["none", "gone", "not read"],
)
def test_features_without_weights(kp, tiny, tmp_path, words, expected):
    status, _, err = kp("train", "--out", tmp_path, "smoke", "--data.videos", tiny, "--loss.features", *words)
    assert status == 1 and blame(err) == [f"kp: {expected}"]


def test_from_training_to_prediction(kp, tiny, tmp_path):
    run, out = tmp_path / "run", tmp_path / "found"
    settings = ["--data.videos", tiny, "--optimizer.pretrain-steps", 3, "--optimizer.steps", 2]
    status, printed, _ = kp("train", "--out", run, "smoke", *settings)
    assert status == 0 and f"trained: {run / 'checkpoint.pt'}" in printed

    status, printed, _ = kp("evaluate", run, "--json-file", tmp_path / "new" / "scores.json")
    scores = json.loads((tmp_path / "new" / "scores.json").read_text())
    assert status == 0 and f"error, % of the image size   {scores['raw']:.2f}" in printed
    assert set(scores["by_joint"]) == set(BODY.joints) and all(joint in printed for joint in BODY.joints)

    video, image = tiny / "videos/test/000.mp4", tmp_path / "photo.png"
    masks = tiny / "masks/test/000.mp4", tmp_path / "mask.png"
    Image.fromarray(read_video(video)[3]).save(image)
    Image.fromarray(read_video(masks[0])[3]).save(masks[1])
    status, printed, _ = kp("predict", run, video, image, "--masks", *masks, "--out", out)
    lines = printed.splitlines()
    assert (
        status == 0 and lines[0] == "mirror pairs: those of 'body'" and lines[-1].startswith("wrote the keypoints of 2")
    )
    assert lines[1].split() == ["film", "frames", "seen", "in", "longest", "gap", "confidence"]
    assert lines[2].startswith(f"{video} ") and lines[3].startswith(f"{image} ") and len(lines) == 5
    assert sorted(p.name for p in out.iterdir()) == ["000.csv", "000.mp4", "000.png", "photo.csv", "photo.png"]
    found, single = rows(out / "000.csv"), rows(out / "photo.csv")
    assert (
        list(found[0]) == ["frame", "joint", "x", "y", "confidence", "time", "seen"]
        and len(found) == FRAMES * 17
        and len(single) == 17
    )
    assert [r["joint"] for r in single] == list(BODY.joints) and [r["frame"] for r in found[::17]] == [
        str(t) for t in range(FRAMES)
    ]
    expected = Predictor.load(run).track(video, masks=masks[0])
    told = np.array([[float(r["x"]), float(r["y"]), float(r["confidence"])] for r in found])
    np.testing.assert_allclose(told[:, :2], expected.keypoints.reshape(-1, 2), atol=6e-4)
    np.testing.assert_allclose(told[:, 2], expected.confidence.reshape(-1), atol=6e-4)
    overlaid = read_video(out / "000.mp4")
    assert overlaid.shape == (FRAMES, 336, 336, 3) and (overlaid.std((1, 2, 3)) > 10).all()
    for name in ("000.png", "photo.png"):
        with Image.open(out / name) as drawn:
            assert np.asarray(drawn.convert("RGB")).std() > 10


def test_training_again_continues(kp, tiny, tmp_path):
    words = [
        "train",
        "--out",
        tmp_path,
        "smoke",
        "--data.videos",
        tiny,
        "--optimizer.pretrain-steps",
        2,
        "--optimizer.steps",
        1,
    ]
    kp(*words)
    before = (tmp_path / "metrics.jsonl").read_text()
    assert kp(*words)[0] == 0 and (tmp_path / "metrics.jsonl").read_text() == before
    status, _, err = kp(*words[:-2], "--optimizer.lr", 1)
    assert status == 1 and blame(err) == [
        f"kp: {tmp_path}: holds a run with other settings (optimizer differ); choose another --out or delete it"
    ]
    status, out, _ = kp(*words[:-1], 2)
    assert status == 0 and f"{tmp_path}: goes on from step 1 to 2" in out


def test_verify(kp, tmp_path):
    root = make_set(tmp_path / "set", size=64, frames=4)
    status, out, _ = kp("verify", root)
    assert status == 0 and out.splitlines() == [
        "19 files match SHA256SUMS",
        "train    3 clips,     12 frames",
        "val      2 clips,      8 frames",
        "test     2 clips,      8 frames",
        "prior matched: 60 poses of the skeleton 'body'",
    ]
    (root / "masks/val/000.mp4").write_bytes(b"")
    status, _, err = kp("verify", root)
    path = root / "masks/val/000.mp4"
    assert status == 1 and err == f"kp: {path}: differs from its checksum; restore it with 'git checkout {path}'\n"


def test_a_mistake_is_one_line_and_status_one(finished, tmp_path):
    done = shell("predict", finished[0], tmp_path / "none.png", "--out", tmp_path / "found")
    expected = f"kp: {tmp_path / 'none.png'}: no such image or video; check the path"
    assert done.returncode == 1 and done.stdout == "" and "Traceback" not in done.stderr
    assert blame(done.stderr) == [expected] and done.stderr.endswith(f"{expected}\n")


def test_help_in_a_shell():
    done = shell("--help")
    assert done.returncode == 0 and "named keypoints from unlabelled videos" in done.stdout and done.stderr == ""


@pytest.mark.parametrize(
    "words", [["evaluate", "none"], ["predict", "none", "a.png"], ["verify", "none"]], ids=lambda w: w[0]
)
def test_folder_that_is_not_there(kp, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    status, _, err = kp(*words)
    assert status == 1 and err.startswith("kp: none") and err.count("\n") == 1


@pytest.mark.parametrize("device", ["cuda:99", "abacus"])
def test_device_that_is_not_there(kp, tiny, tmp_path, device):
    status, _, err = kp("train", "--out", tmp_path / "run", "--device", device, "smoke", "--data.videos", tiny)
    assert status == 1 and len(blame(err)) == 1 and blame(err)[0].startswith("kp: ") and device in blame(err)[0]


def test_predictions_that_cannot_be_written(kp, finished, tiny, tmp_path):
    out = tmp_path / "found"
    out.write_text("")
    status, _, err = kp("predict", finished[0], tiny / "videos/test/000.mp4", "--out", out)
    assert status == 1 and blame(err) == [
        f"kp: {out}: cannot be written (File exists); choose another folder with --out"
    ]


@pytest.mark.parametrize(
    ("masks", "expected"),
    [
        (
            [],
            "{video}: shows a background, but this model learnt from subjects on black; give --masks, or train with "
            "--data.background",
        ),
        (["{video}", "{video}"], "1 inputs but 2 masks; give one for each, in the same order"),
        (["{image}"], "{image}: 1 frames of 40×40, but {video} has 8 of 48×48; make them equal"),
    ],
    ids=["none", "too many", "another shape"],
)
def test_masks(kp, finished, tiny, tmp_path, masks, expected):
    names = {"video": tiny / "videos/test/000.mp4", "image": tmp_path / "mask.png"}
    Image.new("RGB", (40, 40)).save(names["image"])
    words = ["--masks", *(m.format(**names) for m in masks)] if masks else []
    status, _, err = kp("predict", finished[0], names["video"], *words, "--out", tmp_path / "found")
    assert status == 1 and blame(err) == ["kp: " + expected.format(**names)]


def test_repose(kp, finished, tiny, tmp_path):
    pose, person = (tiny / f"videos/test/{n}.mp4" for n in ("000", "001"))
    masks = [tiny / f"masks/test/{n}.mp4" for n in ("000", "001")]
    status, printed, _ = kp("repose", finished[0], pose, person, "--masks", *masks, "--out", tmp_path / "out")
    stem = tmp_path / "out" / "000_on_001"
    assert status == 0 and printed == f"wrote {stem}.mp4 and {stem}.png\n" and stem.with_suffix(".mp4").is_file()
    status, _, err = kp("repose", finished[0], pose, person, "--masks", masks[0])
    assert status == 1 and blame(err) == ["kp: 2 inputs but 1 masks; give one for each, in the same order"]


@pytest.mark.slow
def test_export(kp, finished, tmp_path):
    status, printed, _ = kp("export", finished[0], "--out", tmp_path / "onnx")
    assert status == 0 and re.match(rf"{tmp_path}/onnx/predictor.onnx: differs from torch by \d", printed)
    assert sorted(p.name for p in (tmp_path / "onnx").iterdir()) == ["painter.onnx", "predictor.onnx"]


def test_prepare(kp, tiny, tmp_path):
    videos, out = tiny / "videos/train", tmp_path / "own"
    status, _, err = kp("prepare", videos, "--poses", tiny / "priors/matched.npz", "--out", out, "--size", 32)
    assert status == 1 and blame(err) == [
        f"kp: {videos / '000.mp4'}: gives 8 frames, a clip needs 16; take a longer video or a smaller --every"
    ]
    long = tmp_path / "long.mp4"
    write_video(long, np.tile(read_video(videos / "000.mp4"), (4, 1, 1, 1)))
    status, printed, _ = kp("prepare", long, "--poses", tiny / "priors/matched.npz", "--out", out, "--size", 32)
    assert status == 0 and printed.splitlines() == [
        "matched.npz: 60 poses read, 60 used; mirror pairs: those of 'body'; edges: those of 'body'",
        f"{out}: 1 clips, 60 poses of the skeleton 'body'",
        f"next:    kp masks {out} {out}_masks",
        f"then:    kp train laptop --out runs/own --data.videos {out} --data.prior own --data.masks {out}_masks",
    ]
    status, _, err = kp(
        "prepare", long, "--poses", tiny / "priors/matched.npz", "--out", tmp_path / "new", "--every", 0
    )
    assert status == 1 and blame(err)[0].startswith("kp: --size 128 --every 0: ")


def test_predict_without_inputs(kp, finished, tmp_path):
    status, out, _ = kp("predict", finished[0], "--out", tmp_path / "found")
    assert status != 0 and "wrote" not in out


def test_predict_never_writes_over_its_input(kp, finished, tmp_path):
    image = tmp_path / "photo.png"
    Image.new("RGB", (40, 40)).save(image)
    before = image.read_bytes()
    kp("predict", finished[0], image, "--out", tmp_path)
    assert image.read_bytes() == before


def test_inputs_of_one_name_keep_both_results(kp, finished, tiny, tmp_path):
    """Either both are written, or kp says why not."""
    inputs = [tiny / f"videos/{split}/000.mp4" for split in ("val", "test")]
    status, _, _ = kp("predict", finished[0], *inputs, "--out", tmp_path / "found")
    assert status == 1 or len(list((tmp_path / "found").glob("*.csv"))) == 2


def test_interrupted(kp, tiny, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("kp.training.loop.train", stop)
    status, _, err = kp("train", "--out", tmp_path, "smoke", "--data.videos", tiny)
    assert status == 1 and err == "kp: stopped; the same command goes on from the last checkpoint\n"


def test_settings_are_listed(kp):
    status, out, _ = kp("settings")
    assert status == 0 and {"full", "no_discriminator", "prior_50", "circle_sides"} <= set(out.split())
    status, faces, _ = kp("settings", "--preset", "faces")
    assert status == 0 and {"full", "rendered_prior"} <= set(faces.split()) and "circle" not in faces


def test_study_of_an_unknown_setting(kp, tmp_path):
    status, _, err = kp("study", "nonsense", "--out", tmp_path)
    assert (
        status == 1 and err.startswith("kp: unknown ablation 'nonsense'; use some of: full, ") and err.count("\n") == 1
    )


def test_study_passes_its_options_on(kp, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr("kp.research.study.run_study", lambda *arguments: asked.append(arguments))
    words = (
        "study",
        "full",
        "no_frame",
        "--seeds",
        4,
        "--steps",
        7,
        "--out",
        tmp_path,
        "--workers",
        3,
        "--snapshots",
        2,
        5,
    )
    status, _, err = kp(*words, "--precision", "bfloat16", "--device", "cuda")
    assert (status, err) == (0, "")
    assert asked == [(["full", "no_frame"], [4], tmp_path, "study", 7, "bfloat16", 3, (2, 5), "cuda")]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a.mp4", "--poses", "people"], "{cwd}/a.mp4: no such file or folder; check the path"),
        (
            ["a.mp4", "--poses", "people", "--size", 60],
            "--size 60 --every 1: a side is a multiple of 8, 64 at least; every and the",
        ),
        (
            ["a.mp4", "--poses", "p.json", "--start", "birds"],
            "birds: no run folder, no .safetensors file and no published model",
        ),
    ],
    ids=["video", "size", "start"],
)
def test_fit_says_what_is_wrong(kp, tmp_path, monkeypatch, words, expected):
    monkeypatch.chdir(tmp_path)
    status, _, err = kp("fit", *words, "--out", "run")
    assert status == 1 and blame(err)[0].startswith("kp: " + expected.format(cwd=tmp_path))


def test_check_of_footage(kp, tmp_path):
    frames = np.full((40, 64, 64, 3), 90, np.uint8)
    for t in range(40):
        frames[t, 10:50, t : t + 12] = 220
    write_video(tmp_path / "my videos/été.mp4", frames)
    np.savez(tmp_path / "poses.npz", **prior_arrays())
    words = ("check", tmp_path / "my videos", "--poses", tmp_path / "poses.npz", "--out", tmp_path / "new/sheet.png")
    status, out, _ = kp(*words)
    assert status == 0 and out.splitlines() == [
        "poses.npz: 60 poses read, 60 used; mirror pairs: those of 'body'; edges: those of 'body'",
        "été.mp4: 64×64, 40 frames, 20 a second, 2.0 s → clips: 1",
        "  squares of 64 pixels keep 100% of the frame",
        "skeleton 'body': 17 joints",
        "- 40 frames are few: a model that starts from nothing needs thousands. Go on from published weights "
        "(--start).",
        "- 60 poses are few: in the book's ablations 500 were enough and 50 were not. Add poses of anyone.",
        f"look at: {tmp_path / 'new/sheet.png'}",
    ]
    assert Image.open(tmp_path / "new/sheet.png").width > 500
    status, _, err = kp(*words, "--boxes", "a.csv", "b.csv")
    assert status == 1 and err == "kp: 1 inputs but 2 box tracks; give one for each, in the same order\n"
    status, _, err = kp("verify", tmp_path / "my videos")
    assert status == 1 and err == (
        f"kp: {tmp_path / 'my videos'}: no video set, it has no folder videos/; to look at footage: kp check VIDEOS "
        "--poses "
        "POSES\n"
    )


def test_verify_of_a_set_that_kp_prepare_made(kp, tmp_path):
    write_video(tmp_path / "a.mp4", np.random.default_rng(0).integers(0, 255, (32, 64, 64, 3), np.uint8))
    np.savez(tmp_path / "poses.npz", **prior_arrays())
    assert (
        kp("prepare", tmp_path / "a.mp4", "--poses", tmp_path / "poses.npz", "--out", tmp_path / "set", "--size", 64)[0]
        == 0
    )
    status, out, _ = kp("verify", tmp_path / "set")
    assert status == 0 and out.splitlines() == [
        "train    1 clips,     32 frames",
        "prior own: 60 poses of the skeleton 'body'",
    ]


def test_a_reader_that_leaves_early_is_no_error():
    """As in: kp settings | head -1"""
    kp = subprocess.Popen([sys.executable, "-m", "kp", "settings"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    kp.stdout.close()
    assert kp.stderr.read() == b"" and kp.wait() == 1
    kp.stderr.close()


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("trian", "no command 'trian'; did you mean train? (kp --help says what they do)"),
        ("settling", "no command 'settling'; did you mean settings? (kp --help says what they do)"),
        (
            "xyzzy",
            "no command 'xyzzy'; there are: predict, repose, export, check, fit, prepare, masks, train, evaluate, "
            "study, "
            "settings, verify (kp --help says what they do)",
        ),
    ],
)
def test_an_unknown_command_is_answered_with_the_nearest(kp, word, answer):
    assert kp(word) == (1, "", f"kp: {answer}\n")


def test_version(kp):
    from kp import __version__

    assert kp("--version") == (0, f"kp {__version__}\n", "")


def test_words_come_in_any_order(kp, tiny, tmp_path):
    settings = ["--data.videos", tiny, "--optimizer.pretrain-steps", 1, "--optimizer.steps", 1]
    assert kp("train", "smoke", "--out", tmp_path / "a", *settings)[0] == 0
    assert kp("train", "--out", tmp_path / "b", "smoke", *settings)[0] == 0
    assert (tmp_path / "a/config.json").read_text() == (tmp_path / "b/config.json").read_text()


def test_help_imports_no_torch():
    code = (
        "import sys; from kp.cli.main import main; sys.argv = ['kp', *sys.argv[1:]]\ntry: main()\nexcept SystemExit: "
        "pass\n"
    )
    code += "assert 'torch' not in sys.modules"
    for words in (["--help"], ["train", "--help"], ["predict", "--help"], ["fit", "--help"], ["study", "--help"]):
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_a_folder_with_the_name_of_a_published_model(kp, tmp_path, monkeypatch):
    """./people is the folder, as the docstring of kp.load says."""
    (tmp_path / "people").mkdir()
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "a.mp4", np.zeros((2, 64, 64, 3), np.uint8))
    status, _, said = kp("predict", "./people", "a.mp4")
    assert status == 1 and said.startswith("kp: people/checkpoint.pt: no such checkpoint")


def test_check_writes_a_picture_and_says_so_first(kp, tmp_path):
    status, out, said = kp("check", tmp_path / "no.mp4", "--poses", "people", "--out", tmp_path)
    assert (status, out) == (1, "")
    assert said == f"kp: {tmp_path}: is a picture here; give a name that ends in .png, .jpg, .pdf, .svg\n"
