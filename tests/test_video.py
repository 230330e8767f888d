import re
import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from kp.errors import KpError
from kp.video import find_videos, read_frames, write_video


def corner_marked(count=4, height=32, width=48):
    """Dark frames with a white top left corner."""
    frames = np.full((count, height, width, 3), 20, np.uint8)
    frames[:, : height // 2, : width // 2] = 250
    return frames


def bright_corner(pixels) -> tuple[int, int]:
    """(row, column) of the brightest quarter: 0 or 1 each."""
    h, w = pixels.shape[0] // 2, pixels.shape[1] // 2
    quarters = np.array(
        [[pixels[:h, :w].mean(), pixels[:h, w:].mean()], [pixels[h:, :w].mean(), pixels[h:, w:].mean()]]
    )
    return divmod(int(quarters.argmax()), 2)


def set_rotation(path, matrix):
    """Write (a, b, c, d) of the display matrix into the track header of an mp4."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (int(v * 65536) for v in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "avi"])
def test_containers(tmp_path, ending):
    path = tmp_path / f"a clip.{ending}"
    write_video(path, corner_marked(), crf=10, rate=10.0)
    frames = list(read_frames(path))
    assert [f.pixels.shape for f in frames] == [(32, 48, 3)] * 4 and bright_corner(frames[0].pixels) == (0, 0)
    np.testing.assert_allclose([f.seconds for f in frames], [0, 0.1, 0.2, 0.3], atol=0.002)


@pytest.mark.parametrize(
    ("matrix", "shape", "corner"),
    [
        ((1, 0, 0, 1), (32, 48, 3), (0, 0)),
        ((0, 1, -1, 0), (48, 32, 3), (0, 1)),  # right becomes down: a quarter turn clockwise
        ((-1, 0, 0, -1), (32, 48, 3), (1, 1)),
        ((0, -1, 1, 0), (48, 32, 3), (1, 0)),
    ],
)
def test_frames_are_upright(tmp_path, matrix, shape, corner):
    path = tmp_path / "a.mp4"
    write_video(path, corner_marked(), crf=10)
    set_rotation(path, matrix)
    frames = [f.pixels for f in read_frames(path)]
    assert (frames[0].shape, bright_corner(frames[0])) == (shape, corner) and len(frames) == 4


def test_variable_frame_rate(tmp_path):
    path, ticks = tmp_path / "a.mkv", [0, 40, 50, 300]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 48, 32, "yuv420p", Fraction(1, 1000)
        stream.codec_context.time_base = Fraction(1, 1000)
        for tick, pixels in zip(ticks, corner_marked(), strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    np.testing.assert_allclose([f.seconds for f in read_frames(path)], [0, 0.04, 0.05, 0.3], atol=0.0015)


def test_frames_come_one_at_a_time(tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, corner_marked(8), crf=10)
    frames = read_frames(path)
    assert next(frames).seconds == 0 < next(frames).seconds
    frames.close()


def test_missing_damaged_and_cut(tmp_path):
    with pytest.raises(KpError, match=re.escape(f"{tmp_path / 'no.mp4'}: no such image or video; check the path")):
        next(read_frames(tmp_path / "no.mp4"))
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    with pytest.raises(KpError, match=re.escape(f"{text}: not a readable video after 0 frames (")):
        next(read_frames(text))
    cut = tmp_path / "cut.mkv"
    write_video(tmp_path / "whole.avi", np.random.default_rng(0).integers(0, 255, (30, 64, 64, 3), np.uint8), crf=5)
    data = (tmp_path / "whole.avi").read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(data[: len(data) // 2])
    with pytest.raises(KpError, match=re.escape(f"{cut}: ")):
        list(read_frames(cut))


def test_find_videos(tmp_path):
    (tmp_path / "b é.MP4").write_text("")
    (tmp_path / "a.mov").write_text("")
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / ".b.part.mp4").write_text("")
    assert [p.name for p in find_videos([tmp_path])] == ["a.mov", "b é.MP4"]
    assert find_videos([tmp_path / "a.mov"]) == [tmp_path / "a.mov"]
    for path, message in [
        (tmp_path / "notes.txt", "not a video (mp4, m4v, mov, avi, mkv, webm); convert it first"),
        (tmp_path / "gone", "no such file or folder; check the path"),
    ]:
        with pytest.raises(KpError, match=re.escape(f"{path}: {message}")):
            find_videos([path])
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        KpError, match=re.escape(f"{tmp_path / 'empty'}: holds no video (mp4, m4v, mov, avi, mkv, webm)")
    ):
        find_videos([tmp_path / "empty"])
