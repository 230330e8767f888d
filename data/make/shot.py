"""Where the camera stands: the one cropping rule that videos and pose priors share."""

from dataclasses import dataclass

import numpy as np
from people import Body
from raster import Camera
from sets import VideoSet

FIELD_OF_VIEW = 30.0  # degrees
DRAWN = 384  # pixels a side before frames are averaged down to the set's size


@dataclass(frozen=True)
class Shot:
    """A posed body before a camera. ``keypoints`` (T, 17, 2) in pixel indices of the set's frames."""

    rotation: np.ndarray
    position: np.ndarray
    camera: Camera
    azimuth: float
    elevation: float
    turned: np.ndarray  # (T,) camera azimuth minus facing direction, degrees
    keypoints: np.ndarray


def _smooth(path: np.ndarray, width: int = 9) -> np.ndarray:
    padded = np.pad(path, ((width // 2, width // 2), (0, 0)), mode="edge")
    return np.stack([np.convolve(padded[:, k], np.ones(width) / width, "valid") for k in range(path.shape[1])], 1)


def frame(points: np.ndarray, azimuth: float, elevation: float, field_of_view: float, fill: float) -> Camera:
    """The camera at these angles (degrees) in whose picture the box of all points (T, K, 3) is centred and fills the
    share ``fill``.
    """
    a, e = np.radians(azimuth), np.radians(elevation)
    towards = np.array([np.sin(a) * np.cos(e), -np.cos(a) * np.cos(e), np.sin(e)])
    centre = (points.min((0, 1)) + points.max((0, 1))) / 2
    probe = Camera.looking(centre + towards, centre, field_of_view, DRAWN)
    flat = (points - centre).reshape(-1, 3) @ probe.axes.T
    centre = centre + (flat[:, :2].min(0) + flat[:, :2].max(0)) / 2 @ probe.axes[:2]
    radius = np.ptp(flat[:, :2], axis=0).max() / 2 / fill
    distance = radius / np.tan(np.radians(field_of_view / 2))
    return Camera.looking(centre + distance * towards, centre, field_of_view, DRAWN)


def shoot(body: Body, pose: dict, root: np.ndarray, facing: np.ndarray, rng, videos: VideoSet, whole: bool) -> Shot:
    """Remove the travel, then frame the person.

    The camera's azimuth lies within ±``videos.turn`` of the facing direction: of every moment if ``whole``
    (videos), else of one random moment (priors, which then keep the moments in range). A turn of 180°
    leaves no direction out, so one random moment serves both. The bounding box of all joints of all
    moments is centred and fills 76–86 % of the frame.
    """
    rotation, position = body.kinematics(pose, root)
    joints = body.joints(rotation, position)
    away = np.zeros((len(root), 3))
    away[:, :2] = _smooth(joints[:, 0, :2])
    away[:, 2] = np.percentile(joints[..., 2].min(1), 20) - 0.08  # ankles stand 8 cm above the floor
    joints, position = joints - away[:, None], position - away[:, None]
    every = whole and videos.turn < 180
    low, high = (facing.max(), facing.min()) if every else [facing[rng.integers(len(facing))]] * 2
    azimuth, elevation = rng.uniform(low - videos.turn, high + videos.turn), rng.uniform(3, 14)
    camera = frame(joints, azimuth, elevation, FIELD_OF_VIEW, rng.uniform(0.76, 0.86))
    pixels, _ = camera.project(joints)
    turned = (azimuth - facing + 180) % 360 - 180
    return Shot(rotation, position, camera, azimuth, elevation, turned, pixels / (DRAWN // videos.size) - 0.5)
