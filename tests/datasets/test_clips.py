import re
from dataclasses import replace

import av
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tiny import FRAMES, moving_box, write_video

from kp.datasets.clips import Clips, augment_pairs, clip_frames, load_clips, read_labels, to_images
from kp.errors import KpError
from kp.video import read_image, read_video, shrink


def load(root, split="train", size=32, **options):
    return load_clips(root, split, size, progress=False, **options)


def test_read_video(tiny):
    frames = read_video(tiny / "videos/train/000.mp4")
    assert frames.shape == (FRAMES, 48, 48, 3) and frames.dtype == np.uint8
    torch.testing.assert_close(torch.tensor(frames[0, 24, 20]).float(), torch.tensor([200.0, 60, 60]), rtol=0, atol=12)


def test_missing_video(tmp_path):
    path = tmp_path / "a.mp4"
    with pytest.raises(KpError, match=re.escape(f"{path}: no such image or video; check the path")):
        read_video(path)


def test_truncated_video(own):
    path = own / "videos/train/000.mp4"
    path.write_bytes(path.read_bytes()[:-200])  # the index at the end is lost
    with pytest.raises(
        KpError,
        match=(
            rf"^{re.escape(str(path))}: cannot be opened as a video \(.*\); if it is one, its beginning, end or index "
            r"is missing: copy or convert it again$"
        ),
    ):
        read_video(path)


def test_video_without_its_last_frames(tmp_path):
    path = tmp_path / "a.mp4"
    noise = np.random.default_rng(0).integers(0, 255, (12, 48, 48, 3), np.uint8)
    write_video(path, noise, movflags="faststart")  # the index comes first, so that the rest is still a video
    with av.open(str(path)) as container:
        sixth = [packet.pos for packet in container.demux(video=0)][5]
    path.write_bytes(path.read_bytes()[:sixth])
    expected = f"{path}: only 5 of 12 frames can be read; the file is cut short: copy or convert it again"
    with pytest.raises(KpError, match=f"^{re.escape(expected)}$"):
        read_video(path)


def test_video_that_is_a_text_file(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_text("no video")
    with pytest.raises(KpError, match=re.escape(f"{path}: cannot be opened as a video")):
        read_video(path)


def test_one_frame(tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, np.zeros((1, 32, 32, 3), np.uint8))
    with pytest.raises(
        KpError, match=re.escape(f"{path}: has 1 frame; a clip needs at least 2, since frames are compared in pairs")
    ):
        list(clip_frames(path))


@pytest.mark.parametrize(
    ("mode", "colour", "expected"), [("1", 1, (255, 255, 255)), ("L", 90, (90, 90, 90)), ("RGB", (1, 2, 3), (1, 2, 3))]
)
def test_read_image(tmp_path, mode, colour, expected):
    Image.new(mode, (5, 4), colour).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.shape == (4, 5, 3) and image.dtype == np.uint8 and tuple(image[2, 3].tolist()) == expected


def test_missing_and_damaged_image(tmp_path):
    path = tmp_path / "a.png"
    with pytest.raises(KpError, match=f"^{re.escape(f'{path}: no such image or video; check the path')}$"):
        read_image(path)
    path.write_text("no image")
    with pytest.raises(
        KpError,
        match=re.escape(f"{path}: no image that kp can read; convert it to PNG, or copy it again if it broke"),
    ):
        read_image(path)


def test_shrink_averages_and_leaves_the_right_size_alone():
    frames = np.zeros((1, 4, 4, 3), np.uint8)
    frames[:, :, 2:] = 200
    half = shrink(frames, 2)
    assert half.shape == (1, 2, 2, 3) and half[0, 0, 0, 0] < 50 and half[0, 0, 1, 0] > 150
    assert int(half[0, 0, 0, 0]) + int(half[0, 0, 1, 0]) == 200
    assert shrink(frames, 4) is frames


def test_to_images():
    frames = torch.tensor([0, 255, 51], dtype=torch.uint8).view(1, 1, 1, 3).expand(2, 4, 5, 3)
    images = to_images(frames)
    assert images.shape == (2, 3, 4, 5)
    torch.testing.assert_close(images[1, :, 3, 2], torch.tensor([-1, 1, -0.6]))


def test_load_clips(clips):
    assert clips.names == ["000", "001", "002"] and clips.sources == ["cmu", "cmu", "deepmimic"]
    assert len(clips) == 3 and clips.size == 32
    assert all(f.shape == (FRAMES, 32, 32, 3) and f.dtype == torch.uint8 for f in clips.frames)


@pytest.mark.parametrize(("background", "corner"), [(False, 0), (True, 100)], ids=["black", "kept"])
def test_background(tiny, background, corner):
    frames = load(tiny, background=background).frames[0]
    assert abs(frames[:, :3, :3].float() - corner).max() <= 12
    assert frames[0, 16, 14, 0] > 150  # the subject stays


def test_background_needs_no_masks(own):
    for path in (own / "masks/train").iterdir():
        path.unlink()
    assert len(load(own, background=True)) == 3


@pytest.mark.parametrize(("source", "names"), [("cmu", ["000", "001"]), ("deepmimic", ["002"])])
def test_source(tiny, source, names):
    assert load(tiny, source=source).names == names


def test_without_clips_csv_every_video_is_read(own):
    (own / "clips.csv").unlink()
    assert read_labels(own) == {}
    clips = load(own)
    assert clips.names == ["000", "001", "002"] and clips.sources == ["", "", ""]


def test_no_clips(tiny):
    folder = tiny / "videos" / "holiday"
    with pytest.raises(KpError, match=re.escape(f"{folder}: no clips; expected videos/holiday/*.mp4 below {tiny}")):
        load(tiny, "holiday")
    folder = tiny / "videos" / "train"
    with pytest.raises(
        KpError, match=re.escape(f"{folder}: no clips of source 'x'; expected videos/train/*.mp4 below {tiny}")
    ):
        load(tiny, source="x")


def test_labels_without_the_columns(own):
    (own / "clips.csv").write_text("split,name\ntrain,000\n")
    with pytest.raises(KpError, match=re.escape(str(own / "clips.csv"))):
        load(own)


def test_listed_but_missing(own):
    path = own / "videos/train/001.mp4"
    path.unlink()
    with pytest.raises(KpError, match=re.escape(f"{path}: no such image or video; check the path")):
        load(own)


def test_missing_mask(own):
    path = own / "masks/train/001.mp4"
    path.unlink()
    with pytest.raises(KpError, match=re.escape(f"{path}: no such image or video; check the path")):
        load(own)


def test_frames_not_square(own):
    path = own / "videos/train/001.mp4"
    write_video(path, np.zeros((FRAMES, 48, 64, 3), np.uint8))
    expected = f"{path}: frames are 64×48; kp needs square frames of at least 32 pixels: crop around the subject"
    with pytest.raises(KpError, match=f"^{re.escape(expected)}$"):
        load(own)


def test_frames_too_small(tiny):
    path = tiny / "videos/train/000.mp4"
    with pytest.raises(
        KpError, match=re.escape(f"{path}: frames are 48×48; kp needs square frames of at least 64 pixels")
    ):
        load(tiny, size=64)


def test_mixed_sizes(own):
    images, masks, _ = moving_box(64, FRAMES, 0)
    write_video(own / "videos/train/001.mp4", images)
    write_video(own / "masks/train/001.mp4", masks)
    expected = (
        f"{own / 'videos/train/001'}.mp4: its frame size differs from 000.mp4; bring all clips of a set to one size"
    )
    with pytest.raises(KpError, match=f"^{re.escape(expected)}$"):
        load(own)


@pytest.mark.parametrize("shape", [(FRAMES, 64, 64), (FRAMES - 2, 48, 48)], ids=["size", "length"])
def test_mask_of_another_shape(own, shape):
    path = own / "masks/train/002.mp4"
    write_video(path, np.zeros((*shape, 3), np.uint8))
    expected = f"{path}: {shape} frames × height × width, its video has {(FRAMES, 48, 48)}; make them equal"
    with pytest.raises(KpError, match=f"^{re.escape(expected)}$"):
        load(own)


numbered = Clips(
    ["a", "b"],
    ["", ""],
    [torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1).expand(n, 2, 2, 3) + s for n, s in ((2, 0), (5, 100))],
)


