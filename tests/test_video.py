import re
import struct
import warnings
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import kp.video
from kp.cli.main import main
from kp.errors import KpError
from kp.inference.published import load
from kp.inference.view import look
from kp.video import find_videos, read_frames, read_header, read_image, read_video, write_video


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
    with pytest.raises(KpError, match=re.escape(f"{text}: cannot be opened as a video (")):
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
    (tmp_path / "a.png").write_text("")
    (tmp_path / "day 2/cam").mkdir(parents=True)
    (tmp_path / "day 2/cam/c.mts").write_text("")
    (tmp_path / ".b.part.mp4").write_text("")
    assert [p.name for p in find_videos([tmp_path])] == ["a.mov", "b é.MP4", "c.mts"]
    assert find_videos([tmp_path / "a.mov"]) == [tmp_path / "a.mov"]
    for path, message in [
        (tmp_path / "a.png", "a picture, not a video; give a video, or a folder of pictures"),
        (tmp_path / "gone", "no such file or folder; check the path"),
    ]:
        with pytest.raises(KpError, match=re.escape(f"{path}: {message}")):
            find_videos([path])
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        KpError, match=re.escape(f"{tmp_path / 'empty'}: holds no video (mp4, m4v, mov, avi, mkv, webm, …)")
    ):
        find_videos([tmp_path / "empty"])


CASES = Path(__file__).parent / "cases"


@pytest.mark.parametrize(
    ("film", "truth", "error"),
    [
        ("anamorphic/sar2.mp4", "anamorphic/truth_frame0_stored_pixels.csv", 4),
        ("mirrored_display_matrix/hflip.mp4", "mirrored_display_matrix/truth_upright_frame0.csv", 5),
        ("mirrored_display_matrix/vflip.mp4", "mirrored_display_matrix/truth_upright_frame0.csv", 5),
        ("exif_photo/exif6.jpg", "exif_photo/truth_upright.csv", 8),
    ],
)
def test_people_are_found_where_a_player_shows_them(film, truth, error):
    """In pixels of the stored frames, turned upright: a wrong turn or a squeezed person costs four times as much."""
    track = load("people").track(CASES / film, progress=False)
    true = np.loadtxt(CASES / truth, delimiter=",")
    assert np.linalg.norm(track.keypoints[0] - true, axis=1).mean() < error


def test_pixels_that_are_not_square_are_made_so_and_points_go_back():
    header = read_header(CASES / "anamorphic/sar2.mp4")
    assert header.size == (128, 128) and header.stretch == (2, 1)
    assert look(CASES / "anamorphic/sar2.mp4").stored_size == (64, 128)


@pytest.mark.parametrize("name", ["trimmed.mp4", "trimmed.mov"])
def test_a_cut_without_recoding_shows_what_players_show(name):
    assert len(list(read_frames(CASES / "edit_list_trim" / name))) == 20


def test_a_frame_dropped_while_filming_is_the_one_before():
    frames = list(read_frames(CASES / "avi_dropped_frames/drops.avi"))
    assert len(frames) == 24
    np.testing.assert_allclose([f.seconds for f in frames], np.arange(24) / 25, atol=1e-6)
    for dropped in (5, 6, 20):
        assert np.array_equal(frames[dropped].pixels, frames[dropped - 1].pixels)
    assert not np.array_equal(frames[7].pixels, frames[6].pixels)


@pytest.mark.parametrize(
    ("name", "message"),
    [("empty.mp4", "is empty (0 bytes); copy it again"), ("audio.mp4", "holds no pictures, only sound; give a video")],
)
def test_files_without_pictures_are_told_apart(name, message):
    path = CASES / "no_video_inside" / name
    with pytest.raises(KpError, match=f"^{re.escape(f'{path}: {message}')}$"):
        next(read_frames(path))
    with pytest.raises(KpError, match=f"^{re.escape(f'{path}: {message}')}$"):
        read_header(path)


