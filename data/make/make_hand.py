"""A new kind of subject in a few lines: videos of drawn hands, and unpaired poses of others.

python data/make/make_hand.py data/hand
kp train laptop --data.videos data/hand --data.prior drawn --data.skeleton data/hand/hand.json --data.background --out
runs/hand
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from kp.skeletons import find_skeleton
from kp.video import write_video

HAND = find_skeleton(str(Path(__file__).parents[1] / "hand/hand.json"))
# wrist to knuckle, then the bones
LENGTHS = np.array([[16, 9, 8, 6], [24, 9, 6, 5], [24, 10, 7, 5], [22, 9, 7, 5], [20, 7, 5, 4]])


def move(rng: np.random.Generator, frames: int = 16, size: int = 64) -> np.ndarray:
    """Poses (frames, 21, 2) in pixels: fingers that spread and bend, a hand that turns and drifts."""
    ease = np.linspace(0, 1, frames)[:, None] ** 2 * (3 - 2 * np.linspace(0, 1, frames)[:, None])

    def between(low, high, n):
        return (1 - ease) * rng.uniform(low, high, n) + ease * rng.uniform(low, high, n)

    angle = np.radians(between(-12, 12, 1) + between(0.7, 1.2, 1) * np.array([-50, -18, 0, 16, 32]))
    long = np.cumsum(LENGTHS * np.stack([np.ones((frames, 5)), *[between(0.3, 1, 5)] * 3], -1), -1)
    tips = np.stack([np.sin(angle)[..., None] * long, -np.cos(angle)[..., None] * long], -1)
    wrist = np.array([size / 2, size * 0.85]) + between(-4, 4, 2)
    return (
        np.concatenate([np.zeros((frames, 1, 2)), tips.reshape(frames, 20, 2)], 1) * rng.uniform(0.85, 1.1)
        + wrist[:, None]
    )


def draw(poses: np.ndarray, rng: np.random.Generator, size: int = 64) -> np.ndarray:
    """Frames (t, size, size, 3) on black: every hand has its own colours."""
    skin, sleeve, frames = *(tuple(rng.integers(90, 255, 3)) for _ in range(2)), []
    for pose in poses:
        pen = ImageDraw.Draw(image := Image.new("RGB", (size, size)))
        for a, b in HAND.edge_indices:
            pen.line([*pose[a], *pose[b]], skin if a else sleeve, 5, "curve")
        frames.append(np.asarray(image))
    return np.stack(frames)


if __name__ == "__main__":
    out = Path(sys.argv[1])
    for number in range(120):
        rng = np.random.default_rng(number)
        write_video(out / "videos/train" / f"{number:03d}.mp4", draw(move(rng), rng), crf=12)
    (out / "priors").mkdir()
    poses = np.concatenate([move(np.random.default_rng(1000 + n))[::4] for n in range(1000)]).astype(np.float32)
    names = dict(joint_names=HAND.joints, frame_size=64, source=["drawn"] * len(poses))
    np.savez_compressed(out / "priors/drawn.npz", keypoints=poses, **names)
