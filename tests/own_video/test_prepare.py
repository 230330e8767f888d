import json
import re
from dataclasses import replace

import numpy as np
import pytest
from tiny import prior_arrays, write_video

import kp.own_video.prepare
from kp.datasets.clips import load_clips
from kp.datasets.priors import load_poses
from kp.errors import KpError
from kp.formats.read import fit_skeleton, read_pose_file
from kp.inference.crops import Squares
from kp.own_video.masks.write import write_masks
from kp.own_video.prepare import LENGTH, prepare, still
from kp.skeletons import BODY, find_skeleton
from kp.training.loop import train
from kp.video import find_videos, read_video


def opened(path):
    return fit_skeleton(read_pose_file(path))


@pytest.fixture
def footage(tmp_path):
    """Two wide videos, one of 80 and one of 40 frames, with box tracks; and a file of poses."""
    chance = np.random.default_rng(0)
    folder = tmp_path / "my videos é"
    for name, count in (("a", 80), ("b", 40)):
        wall = chance.integers(40, 200, (15, 25, 1), np.uint8).repeat(4, 0).repeat(4, 1).repeat(3, 2)
        frames = np.tile(wall, (count, 1, 1, 1))
        for t in range(count):
            frames[t, 20:40, 30 + t // 4 : 40 + t // 4] = chance.integers(0, 255, 3)
        write_video(folder / f"{name}.mp4", frames)
        lines = [f"{t},{30 + t // 4},20,10,20" for t in range(count)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["frame,x,y,width,height", *lines]))
    np.savez(tmp_path / "poses.npz", **prior_arrays())
    return folder, tmp_path / "poses.npz", (tmp_path / "a.csv", tmp_path / "b.csv")


def test_a_video_set_of_ones_own(footage, tmp_path):
    folder, poses, boxes = footage
    out = tmp_path / "own set"
    clips, count = prepare(find_videos([folder]), *opened(poses), out, size=32, boxes=boxes)
    assert (clips, count) == (4, 60)  # 80 = 32 + 32 + 16; of 40 the last 8 are too few
    loaded = load_clips(out, "train", 32, background=True, progress=False)
    assert [len(f) for f in loaded.frames] == [32, 32, 16, 32] and loaded.sources == ["a", "a", "a", "b"]
    prior = load_poses(out / "priors/own.npz", BODY, 32)
    assert len(prior) == 60 and prior.keypoints.abs().max() < 1 and set(prior.sources) == {"poses"}
    assert not (out / "skeleton.json").exists() and not out.with_name("own set.part").exists()


def test_what_stands_still_in_the_video_stands_still_in_its_clips(footage, tmp_path):
    folder, poses, boxes = footage
    prepare([folder / "a.mp4"], *opened(poses), tmp_path / "set", size=32, boxes=boxes[:1])
    frames = read_video(tmp_path / "set/videos/train/00000.mp4").astype(float)
    above = frames[:, :3].reshape(len(frames), -1)
    assert np.corrcoef(above[0], above[-1])[0, 1] > 0.8
    squares = Squares(np.array([[0, 4], [2, 4], [4, 4]]), 5)
    assert still(squares, 0, 3).corner.tolist() == [[2, 4]] * 3


def test_training_and_masks_take_the_set(footage, tmp_path, config):
    folder, poses, boxes = footage
    out = tmp_path / "set"
    prepare(find_videos([folder]), *opened(poses), out, size=32, boxes=boxes)
    assert write_masks(out, tmp_path / "masks", size=32, steps=2) == 4
    data = replace(config.data, videos=out, prior="own", masks=tmp_path / "masks")
    assert train(replace(config, data=data), tmp_path / "run").step == config.optimizer.steps


def test_every_so_many_frames(footage, tmp_path):
    folder, poses, boxes = footage
    clips, _ = prepare(find_videos([folder]), *opened(poses), tmp_path / "set", size=32, boxes=boxes, every=2)
    assert clips == 2 and [len(read_video(p)) for p in sorted((tmp_path / "set/videos/train").iterdir())] == [
        LENGTH,
        20,
    ]


def test_a_skeleton_of_the_file_goes_with_the_set(footage, tmp_path):
    folder, _, boxes = footage
    told = {
        "categories": [{"id": 1, "keypoints": ["a", "left_b", "right_b"], "skeleton": [[1, 2], [1, 3]]}],
        "annotations": [{"category_id": 1, "keypoints": [5, 5, 2, 9, 9, 2, 1, 9, 2]}],
    }
    (tmp_path / "bird.json").write_text(json.dumps(told))
    poses, skeleton = opened(tmp_path / "bird.json")
    prepare(find_videos([folder]), poses, skeleton, tmp_path / "set", size=32, boxes=boxes)
    assert find_skeleton(str(tmp_path / "set/skeleton.json")) == skeleton and skeleton.mirror_pairs == (
        ("left_b", "right_b"),
    )
    assert read_pose_file(tmp_path / "set/priors/own.npz").joints == ("a", "left_b", "right_b")


def test_it_is_whole_or_not_there(footage, tmp_path, monkeypatch):
    folder, poses, boxes = footage

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kp.own_video.prepare, "write_video", fail)
    expected = f"{tmp_path / 'set'}: cannot be written (No space left on device); choose another folder"
    with pytest.raises(KpError, match=re.escape(expected)):
        prepare(find_videos([folder]), *opened(poses), tmp_path / "set", size=32, boxes=boxes)
    assert not (tmp_path / "set").exists()
    monkeypatch.undo()
    assert prepare(find_videos([folder]), *opened(poses), tmp_path / "set", size=32, boxes=boxes)[0] == 4
    with pytest.raises(
        KpError, match=re.escape(f"{tmp_path / 'set'}: is in use already; delete it or choose another folder")
    ):
        prepare(find_videos([folder]), *opened(poses), tmp_path / "set", size=32, boxes=boxes)


def test_mistakes(footage, tmp_path):
    folder, poses, boxes = footage
    with pytest.raises(KpError, match=re.escape("2 videos but 1 box tracks; give one for each, in the same order")):
        prepare(find_videos([folder]), *opened(poses), tmp_path / "set", boxes=boxes[:1])
    video = folder / "b.mp4"
    with pytest.raises(
        KpError, match=re.escape(f"{video}: gives 5 frames, a clip needs 16; take a longer video or a smaller --every")
    ):
        prepare([video], *opened(poses), tmp_path / "set", boxes=boxes[1:], every=9)
    assert not (tmp_path / "set").exists()
