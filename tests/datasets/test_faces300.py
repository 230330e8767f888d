import re
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from kp.datasets.faces300 import (
    crop,
    face_box,
    find_annotations,
    is_300vw,
    load_300vw,
    load_300vw_poses,
    load_300w,
    place,
    read_pts,
)
from kp.errors import KpError
from kp.geometry import to_pixels
from kp.skeletons import FACE


def ring(x, y, radius):
    """68 points on a circle, as 1-based pixels; the first to the right of the middle, the 18th below it."""
    angle = torch.arange(68) * 2 * torch.pi / 68
    return torch.stack([x + radius * angle.cos(), y + radius * angle.sin()], 1)


def write_pts(path, points, count=None):
    lines = "\n".join(f"{x:.6f} {y:.6f}" for x, y in points.tolist())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"version: 1\nn_points:  {len(points) if count is None else count}\n{{\n{lines}\n}}\n")
    return path


def write_avi(path, frames):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 2_000_000
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def raises(message):
    return pytest.raises(KpError, match=f"^{re.escape(message)}$")


@pytest.fixture
def photographs(tmp_path):
    """A grey and a coloured picture, the second below a folder of its own and with the face over the left border."""
    root = tmp_path / "300W"
    write_pts(root / "01_Indoor" / "indoor_001.pts", ring(40, 30, 16))
    Image.fromarray(np.full((60, 80), 100, np.uint8)).save(root / "01_Indoor" / "indoor_001.png")
    write_pts(root / "02_Outdoor" / "outdoor_001.pts", ring(10, 30, 16))
    Image.fromarray(np.full((60, 80, 3), (200, 0, 50), np.uint8)).save(
        root / "02_Outdoor" / "outdoor_001.jpg", quality=95
    )
    return root


@pytest.fixture
def videos(tmp_path):
    """Two videos of seven frames in greys of 30 × their number; in the second the face moves right."""
    root = tmp_path / "300VW"
    for number, step in (("001", 0), ("002", 2)):
        for t in range(1, 8):
            write_pts(root / number / "annot" / f"{t:06d}.pts", ring(32 + step * t, 30, 10 + t))
        write_avi(
            root / number / "vid.avi",
            np.arange(30, 240, 30, dtype=np.uint8)[:, None, None, None].repeat(64, 1).repeat(96, 2).repeat(3, 3),
        )
    return root


def shades(frames):
    return (frames[:, 8, 8, 0].float() / 30).round().int().tolist()


def test_points_count_pixels_from_nought(tmp_path):
    points = read_pts(write_pts(tmp_path / "a.pts", ring(40, 30, 10)))
    torch.testing.assert_close(points[[0, 17, 34]], torch.tensor([[49.0, 29], [39, 39], [29, 29]]))


def test_missing_points(tmp_path):
    with raises(f"{tmp_path / 'a.pts'}: no such file; unpack the set again"):
        read_pts(tmp_path / "a.pts")


@pytest.mark.parametrize(
    ("number", "announced", "complaint"),
    [
        (67, 67, "announces 67 points and holds 67"),
        (67, 68, "announces 68 points and holds 67"),
        (68, 49, "announces 49 points and holds 68"),
    ],
)
def test_wrong_count(tmp_path, number, announced, complaint):
    path = write_pts(tmp_path / "a.pts", ring(40, 30, 10)[:number], announced)
    with raises(f"{path}: {complaint}; expected 68"):
        read_pts(path)


@pytest.mark.parametrize(
    "text", ["", "version: 1\nn_points: 68\n{\n1 2\n", "version: 1\nn_points: 68\n{\n1 x\n}\n", "version: 1\n{\n1 2\n}"]
)
def test_damaged_points(tmp_path, text):
    path = tmp_path / "a.pts"
    path.write_text(text)
    with raises(f"{path}: not a readable .pts file; it may be cut short: unpack the set again"):
        read_pts(path)


@pytest.mark.parametrize(
    ("points", "complaint"),
    [(ring(40, float("nan"), 10), "holds NaN or infinite values"), (ring(40, 30, 0), "all 68 points coincide")],
    ids=["nan", "one place"],
)
def test_points_that_are_no_face(tmp_path, points, complaint):
    path = write_pts(tmp_path / "a.pts", points)
    with raises(f"{path}: {complaint}; unpack the set again, or leave this face out"):
        read_pts(path)


def test_square_is_half_as_large_again_as_the_face():
    """Points from index 9 to 29 (x) and 30 to 40 (y): side 1.5 × 20, around the middle of the picture elements."""
    points = torch.full((68, 2), 35.0)
    points[0], points[1], points[2:, 0] = torch.tensor([9.0, 30]), torch.tensor([29.0, 40]), 19.0
    assert face_box(points) == (4, 20, 30)  # covers pixels 4 to 33 and 20 to 49
    torch.testing.assert_close(place(points, 30)[:2], torch.tensor([[5.0, 10], [25, 20]]) * 2 / 29 - 1)


@pytest.mark.parametrize("size", [30, 15, 60], ids=["as it is", "half", "twice"])
def test_points_stay_on_their_pixels(size):
    """The middle of a white spot around one point is where the point is, whatever the size."""
    points = torch.tensor([[20.0, 20], [40, 20], [25, 32]] + 65 * [[30.0, 30]])
    image = np.zeros((64, 64, 3), np.uint8)
    image[31:34, 24:27] = 255
    assert face_box(points)[2] == 30
    light = torch.from_numpy(crop(image, points, size, Path("a.pts"))[..., 0]).double()
    at = torch.arange(size)
    middle = torch.stack([light.sum(0) @ at.double(), light.sum(1) @ at.double()]) / light.sum()
    torch.testing.assert_close(middle, to_pixels(place(points, size)[2], size).double(), rtol=0, atol=0.05)