@given(st.integers(0, 10_000))
def test_pairs_are_two_frames_of_one_clip(seed):
    first, second = numbered.pairs(20, torch.Generator().manual_seed(seed))
    assert first.shape == second.shape == (20, 3, 2, 2)
    a, b = (((x[:, 0, 0, 0] + 1) * 127.5).round() for x in (first, second))
    assert (a != b).all() and ((a >= 100) == (b >= 100)).all()


def test_pairs_reach_every_frame_pair():
    first, second = numbered.pairs(2000, torch.Generator().manual_seed(0))
    a, b = (((x[:, 0, 0, 0] + 1) * 127.5).round().int().tolist() for x in (first, second))
    assert len(set(zip(a, b, strict=True))) == 2 * 1 + 5 * 4


def test_ordered_pairs_reach_every_pair_of_an_earlier_and_a_later_frame():
    frames = torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1).expand(5, 8, 8, 3)
    x, other = Clips(["a"], [""], [frames]).pairs(2000, torch.Generator().manual_seed(0), ordered=True)
    first, second = ((p[:, 0, 0, 0] + 1) * 127.5 for p in (x, other))
    found = {(round(a), round(b)) for a, b in zip(first.tolist(), second.tolist(), strict=True)}
    assert found == {(i, j) for i in range(5) for j in range(i + 1, 5)}


def test_pairs_repeat_with_their_generator(clips):
    once, again = (clips.pairs(6, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(once[0], again[0]) and torch.equal(once[1], again[1])
    assert replace(clips).size == 32


def test_augmented_pairs_stay_pairs():
    x = torch.rand(64, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    x[:, :, :4] = -1.0
    first, second = augment_pairs((x, x), torch.Generator().manual_seed(1))
    assert torch.equal(first, second) and first.min() >= -1 and first.max() <= 1
    assert (first[:, :, :4] < -0.99).all()  # black stays black
    back = (first - x).abs().mean((1, 2, 3)), (first.flip(3) - x).abs().mean((1, 2, 3))
    mirrored = (back[1] < back[0]).double().mean().item()
    assert 0.3 < mirrored < 0.7 and torch.minimum(*back).min() > 0.01


def test_augmentation_repeats_with_its_generator():
    x = torch.rand(4, 3, 8, 8) * 2 - 1
    one, two, other = (augment_pairs((x, -x), torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert torch.equal(one[0], two[0]) and torch.equal(one[1], two[1]) and not torch.equal(one[0], other[0])
