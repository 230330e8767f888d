import numpy as np
import pytest
import torch
from tiny import make_set

import kp.own_video.masks.write
from kp.datasets.clips import load_clips
from kp.errors import KpError
from kp.own_video.masks.write import write_masks
from kp.video import read_video, write_video


def test_written_masks_are_read_instead_of_the_sets_own(tmp_path):
    root = make_set(tmp_path / "set")
    count = write_masks(root, tmp_path / "masks", size=32, steps=3)
    videos = sorted((root / "videos").glob("*/*.mp4"))
    assert count == len(videos) and len(list((tmp_path / "masks").glob("*/*.mp4"))) == count
    mask = read_video(tmp_path / "masks" / videos[0].relative_to(root / "videos"))
    assert mask.shape == read_video(videos[0]).shape and ((mask < 20) | (mask > 235)).mean() > 0.9
    own, made, filmed = (
        load_clips(root, "train", 32, b, progress=False, masks=m)
        for b, m in ((False, None), (False, tmp_path / "masks"), (True, None))
    )
    assert not torch.equal(own.frames[0], made.frames[0]) and (made.frames[0] <= filmed.frames[0]).all()
    with pytest.raises(KpError) as error:
        write_masks(root, tmp_path / "masks")
    assert str(error.value) == f"{tmp_path / 'masks'}: is in use already; delete it or choose another folder"


def test_masks_appear_whole_or_not_at_all(tmp_path, tiny, monkeypatch):
    out, real = tmp_path / "masks", kp.own_video.masks.write.write_video
    written = []

    def killed(path, *rest, **options):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path)
        real(path, *rest, **options)

    monkeypatch.setattr(kp.own_video.masks.write, "write_video", killed)
    with pytest.raises(KeyboardInterrupt):
        write_masks(tiny, out, size=32, steps=3)
    assert not out.exists() and len(written) == 2
    monkeypatch.setattr(kp.own_video.masks.write, "write_video", real)
    count = write_masks(tiny, out, size=32, steps=3)  # the same command simply starts again
    assert len(list(out.glob("*/*.mp4"))) == count and not list(tmp_path.glob("*.part"))


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_learnt(tmp_path, tiny, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(kp.own_video.masks.write, "train_foreground", None)
    with pytest.raises(KpError) as error:
        write_masks(tiny, tmp_path / "file" / "masks")
    assert (
        str(error.value) == f"{tmp_path / 'file' / 'masks'}: cannot be written (Not a directory); choose another folder"
    )


def test_a_missing_mask_is_named(tmp_path, tiny):
    with pytest.raises(KpError, match=r"nowhere/train/.*\.mp4: no such image or video"):
        load_clips(tiny, "train", 32, progress=False, masks=tmp_path / "nowhere")


def dark_set(root, seen=8):
    """A video set of one clip of 8 frames of 64 × 64 pixels: a bright square on grey, in the first ``seen`` frames."""
    frames = np.full((8, 64, 64, 3), 90, np.uint8)
    frames[:seen, 20:44, 24:40] = 230
    write_video(root / "videos/train/a.mp4", frames, crf=1)
    return root


def test_masks_by_brightness_are_written(tmp_path):
    pytest.importorskip("cv2")
    assert write_masks(dark_set(tmp_path / "set"), tmp_path / "masks", by="brightness") == 1
    white = read_video(tmp_path / "masks/train/a.mp4")[..., 0] > 127
    true = np.zeros((64, 64), bool)
    true[20:44, 24:40] = True
    assert (white & true).sum() / (white | true).sum() > 0.9


def test_masks_that_miss_the_subject_in_most_frames_are_refused(tmp_path):
    pytest.importorskip("cv2")
    root, out = dark_set(tmp_path / "set", seen=3), tmp_path / "masks"
    with pytest.raises(KpError) as error:
        write_masks(root, out, by="brightness")
    assert str(error.value) == (
        f"{root}: the subject is found in only 3 of 8 frames by brightness; the subject must be brighter or darker "
        "than all around it; if not, try by motion"
    )
    assert not out.exists()


def test_a_set_without_clips_is_named(tmp_path):
    with pytest.raises(KpError) as error:
        write_masks(tmp_path, tmp_path / "masks", by="person")
    assert str(error.value) == f"{tmp_path / 'videos'}: no clips; expected videos/<split>/*.mp4 below {tmp_path}"
