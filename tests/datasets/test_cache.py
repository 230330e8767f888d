"""A window over more clips than memory holds."""

import re
import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from kp.config import Data, smoke
from kp.datasets.cache import AHEAD, PACE, ClipCache, hold_clips
from kp.datasets.clips import Clips, load_clips
from kp.datasets.sets import open_clips
from kp.errors import KpError
from kp.training.loop import train
from kp.video import write_video


def numbered(clip: int) -> torch.Tensor:
    """A clip of five frames that all show its number."""
    return torch.full((5, 8, 8, 3), clip, dtype=torch.uint8)


def test_a_window_holds_no_more_than_it_may_and_all_clips_have_their_turn():
    window, seen = ClipCache(numbered, 40, held=10), set()
    for step in range(20):
        present = window.at(step)
        window.ask(present)
        assert len(present) == 10 == len(set(present)) and len(window.decoded) <= 10 + AHEAD
        assert len(set(present) - set(window.at(step + 1))) == PACE
        seen |= set(present)
    assert seen == set(range(40))


def test_its_clips_depend_on_the_step_alone():
    gone, fresh = ClipCache(numbered, 40, held=10), ClipCache(numbered, 40, held=10)
    for step in range(7):
        gone.at(step)
    assert gone.at(7) == fresh.at(7)


def test_every_clip_can_be_asked_for_and_all_come_in_order():
    window = ClipCache(numbered, 30, held=4)
    assert [int(frames[0, 0, 0, 0]) for frames in window] == list(range(30))
    assert all(int(window[i][0, 0, 0, 0]) == i for i in (29, 0, 13)) and len(window) == 30


def test_drawn_clips_are_those_of_the_window():
    clips = Clips([str(i) for i in range(40)], [""] * 40, ClipCache(numbered, 40, held=6))
    present = set(clips.frames.at(3))
    drawn = clips.draw(200, torch.Generator().manual_seed(0), step=3)
    assert set(drawn) == present
    first, second = clips.pairs(64, torch.Generator().manual_seed(0), step=3)
    assert {round(float(x), 4) for x in first[:, 0, 0, 0]} <= {
        round(c / 127.5 - 1, 4) for c in present
    } and torch.equal(first, second)


def test_a_clip_is_decoded_once_while_it_stays():
    counts, lock = {}, threading.Lock()

    def load(clip: int) -> torch.Tensor:
        with lock:
            counts[clip] = counts.get(clip, 0) + 1
        return numbered(clip)

    clips = Clips([str(i) for i in range(100)], [""] * 100, ClipCache(load, 100, held=10))
    for step in range(30):  # 70 + 8 clips pass through: none comes twice
        clips.pairs(16, torch.Generator().manual_seed(step), step)
    clips.frames.workers.shutdown()
    assert max(counts.values()) == 1 and 10 < len(counts) <= 10 + 30 * PACE + AHEAD


def test_what_fits_is_read_at_once():
    # 5 × 8 × 8 × 3 bytes a clip: 9,600 in all
    assert isinstance(hold_clips(numbered, 10, 5, 8, 1e-5, "clips", progress=False), list)
    window = hold_clips(numbered, 11, 5, 8, 1e-5, "clips", progress=False)
    assert isinstance(window, ClipCache) and window.held == 10
    assert hold_clips(numbered, 3, 5, 8, 1e-9, "clips", progress=False).held == 1


def test_it_says_how_many_are_held(capsys):
    hold_clips(numbered, 11, 5, 8, 1e-5, "train clips")
    told = capsys.readouterr()
    assert "11 train clips do not fit into 1e-05 GB: 10 at a time, in turn (--data.memory)\n" in told.out + told.err


def test_some_are_evenly_spaced_and_in_memory():
    clips = Clips([str(i) for i in range(10)], ["a"] * 10, ClipCache(numbered, 10, held=2))
    assert clips.some(5).names == ["0", "2", "4", "6", "8"] and isinstance(clips.some(5).frames, list)
    assert clips.some(10) is clips


def test_a_set_on_disk_looks_the_same_through_a_window(tiny):
    read = load_clips(tiny, "train", 32, progress=False)
    window = load_clips(tiny, "train", 32, progress=False, memory=3e-5)
    assert isinstance(window.frames, ClipCache) and window.names == read.names and window.sources == read.sources
    assert all(torch.equal(a, b) for a, b in zip(window.frames, read.frames, strict=True))
    assert all(torch.equal(window.frames[i], read.frames[i]) for i in range(len(read)))
    thin = load_clips(tiny, "train", 32, progress=False, memory=3e-5, every=4)
    assert all(torch.equal(a, b[::4]) for a, b in zip(thin.frames, read.frames, strict=True))


def test_a_clip_that_does_not_fit_is_named_when_its_turn_comes(tiny, tmp_path):
    root = shutil.copytree(tiny, tmp_path / "set")
    path = root / "videos/train/002.mp4"
    write_video(path, np.zeros((8, 64, 64, 3), np.uint8), crf=20)
    clips = load_clips(root, "train", 32, progress=False, memory=3e-5)
    expected = f"^{re.escape(str(path))}: its frame size differs from 000.mp4; bring all clips of a set to one size$"
    with pytest.raises(KpError, match=expected):
        list(clips.frames)
    with pytest.raises(KpError, match=expected):
        clips.pairs(64, torch.Generator().manual_seed(0), next(s for s in range(3) if 2 in clips.frames.at(s)))


def test_training_through_a_window_goes_on_to_the_same_bits(tiny, tmp_path):
    config = smoke(tiny)
    config = replace(config, data=replace(config.data, memory=3e-5), optimizer=replace(config.optimizer, steps=6))
    assert isinstance(open_clips(config.data, "train").frames, ClipCache)
    whole = train(config, tmp_path / "whole")
    train(config, tmp_path / "parts", stop_after=config.optimizer.pretrain_steps + 3)
    again = train(config, tmp_path / "parts")
    ours, theirs = whole.model.state_dict(), again.model.state_dict()
    assert all(torch.equal(ours[k], theirs[k]) for k in ours)


def test_memory_below_zero_is_an_error():
    with pytest.raises(KpError, match=r"^data\.memory is 0\.0; it must be above 0$"):
        replace(smoke(), data=replace(Data(), size=32, memory=0.0))


def test_clips_in_memory_move_to_a_device_and_a_window_stays(tiny):
    read, window = (load_clips(tiny, "train", 32, progress=False, memory=m) for m in (1.0, 3e-5))
    moved = read.on(torch.device("meta"))
    assert all(frames.device.type == "meta" for frames in moved.frames) and moved.names == read.names
    assert window.on(torch.device("meta")) is window
