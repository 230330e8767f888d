import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import FRAMES

import kp
from kp.datasets.clips import to_images
from kp.errors import KpError
from kp.inference.batch import verdict
from kp.inference.confidence import shows_something
from kp.inference.predictor import Interrupted, Predictor
from kp.inference.published import load
from kp.inference.view import look
from kp.skeletons import BODY
from kp.training.loop import train
from kp.training.state import State
from kp.video import read_video, write_video

PEOPLE = Path(__file__).parents[2] / "data/people"


@pytest.fixture
def predictor(finished):
    return Predictor.load(finished[0])


def images(n=5):
    return torch.rand(n, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


def constant(predictor, monkeypatch, keypoints):
    for net in (predictor.model.regressor, predictor.first_regressor):
        monkeypatch.setattr(net, "forward", lambda y: keypoints.expand(len(y), -1, -1))


def test_prediction(predictor):
    made = predictor(images())
    assert made.keypoints.shape == made.reference.shape == (5, 17, 2)
    assert made.skeleton.shape == made.redrawn.shape == (5, 1, 32, 32)
    assert torch.equal(made.redrawn, predictor.model.draw(made.keypoints))
    assert not made.skeleton.requires_grad


def test_batches_do_not_matter(predictor):
    whole, parts = predictor(images()), predictor(images(), batch=2)
    torch.testing.assert_close(parts.keypoints, whole.keypoints, rtol=0, atol=1e-5)
    torch.testing.assert_close(predictor(images()[:1]).keypoints, whole.keypoints[:1], rtol=0, atol=1e-5)


def test_training_mode_is_restored(predictor):
    predictor.model.train()
    before = {k: v.clone() for k, v in predictor.model.state_dict().items()}
    predictor(images())
    assert predictor.model.training and all(m.training for m in predictor.model.modules())
    assert all(torch.equal(v, before[k]) for k, v in predictor.model.state_dict().items())


def test_folder_and_file_load_the_same(finished, predictor):
    other = Predictor.load(finished[0] / "checkpoint.pt")
    assert torch.equal(other(images()).keypoints, predictor(images()).keypoints)


def test_loaded_predicts_like_the_state_it_was_saved_from(finished, predictor):
    assert torch.equal(finished[1].predictor()(images()).keypoints, predictor(images()).keypoints)


@pytest.mark.parametrize(("average", "name"), [(0.9, "average"), (0.0, "model")])
def test_averaged_weights_predict_if_there_are_any(config, average, name):
    state = State(replace(config, optimizer=replace(config.optimizer, average=average)), torch.device("cpu"))
    assert state.predictor().model is getattr(state, name)
    assert state.predictor().first_regressor is state.first_regressor


def test_run_without_a_checkpoint(tmp_path):
    for path, missing in ((tmp_path, tmp_path / "checkpoint.pt"), (tmp_path / "none", tmp_path / "none")):
        with pytest.raises(
            KpError, match=re.escape(f"{missing}: no such checkpoint; train first with 'kp train', or check the path")
        ):
            Predictor.load(path)


def test_damaged_checkpoint(finished, tmp_path):
    data = (finished[0] / "checkpoint.pt").read_bytes()
    (tmp_path / "checkpoint.pt").write_bytes(data[: len(data) // 2])
    with pytest.raises(KpError, match=re.escape(f"{tmp_path / 'checkpoint.pt'}: not a readable checkpoint")):
        Predictor.load(tmp_path)


def test_interrupted_run_can_predict(config, clips, poses, tmp_path):
    train(config, tmp_path, clips, poses, stop_after=2)
    assert Predictor.load(tmp_path)(images()).keypoints.isfinite().all()


@pytest.mark.parametrize(
    ("size", "expected"), [(32, (15.5, 31.0)), (64, (31.5, 62.5)), (16, (7.5, 15.25))], ids=["same", "large", "small"]
)
def test_pixels_of_the_given_frames(predictor, monkeypatch, size, expected):
    constant(predictor, monkeypatch, torch.tensor([0.0, 1.0]).expand(1, 17, 2))
    found = predictor.pixels(np.zeros((3, size, size, 3), np.uint8))
    torch.testing.assert_close(found, torch.tensor(expected).expand(3, 17, 2))


def test_pixels_resolves_left_and_right(predictor, monkeypatch):
    pose = torch.rand(1, 17, 2) - 0.5
    constant(predictor, monkeypatch, pose)
    plain = predictor.pixels(np.zeros((1, 32, 32, 3), np.uint8))
    monkeypatch.setattr(predictor.first_regressor, "forward", lambda y: pose[:, BODY.flip])
    assert torch.equal(predictor.pixels(np.zeros((1, 32, 32, 3), np.uint8)), plain[:, BODY.flip])


def test_frames_not_square(predictor):
    expected = "frames: 64×48 pixels; kp needs square frames with the subject centred: crop first"
    with pytest.raises(KpError, match=f"^{re.escape(expected)}$"):
        predictor.pixels(np.zeros((1, 48, 64, 3), np.uint8))


def test_a_background_that_the_model_never_saw(predictor, config):
    bright, black = (np.full((2, 32, 32, 3), value, np.uint8) for value in (90, 5))
    expected = (
        "a.mp4: shows a background, but this model learnt from subjects on black; give --masks, or train with "
        "--data.background"
    )
    with pytest.raises(KpError, match=f"^{re.escape(expected)}$"):
        predictor.pixels(bright, "a.mp4")
    assert predictor.pixels(black).isfinite().all()
    seen = State(replace(config, data=replace(config.data, background=True)), torch.device("cpu"))
    assert seen.predictor().pixels(bright).isfinite().all()


def test_reading_a_video(tiny, tmp_path):
    assert read_video(tiny / "videos/test/000.mp4").shape == (FRAMES, 48, 48, 3)
    upper = shutil.copy(tiny / "videos/test/000.mp4", tmp_path / "A.MP4")
    assert len(read_video(tmp_path / upper.name)) == FRAMES


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_read_frames_of_an_image(tmp_path, mode):
    Image.new("RGB", (6, 4), (255, 255, 255)).convert(mode).save(tmp_path / "a.png")
    frames = read_video(tmp_path / "a.png")
    assert frames.shape == (1, 4, 6, 3) and frames.dtype == np.uint8 and (frames == 255).all()


def test_an_image_of_any_size_can_be_predicted(predictor, tmp_path):
    for size in (32, 50):
        Image.new("RGB", (size, size)).save(tmp_path / "a.png")
        assert predictor.pixels(read_video(tmp_path / "a.png")).isfinite().all()


def test_missing_image(tmp_path):
    path = tmp_path / "a.png"
    with pytest.raises(KpError, match=re.escape(f"{path}: no such image or video; check the path")):
        read_video(path)


@pytest.mark.parametrize("damage", [lambda b: b"text", lambda b: b[: len(b) // 2]], ids=["text", "cut short"])
def test_unreadable_image(tmp_path, damage):
    path = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)).save(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(KpError, match=re.escape(f"{path}: ") + "(no image that kp can read|not a readable image)"):
        read_video(path)


def test_decode_is_the_decoder_in_evaluation_mode(predictor):
    made = predictor(images())
    with torch.no_grad():
        expected = predictor.model.eval().decoder(made.redrawn, images())
    predictor.model.train()
    assert torch.equal(predictor.decode(made.redrawn, images()), expected)


def test_pixels_are_those_of_kp_predict(predictor, tiny, monkeypatch):
    """To the bit, whichever door one takes."""
    monkeypatch.setattr(predictor, "check_background", lambda *_: None)
    path = tiny / "videos/test/000.mp4"
    track = predictor.track(path, progress=False)
    assert np.array_equal(track.keypoints, predictor.pixels(read_video(path)).numpy())


def test_a_photo_that_lies_down_is_read_upright(predictor, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(predictor, "check_background", lambda *_: None)
    pixels = read_video(tiny / "videos/test/000.mp4")[0]
    Image.fromarray(pixels).save(tmp_path / "upright.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side: turn the picture by 90° clockwise
    Image.fromarray(np.rot90(pixels).copy()).save(tmp_path / "lying.png", exif=exif)
    upright, lying = (predictor.track(tmp_path / name).keypoints for name in ("upright.png", "lying.png"))
    assert np.array_equal(upright, lying)


def test_the_mode_is_restored_after_an_error(predictor):
    predictor.model.train()
    with pytest.raises(RuntimeError, match="Sizes of tensors must match"):
        predictor(torch.zeros(1, 3, 30, 30))  # no multiple of 8
    assert predictor.model.training


def test_a_folder_of_a_published_name_is_in_nobodys_way(tmp_path, monkeypatch):
    (tmp_path / "people").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load("people").skeleton == BODY and load(Path("people")).skeleton == BODY
    with pytest.raises(KpError, match="no such checkpoint"):
        load("./people")


@pytest.mark.parametrize("kind", ["black", "white", "noise", "small noise"])
def test_nothing_to_be_seen(tmp_path, kind):
    """A film of one colour, or of noise: no joint is believed, and the verdict says why."""
    side = 64 if kind == "small noise" else 200
    chance, shape = np.random.default_rng(0), (12, side, side, 3)
    frames = {"black": np.zeros(shape, np.uint8), "white": np.full(shape, 255, np.uint8)}
    write_video(tmp_path / "a.mp4", frames.get(kind, chance.integers(0, 255, shape, np.uint8)), crf=20)
    track = kp.load("people").track(tmp_path / "a.mp4", progress=False)
    assert track.blank == 1 and track.confidence.max() < 0.1
    assert "100% of the frames show nothing, or noise" in verdict(track)


def test_people_are_something_to_be_seen():
    images = to_images(torch.from_numpy(read_video(PEOPLE / "videos/val/000.mp4")))
    assert shows_something(images).all() and not shows_something(torch.zeros(3, 3, 64, 64)).any()


def test_what_was_found_before_someone_stopped_is_kept(predictor, tiny, monkeypatch):
    """Ctrl-C in the second chunk of a film."""
    monkeypatch.setattr("kp.inference.view.CHUNK", 3)
    read, seen = predictor.readings, []

    def stop(images, first=0):
        seen.append(first)
        if first >= 3:
            raise KeyboardInterrupt
        return read(images, first)

    monkeypatch.setattr(predictor, "readings", stop)
    film = look(tiny / "videos/test/000.mp4", masks=tiny / "masks/test/000.mp4", progress=False)
    with pytest.raises(Interrupted) as stopped:
        predictor.track(film, progress=False)
    assert seen == [0, 3] and len(stopped.value.track.keypoints) == len(stopped.value.track.clock) == 3


def test_words_and_arrays_that_do_not_fit_are_named(tmp_path):
    model = load("people")
    write_video(tmp_path / "a.mp4", np.zeros((2, 64, 64, 3), np.uint8), crf=20)
    with pytest.raises(KpError, match="crop is 'persn'; it must be one of: person, subject, frame, or empty"):
        model.track(tmp_path / "a.mp4", crop="persn")