def test_load_300w(photographs):
    images, keypoints = load_300w(photographs, 32, progress=False)
    assert images.shape == (2, 3, 32, 32) and keypoints.shape == (2, 68, 2)
    torch.testing.assert_close(images[0], torch.full((3, 32, 32), 100 / 127.5 - 1))
    torch.testing.assert_close(images[1, :, 16, 20], torch.tensor([200, 0, 50]) / 127.5 - 1, rtol=0, atol=0.03)
    assert (images[1, :, :, :8] == -1).all()  # black where the square leaves the picture
    torch.testing.assert_close(keypoints[0], keypoints[1])
    torch.testing.assert_close(keypoints[0], (ring(0, 0, 2 / 3) * 32 / 31).float(), rtol=0, atol=0.03)


def test_no_faces(tmp_path):
    with raises(f"{tmp_path}: no .pts files; expected images, each with a .pts file of the same name beside it"):
        load_300w(tmp_path, 32, progress=False)


def test_points_without_a_picture(photographs):
    path = photographs / "01_Indoor" / "indoor_001.pts"
    path.with_suffix(".png").unlink()
    with raises(f"{path}: has no image beside it; expected indoor_001.png or indoor_001.jpg"):
        load_300w(photographs, 32, progress=False)


@pytest.mark.parametrize(
    "points", [ring(200, 30, 10), ring(40, -30, 10), ring(40, 30, 1e5)], ids=["right", "above", "huge"]
)
def test_points_of_another_picture(photographs, points):
    path = write_pts(photographs / "01_Indoor" / "indoor_001.pts", points)
    with raises(
        f"{path}: its points lie outside of the 80×60 picture; it belongs to another one: unpack the set again"
    ):
        load_300w(photographs, 32, progress=False)


def test_the_layout_is_recognised(videos, photographs, tiny):
    assert is_300vw(videos) and not is_300vw(photographs) and not is_300vw(tiny)


def test_clips_are_the_first_halves(videos):
    clips = load_300vw(videos, 16, progress=False)
    assert clips.names == clips.sources == ["001", "002"]
    assert all(f.shape == (3, 16, 16, 3) and f.dtype == torch.uint8 for f in clips.frames)
    assert [shades(f) for f in clips.frames] == 2 * [[1, 2, 3]]


def test_every_other_frame(videos):
    assert [shades(f) for f in load_300vw(videos, 16, every=2, progress=False).frames] == 2 * [[1, 3]]


def test_poses_are_the_second_halves(videos):
    poses = load_300vw_poses(videos, 16, progress=False)
    assert poses.keypoints.shape == (8, 68, 2) and poses.sources == 4 * ["001"] + 4 * ["002"]
    expected = torch.stack([place(ring(32, 30, 10 + t) - 1, 16) for t in (4, 5, 6, 7)])
    torch.testing.assert_close(poses.keypoints[:4], expected, rtol=0, atol=1e-5)


def test_halves_are_disjoint(videos):
    first, second = (find_annotations(videos, half) for half in (False, True))
    for folder in first:
        assert [int(p.stem) for p in first[folder] + second[folder]] == [1, 2, 3, 4, 5, 6, 7]


def test_no_videos(photographs):
    with raises(f"{photographs}: no videos; expected 001/vid.avi with 001/annot/000001.pts and so on below it"):
        load_300vw(photographs, 16, progress=False)


def test_missing_video(videos):
    path = videos / "002" / "vid.avi"
    path.unlink()
    with raises(f"{path}: no such image or video; check the path"):
        load_300vw(videos, 16, progress=False)


def test_damaged_video(videos):
    path = videos / "002" / "vid.avi"
    path.write_bytes(b"no video")
    with pytest.raises(
        KpError,
        match=(
            rf"^{re.escape(str(path))}: cannot be opened as a video \(.*\); if it is one, its beginning, end or index "
            r"is missing: copy or convert it again$"
        ),
    ):
        load_300vw(videos, 16, progress=False)


def test_video_shorter_than_its_points(videos):
    path = videos / "002" / "vid.avi"
    write_avi(path, np.zeros((2, 64, 96, 3), np.uint8))
    with raises(f"{path}: ends before frame 000003, which has a .pts file; it may be cut short: unpack the set again"):
        load_300vw(videos, 16, progress=False)


@pytest.mark.parametrize(
    ("every", "complaint"),
    [
        (3, "gives 1 frames with every 3; a clip needs 2: take a smaller every"),
        (0, "every is 0; it must be at least 1, to take every frame"),
    ],
)
def test_every_that_leaves_no_clip(videos, every, complaint):
    with pytest.raises(KpError, match=f"{re.escape(complaint)}$"):
        load_300vw(videos, 16, every=every, progress=False)


def test_video_with_one_annotation(videos):
    for path in sorted((videos / "001" / "annot").iterdir())[1:]:
        path.unlink()
    with raises(f"{videos / '001' / 'annot'}: has 1 .pts files; expected one per frame: unpack the set again"):
        load_300vw_poses(videos, 16, progress=False)


def test_face_skeleton_is_the_300w_markup():
    ends = [(0, 16), (17, 21), (22, 26), (27, 30), (31, 35), (36, 41), (42, 47), (48, 59), (60, 67)]
    edges = {frozenset(pair) for first, last in ends for pair in pairwise(range(first, last + 1))}
    closed = {frozenset(pair) for pair in ends[5:]}
    assert {frozenset(e) for e in FACE.edge_indices} == edges | closed
    mirrored = dict([(36, 45), (39, 42), (41, 46), (48, 54), (59, 55), (60, 64), (67, 65), (17, 26), (0, 16), (31, 35)])
    assert all(FACE.flip[i] == j and FACE.flip[j] == i for i, j in mirrored.items())
