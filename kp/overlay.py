"""A video with the pose drawn over every frame."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageColor, ImageDraw

from kp.clips import write_video
from kp.figures import MANY, close_all, edge_colours, grid, overlay, save
from kp.footage import each_frame
from kp.skeleton import Skeleton
from kp.tracking import Track
from kp.whole import whole

LEAST = 320  # pixels of the shorter side: smaller frames are enlarged by a whole number


def draw_poses(
    frames: UInt8[np.ndarray, "t h w 3"], keypoints: Float[np.ndarray, "t k 2"], skeleton: Skeleton
) -> UInt8[np.ndarray, "t r c 3"]:
    """Frames with poses drawn over them: the subject's right red, left blue, middle yellow.

    keypoints: (x, y) as pixel indices of the frames (0: centre of the first pixel). Frames under 320 pixels are enlarged by a whole
    number; an odd row or column at the end is left out, since H.264 takes even sizes only.
    """
    zoom = -(-LEAST // min(frames.shape[1:3])) if min(frames.shape[1:3]) < LEAST else 1
    per_line = 120 if len(skeleton.edges) < MANY else 320  # pixels of the frame for one of the line
    colours, drawn = [(edge, ImageColor.getrgb(colour)) for edge, colour in edge_colours(skeleton)], []
    for frame, pose in zip(frames, keypoints, strict=True):
        height, width = frame.shape[0] * zoom, frame.shape[1] * zoom
        image = Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC)
        pen, points = ImageDraw.Draw(image), (pose + 0.5) * zoom - 0.5
        thick = max(1, round(min(height, width) / per_line))
        for edge, colour in colours:
            pen.line([tuple(p) for p in points[list(edge)].tolist()], colour, thick)
        drawn.append(np.asarray(image)[: height // 2 * 2, : width // 2 * 2])
    return np.stack(drawn)


def write_overlay(track: Track, path: Path) -> None:
    """A video with the poses of a track drawn over every frame: H.264, at the mean frame rate of the original.

    Drawn is what the track holds and the exports write, frame by frame, so that length costs no memory. KpError if it cannot be written.
    """
    frames = (frame.pixels for frame in each_frame(track.video))
    drawn = (draw_poses(f[None], p[None], track.skeleton)[0] for f, p in zip(frames, track.keypoints, strict=True))
    write_video(path, drawn, crf=20, rate=track.rate, preset="veryfast")


def draw_glimpses(track: Track, path: Path) -> None:
    """The squares that a track kept to be looked at, with their poses, in one row. KpError if the file cannot be written."""
    with whole(path) as part:
        save(grid([("", [overlay(image, pose, track.skeleton) for image, pose in track.glimpses])], 1.6), part)
    close_all()
