from pathlib import Path

import numpy as np
import pytest
import torch

from kp.errors import KpError
from kp.geometry import joint_errors
from kp.inference.outlines import OutlinePredictor, as_outlines, load_reader, read_outlines, save_reader
from kp.inference.published import load
from kp.method.renderer import render_skeleton
from kp.own_video.lessons import people_of_cardboard
from kp.skeletons import BODY

POSE = torch.tensor(
    [
        [0.0, 0.0], [-0.07, 0.0], [-0.15, 0.35], [-0.2, 0.68], [0.07, 0.0], [0.15, 0.35], [0.2, 0.68], [0.0, -0.2],
        [0.0, -0.44], [0.0, -0.52], [0.0, -0.65], [0.13, -0.38], [0.35, -0.42], [0.58, -0.46], [-0.13, -0.38],
        [-0.35, -0.42], [-0.58, -0.46],
    ]
)[None]  # fmt: skip


def outline(pose=POSE):
    """A person of cardboard who spreads the arms, white on black, 64 a side."""
    renderer = people_of_cardboard()
    drawn = renderer.draw(pose * renderer.inside, torch.Generator().manual_seed(3))
    rim = renderer.rim
    return (drawn[..., rim:-rim, rim:-rim] > 0.5).float() * 2 - 1


class Bright:
    """Finds whatever is bright."""

    def __call__(self, frames):
        self.seen = frames
        return frames.max(-1) > 127


@pytest.fixture(scope="module")
def predictor():
    return OutlinePredictor(load("people"), load_reader(), Bright())


def test_spread_arms_are_found_in_an_outline():
    found = read_outlines(load_reader(), outline())
    errors = joint_errors(found, POSE)[0]
    assert errors.mean() < 3 and errors[[13, 16]].max() < 8  # % of the side; wrists are widest off


def test_eight_looks_are_moved_back_before_their_mean_is_taken():
    looks = []

    def centre(seen):  # moves along with what it sees, so all looks agree
        looks.append(seen)
        axis = torch.linspace(-1, 1, seen.shape[-1])
        weight = (seen + 1)[:, 0] / (seen + 1).sum((1, 2, 3))[:, None, None]
        return torch.stack([(weight.sum(1) * axis).sum(1), (weight.sum(2) * axis).sum(1)], -1)[:, None]

    blobs = torch.full((2, 1, 64, 64), -1.0)
    blobs[0, :, 10:20, 40:46], blobs[1, :, 30:34, 8:30] = 1, 1
    expected = torch.tensor([[[2 * 42.5 / 63 - 1, 2 * 14.5 / 63 - 1]], [[2 * 18.5 / 63 - 1, 2 * 31.5 / 63 - 1]]])
    torch.testing.assert_close(read_outlines(centre, blobs), expected, atol=2e-3, rtol=0)
    assert len(looks) == 8 and not any(torch.equal(looks[0], look) for look in looks[1:])


def test_images_become_outlines_and_then_joints(predictor):
    images = torch.nn.functional.interpolate(outline(), (128, 128)).expand(2, 3, -1, -1)
    prediction = predictor(images)
    assert predictor.finder.seen.shape == (2, 128, 128, 3) and predictor.finder.seen.dtype == np.uint8
    assert joint_errors(prediction.keypoints, POSE.expand(2, -1, -1)).mean() < 3
    torch.testing.assert_close(prediction.keypoints, predictor(outline().expand(2, -1, -1, -1)).keypoints)
    drawn = render_skeleton(prediction.keypoints, BODY.edge_indices, 64, 0.02, "exponential")
    assert prediction.skeleton.shape == drawn.shape and torch.equal(prediction.skeleton, prediction.redrawn)


def test_readings_are_those_of_the_outline_and_know_an_empty_frame(predictor):
    images = torch.full((2, 3, 128, 128), -1.0)
    images[0] = torch.nn.functional.interpolate(outline(), (128, 128))[0]
    keypoints, cues = predictor.readings(images)
    assert joint_errors(keypoints[:1], POSE).mean() < 3 and cues.shape == (2, 17, 6)
    assert (cues[1, :, :3] == 100).all() and cues[0, :, 0].mean() < 10
    assert predictor.mirror_disagreement(images[:1]).item() == pytest.approx(cues[0, :, 0].mean().item(), abs=3)


def test_masks_are_shrunk_by_area():
    masks = np.zeros((1, 128, 128), bool)
    masks[0, :64] = True
    masks[0, 64, ::2] = True
    seen = as_outlines(masks)
    assert seen.shape == (1, 1, 64, 64) and (seen[0, 0, :32] == 1).all() and (seen[0, 0, 33:] == -1).all()
    torch.testing.assert_close(seen[0, 0, 32], torch.full((64,), -0.5))


def test_it_is_no_model_to_export_or_go_on_from(predictor):
    with pytest.raises(KpError, match="people_on_film: reads outlines and has no Φ, Ψ or D; for this, take people"):
        predictor.model  # noqa: B018


def test_by_name():
    pytest.importorskip("cv2")
    found = load("people_on_film")
    assert isinstance(found, OutlinePredictor) and found.size == 128 and found.skeleton == BODY
    with pytest.raises(KpError, match="people, people_on_film"):
        load("nobody")


def test_a_damaged_reader(tmp_path):
    path = tmp_path / "reader.safetensors"
    path.write_bytes(b"no")
    with pytest.raises(KpError, match=f"{path}: not readable; install kp again, or restore a copy"):
        load_reader(path)
    save_reader(load_reader(), path)
    same = zip(load_reader(path).state_dict().values(), load_reader().state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in same)
    assert Path(path).stat().st_size < 1.2e6


def test_it_looks_for_the_person_by_itself(predictor, tmp_path, monkeypatch):
    asked = []

    def look(path, crop="", boxes=None, masks=None, progress=True):
        asked.append((crop, boxes))
        raise KpError("enough")

    monkeypatch.setattr("kp.inference.predictor.look", look)
    for words in ({}, {"crop": "frame"}, {"boxes": tmp_path / "boxes.csv"}):
        with pytest.raises(KpError, match="enough"):
            predictor.track(tmp_path / "film.mp4", **words)
    assert asked == [("person", None), ("frame", None), ("", tmp_path / "boxes.csv")]
