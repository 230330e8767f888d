"""A video with the pose drawn over every frame."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageColor, ImageDraw

from kp.clips import write_video
from kp.figures import LEFT, MIDDLE, RIGHT
from kp.skeleton import Skeleton

LEAST = 320  # pixels of the shorter side: smaller frames are enlarged by a whole number


def draw_poses(
    frames: UInt8[np.ndarray, "t h w 3"], keypoints: Float[np.ndarray, "t k 2"], skeleton: Skeleton
) -> UInt8[np.ndarray, "t r c 3"]:
    """Frames with poses drawn over them: the subject's right red, left blue, middle yellow.

    keypoints: (x, y) as pixel indices of the frames (0: centre of the first pixel). Frames under 320 pixels are enlarged by a whole
    number; an odd row or column at the end is left out, since H.264 takes even sizes only.
    """
    zoom = -(-LEAST // min(frames.shape[1:3])) if min(frames.shape[1:3]) < LEAST else 1
    left, right = ({skeleton.index(pair[i]) for pair in skeleton.mirror_pairs} for i in (0, 1))
    many = len(skeleton.edges) >= 40
    drawn = []
    for frame, pose in zip(frames, keypoints, strict=True):
        height, width = frame.shape[0] * zoom, frame.shape[1] * zoom
        image = Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC)
        pen, points = ImageDraw.Draw(image), (pose + 0.5) * zoom - 0.5
        thick = max(1, round(min(height, width) / (320 if many else 120)))
        for edge in skeleton.edge_indices:
            colour = LEFT if left & set(edge) else RIGHT if right & set(edge) else MIDDLE
            pen.line([tuple(p) for p in points[list(edge)].tolist()], ImageColor.getrgb(colour), thick)
        drawn.append(np.asarray(image)[: height // 2 * 2, : width // 2 * 2])
    return np.stack(drawn)


def write_overlay(path: Path, frames: UInt8[np.ndarray, "t h w 3"], keypoints: Float[np.ndarray, "t k 2"], skeleton: Skeleton) -> None:
    """:func:`draw_poses` as an H.264 video of 20 frames a second."""
    write_video(path, draw_poses(frames, keypoints, skeleton), crf=20)