def test_a_folder_of_sixteen_bits_has_one_depth(tmp_path):
    """A dark picture of a camera with 12 bits stays dark, and numbers that are no decimal digits are parts of names."""
    for name, grey in (("1²3.png", 200), ("2.png", 4000)):
        Image.fromarray(np.full((20, 30), grey, np.uint16)).save(tmp_path / name)
    assert [frame.pixels.max() for frame in read_frames(tmp_path)] == [200 >> 4, 4000 >> 4]


def test_twelve_bits_in_sixteen_are_shown_in_eight():
    raw = np.asarray(Image.open(CASES / "sixteen_bit/camera12bit.png"))
    assert raw.max() > 255 and raw.max() < 4096
    assert np.array_equal(read_image(CASES / "sixteen_bit/camera12bit.png")[..., 1], raw >> 4)


def test_a_stack_is_a_film_in_one_depth(tmp_path):
    chance = np.random.default_rng(0)
    pages = [Image.fromarray(chance.integers(0, top, (20, 30)).astype(np.uint16)) for top in (200, 1000, 60_000)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    frames = list(read_frames(tmp_path / "a.tif"))
    assert read_header(tmp_path / "a.tif").count == 3 and [f.seconds for f in frames] == [0, 1, 2]
    for frame, page in zip(frames, pages, strict=True):
        assert np.array_equal(frame.pixels[..., 0], np.asarray(page) >> 8)


def test_an_animation_keeps_its_pace(tmp_path):
    pages = [Image.new("RGB", (20, 20), (value, 0, 0)) for value in (0, 120, 250)]
    pages[0].save(tmp_path / "a.gif", save_all=True, append_images=pages[1:], duration=40)
    assert [round(f.seconds, 3) for f in read_frames(tmp_path / "a.gif")] == [0, 0.04, 0.08]
    assert read_header(tmp_path / "a.gif").rate == 25


def test_pictures_of_real_numbers_are_refused(tmp_path):
    Image.fromarray(np.zeros((8, 8), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(KpError, match="holds numbers with a decimal point"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize(("crop", "most"), [("frame", 1), ("subject", 2)])
def test_a_film_is_decoded_once_or_to_find_its_subject_twice(tmp_path, monkeypatch, crop, most):
    """Whatever else is asked for: keypoints, pictures, the film with the poses drawn over it."""
    frames = np.random.default_rng(0).integers(0, 60, (30, 96, 128, 3), np.uint8)
    for t in range(30):
        frames[t, 30:80, 10 + 2 * t : 40 + 2 * t] = 220
    write_video(tmp_path / "a.mp4", frames, crf=10)
    film, passes = kp.video._film, []
    monkeypatch.setattr(kp.video, "_film", lambda path: passes.append(path.name) or film(path))
    monkeypatch.setattr(
        "sys.argv", ["kp", "predict", "people", str(tmp_path / "a.mp4"), "--crop", crop, "--out", str(tmp_path / "out")]
    )
    main()
    assert passes == ["a.mp4"] * most and (tmp_path / "out/a.mp4").is_file()


def test_a_count_in_the_header_that_is_too_high():
    path = CASES / "avi_count_too_high/count_high.avi"
    with pytest.warns(
        UserWarning, match=re.escape(f"{path}: its header promises 4000 frames, but the file is whole with 24")
    ):
        assert len(read_video(path)) == 24
    assert read_header(path).count == 24


def streamed(path, codec, frames=12, offset=0, format=None, keep=lambda packet: True, pix_fmt="yuv420p"):
    """A film of the corner-marked frames; ``offset`` seconds late, of the packets that ``keep`` wants."""
    with av.open(str(path), "w", format=format) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pix_fmt
        noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
        for t in range(frames):
            frame = av.VideoFrame.from_ndarray(np.roll(noise, t, 1), format="rgb24")
            frame.pts = t + round(offset * 25)
            for packet in stream.encode(frame):
                if keep(packet):
                    container.mux(packet)
        for packet in stream.encode():
            if keep(packet):
                container.mux(packet)
    return path


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mpg", "mpeg2video"), ("a.ts", "libx264"), ("a.MTS", "libx264"), ("a.wmv", "wmv2"), ("a.flv", "flv1"),
     ("a.3gp", "libx264"), ("a.y4m", "wrapped_avframe"), ("a.mxf", "mpeg2video"), ("film", "libx264")],
)  # fmt: skip
def test_any_ending(tmp_path, name, codec):
    if codec not in av.codecs_available:
        pytest.skip(f"this build of PyAV cannot write {codec}")
    formats = {"film": "matroska", "a.MTS": "mpegts"}
    path = streamed(tmp_path / name, codec, format=formats.get(name))
    assert read_video(path).shape == (12, 48, 64, 3) and float(read_header(path).rate) == pytest.approx(25, rel=0.01)
    assert find_videos([path]) == [path]


def test_a_film_that_begins_late(tmp_path):
    """The first time stamp is 5 s, the rate is still 25 a second."""
    path = streamed(tmp_path / "a.mkv", "libx264", offset=5)
    times = [frame.seconds for frame in read_frames(path)]
    assert times[0] == pytest.approx(5, abs=0.1) and np.diff(times) == pytest.approx(0.04, abs=1e-3)
    assert float(read_header(path).rate) == pytest.approx(25, rel=0.01)


def test_no_key_frame(tmp_path):
    path = streamed(tmp_path / "a.mkv", "libx264", keep=lambda packet: not packet.is_keyframe)
    with pytest.raises(KpError, match=re.escape(f"{path}: holds no key frame, so none of its ")):
        read_video(path)
    with pytest.raises(KpError, match="holds no key frame"):
        read_header(path)


def test_damaged_in_the_middle(tmp_path):
    path = streamed(tmp_path / "a.mkv", "libx264", frames=60)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    path.write_bytes(data)
    with pytest.raises(
        KpError, match=rf"{re.escape(str(path))}: is damaged at frame \d+ \(.*\); copy it again, or cut"
    ):
        read_video(path)


def test_a_folder_of_pictures_is_a_film(tmp_path):
    folder = tmp_path / "take 1"
    folder.mkdir()
    for t in (0, 2, 10):
        Image.fromarray(np.full((20, 30, 3), t, np.uint8)).save(folder / f"img{t}.png")
    assert find_videos([tmp_path]) == [folder]
    assert read_video(folder)[:, 0, 0, 0].tolist() == [0, 2, 10]
    header = read_header(folder)
    assert header.count == 3 and header.size == (30, 20)
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(folder / "img11.png")
    with pytest.raises(
        KpError, match=re.escape(f"{folder}: its pictures differ in size from img11.png on; to read them")
    ):
        read_video(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(KpError, match=re.escape(f"{tmp_path / 'empty'}: holds no pictures")):
        read_video(tmp_path / "empty")


# What films and pictures of other makers say of themselves


def made(path, frames=30, options=None, form=None, streams=1, codec="libx264"):
    """Films of pictures that grow lighter, 5 grey levels a frame; of several the last is to be shown."""
    with av.open(str(path), "w", format=form) as container:
        outs = [container.add_stream(codec, rate=25, options=options or {}) for _ in range(streams)]
        for number, out in enumerate(outs):
            out.width = out.height = 64 << number
            out.pix_fmt = "yuv420p"
            out.disposition = av.stream.Disposition.default if number == streams - 1 else av.stream.Disposition(0)
        for t in range(frames):
            for out in outs:
                pixels = np.full((out.height, out.width, 3), 5 * t, np.uint8)
                container.mux(out.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        for out in outs:
            container.mux(out.encode())
    return path


def copied(source, path):
    """The same packets in another kind of file."""
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(old.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    return path


@pytest.mark.parametrize(
    "options", [{"preset": "ultrafast"}, {"bf": "0"}, {"bf": "2"}], ids=["fast", "no B-frames", "B-frames"]
)
@pytest.mark.parametrize("copy", [False, True], ids=["made", "copied"])
def test_every_avi_has_the_frames_that_were_filmed(tmp_path, options, copy):
    """Numbers that begin at 1; a clock of many ticks a frame, as copies from other kinds of file have it."""
    path = tmp_path / "a.avi"
    copied(made(tmp_path / "a.mp4", options=options, codec="mpeg4"), path) if copy else made(path, options=options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a header that promises more
        frames = list(read_frames(path))
    assert [round(frame.pixels.mean() / 5) for frame in frames] == pytest.approx(range(30), abs=1)
    assert [frame.seconds for frame in frames] == pytest.approx(np.arange(30) / 25)
    assert (read_header(path).count, read_header(path).rate) == (30, 25)


def test_a_bare_stream_has_the_times_of_its_rate(tmp_path):
    frames = list(read_frames(made(tmp_path / "a.h264", form="h264")))
    assert [frame.seconds for frame in frames] == pytest.approx(
        np.arange(30) / float(read_header(tmp_path / "a.h264").rate)
    )


def test_of_two_films_in_a_file_the_one_that_a_player_shows(tmp_path):
    path = made(tmp_path / "a.mkv", streams=2)
    assert read_header(path).size == (128, 128) and next(read_frames(path)).pixels.shape == (128, 128, 3)


def test_the_cover_of_a_record_is_no_film(tmp_path):
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        sound, cover = container.add_stream("aac", rate=8000), container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        for out, frame in (
            (cover, av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")),
            (sound, av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")),
        ):
            if out is sound:
                frame.sample_rate = 8000
            container.mux(out.encode(frame))
            container.mux(out.encode())
    for read in (read_header, lambda path: list(read_frames(path))):
        with pytest.raises(KpError, match="holds no pictures, only sound; give a video"):
            read(path)


def test_films_joined_one_after_the_other_have_one_clock(tmp_path):
    one = made(tmp_path / "a.ts").read_bytes()
    (tmp_path / "b.ts").write_bytes(one + one)
    seconds = [frame.seconds for frame in read_frames(tmp_path / "b.ts")]
    assert len(seconds) > 50 and (np.diff(seconds) > 0.03).all() and (np.diff(seconds) < 0.09).all()


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_each_picture_of_an_animation_has_its_own_time(tmp_path, ending):
    pages = [Image.new("RGB", (20, 20), (value, 0, 0)) for value in (0, 120, 250)]
    pages[0].save(tmp_path / f"a.{ending}", save_all=True, append_images=pages[1:], duration=[100, 200, 300], loop=0)
    assert [frame.seconds for frame in read_frames(tmp_path / f"a.{ending}")] == pytest.approx([0, 0.1, 0.3])
    assert float(read_header(tmp_path / f"a.{ending}").rate) == pytest.approx(5)


def test_what_others_show_that_know_no_animations_is_no_frame(tmp_path):
    pages = [Image.new("RGB", (20, 20), (value, 0, 0)) for value in (0, 120, 250)]
    pages[0].save(tmp_path / "a.png", save_all=True, append_images=pages[1:], default_image=True, duration=100)
    assert [frame.pixels.max() for frame in read_frames(tmp_path / "a.png")] == [120, 250]


def test_a_folder_of_stacks_holds_films(tmp_path):
    pages = [Image.new("L", (20, 20), value) for value in (10, 20, 30)]
    for name in ("a.tif", "b.tif"):
        pages[0].save(tmp_path / name, save_all=True, append_images=pages[1:])
    assert find_videos([tmp_path]) == [tmp_path / "a.tif", tmp_path / "b.tif"]
    assert len(read_video(tmp_path / "a.tif")) == 3
    with pytest.raises(KpError, match=re.escape(f"{tmp_path / 'a.tif'}: holds several pictures, and so is a film of")):
        list(read_frames(tmp_path))


def test_a_damaged_stack_does_not_hide_the_other_films(tmp_path):
    made(tmp_path / "a.mp4")
    (tmp_path / "b.tif").write_bytes(b"II*\0 no pages")
    assert find_videos([tmp_path]) == [tmp_path / "a.mp4", tmp_path / "b.tif"]
    with pytest.raises(KpError, match=re.escape(f"{tmp_path / 'b.tif'}: ")):
        list(read_frames(tmp_path / "b.tif"))


def test_stacks_of_two_sizes_thumbnails_and_stacks_cut_short(tmp_path):
    large, small = Image.new("L", (64, 64), 90), Image.new("L", (20, 20), 90)
    large.save(tmp_path / "a.tif", save_all=True, append_images=[small])
    with pytest.raises(KpError, match="its pages differ in size from number 1 on; save each size by itself"):
        list(read_frames(tmp_path / "a.tif"))
    thumbnail = Image.new("L", (20, 20), 90)
    thumbnail.encoderinfo = {"tiffinfo": {254: 1}}
    large.save(tmp_path / "b.tif", save_all=True, append_images=[thumbnail])
    assert read_header(tmp_path / "b.tif").count in (1, 2)
    chance = np.random.default_rng(0)
    pages = [Image.fromarray(chance.integers(0, 255, (64, 64), np.uint8)) for _ in range(20)]
    for ending in ("tif", "gif"):
        pages[0].save(tmp_path / f"c.{ending}", save_all=True, append_images=pages[1:])
        whole = (tmp_path / f"c.{ending}").read_bytes()
        for share in (0.3, 0.5, 0.9, 0.97):
            (tmp_path / f"c.{ending}").write_bytes(whole[: int(share * len(whole))])
            with pytest.raises(KpError, match=re.escape(f"{tmp_path}/c.{ending}: ")):
                list(read_frames(tmp_path / f"c.{ending}"))


def test_deep_pictures_that_pillow_reads_wrongly(tmp_path):
    """Colours in planes; colours of a camera of 12 bits; white as 0; ImageJ's stacks that list one page of many."""
    tifffile = pytest.importorskip("tifffile")
    path = tmp_path / "a.tif"

    def refused(message):
        with pytest.raises(KpError, match=re.escape(f"{path}: {message}")):
            list(read_frames(path))

    grey = np.linspace(0, 4095, 32 * 48).astype(np.uint16).reshape(32, 48)
    tifffile.imwrite(path, np.stack([grey] * 3), photometric="rgb", planarconfig="separate")
    refused("stores 16-bit colours in planes")
    tifffile.imwrite(path, np.stack([grey] * 3, -1), photometric="rgb")
    refused("holds 16-bit colours whose upper bits are empty")
    tifffile.imwrite(path, np.stack([grey * 16] * 3, -1), photometric="rgb")
    assert read_image(path).max() == 255
    tifffile.imwrite(path, np.stack([grey] * 5)[:, None], imagej=True, truncate=True)
    refused("ImageJ promises 5 images, its list has 1; save it as a film")
    tifffile.imwrite(path, np.stack([grey] * 6).reshape(3, 2, 32, 48), imagej=True, metadata={"axes": "TCYX"})
    refused("holds 2 channels of each image; save one of them")
    tifffile.imwrite(path, grey * 16, photometric="miniswhite")
    assert read_image(path)[0, 0, 0] == 255 and read_image(path)[-1, -1, 0] == 0


def test_a_trimmed_film_has_the_frames_that_a_player_shows(tmp_path):
    """Its header counts those that were cut off as well."""
    path = CASES / "edit_list_trim/trimmed.mp4"
    assert read_header(path).count is None and read_header(CASES / "batch_stops/a.mp4").count == 8
    view = look(path, "frame")
    assert view.count == 20
    masks = tmp_path / "masks.mp4"
    write_video(masks, np.full((20, *view.size[::-1], 3), 255, np.uint8), crf=20)
    assert sum(len(frames) for _, frames, _ in look(path, "frame", masks=masks).chunks(64, False)) == 20


def test_a_colon_in_a_name_is_no_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(Path("2024-05-01T12:30:00.mp4"), np.zeros((3, 32, 32, 3), np.uint8), crf=20)
    assert len(list(read_frames(Path("2024-05-01T12:30:00.mp4")))) == 3


def test_frames_that_h264_does_not_take(tmp_path):
    with pytest.raises(KpError, match=r"wide\.mp4: frames of this size cannot be written as H\.264; shrink them first"):
        write_video(tmp_path / "wide.mp4", np.zeros((1, 32, 40000, 3), np.uint8), crf=20)
    assert not list(tmp_path.iterdir())


def test_a_folder_with_one_picture(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "shot.png")
    with pytest.raises(KpError, match=re.escape(f"holds one picture and no film; name the picture itself: {tmp_path}")):
        find_videos([tmp_path])
