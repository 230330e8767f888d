"""Several calibrated cameras that see one subject: do their keypoints meet in space? A measure of agreement that needs
no labels.

A camera maps a point X of the world (metres) to pixels by x = K · distort(R X + t); OpenCV's model and names.
"""

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from jaxtyping import Bool, Float

from kp.errors import KpError, library
from kp.inference.crops import Squares
from kp.skeletons import Skeleton

SUBPIXELS = 64  # Qualisys writes intrinsics in 64ths of a pixel


@dataclass(frozen=True)
class Camera:
    """``matrix`` K in pixels; ``distortion`` (k1, k2, p1, p2); ``rotation`` R and ``translation`` t (metres) take the
    world to the camera.

    The camera looks along +z, x points right, y down.
    """

    name: str
    matrix: Float[np.ndarray, "3 3"]
    distortion: Float[np.ndarray, "4"]
    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "3"]

    def project(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 2"]:
        """World points in metres → pixel indices (x, y)."""
        cv2 = library("cv2", "video", Path(self.name))
        return cv2.projectPoints(
            points, cv2.Rodrigues(self.rotation)[0], self.translation, self.matrix, self.distortion
        )[0][:, 0]

    def rays(self, pixels: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """Pixel indices → where they lie in the plane z = 1 of the camera, without distortion."""
        cv2 = library("cv2", "video", Path(self.name))
        return cv2.undistortPoints(np.ascontiguousarray(pixels, np.float64)[:, None], self.matrix, self.distortion)[
            :, 0
        ]


def read_qualisys(path: Path) -> list[Camera]:
    """The cameras of a Qualisys calibration file (.qca.txt, XML), in its order. KpError if it is not one."""
    if not path.is_file():
        raise KpError(f"{path}: no such file; check the path")
    try:
        cameras = [_camera(element) for element in ElementTree.parse(path).getroot().iter("camera")]
    except (ElementTree.ParseError, AttributeError, KeyError, ValueError) as error:
        raise KpError(
            f"{path}: not a Qualisys calibration ({type(error).__name__}: {error}); export it again"
        ) from error
    if not cameras:
        raise KpError(f"{path}: names no camera; export it again")
    return cameras


def _camera(element: ElementTree.Element) -> Camera:
    """Qualisys writes a camera's place in millimetres and its axes in rows: x, y up, and z, against which it looks."""
    inner, pose = element.find("intrinsic").attrib, element.find("transform").attrib

    def number(name):
        return float(inner[name])

    matrix = np.array(
        [[number("focalLengthU"), 0, number("centerPointU")], [0, number("focalLengthV"), number("centerPointV")]]
    )
    matrix = np.concatenate([matrix / SUBPIXELS, [[0, 0, 1]]])
    distortion = np.array([number(f"{kind}Distortion{i}") for kind in ("radial", "tangental") for i in (1, 2)])
    axes = np.array([[float(pose[f"r{row}{column}"]) for column in (1, 2, 3)] for row in (1, 2, 3)])
    place = np.array([float(pose[axis]) for axis in "xyz"]) / 1000
    rotation = np.diag([1.0, -1.0, -1.0]) @ axes
    return Camera(element.attrib["serial"], matrix, distortion, rotation, -rotation @ place)


def triangulate(cameras: list[Camera], keypoints: Float[np.ndarray, "v *points 2"]) -> Float[np.ndarray, "*points 3"]:
    """The world points (metres) that fit pixel indices (x, y) in all v views best, linearly (Hartley & Zisserman 2004,
    section 12.2).

    KpError with fewer than two cameras, or another number of them than of views.
    """
    if len(cameras) < 2 or len(cameras) != len(keypoints):
        raise KpError(f"{len(cameras)} cameras for {len(keypoints)} views; it takes two at least, and one a view")
    rows = []
    for camera, pixels in zip(cameras, keypoints.reshape(len(cameras), -1, 2), strict=True):
        ray, pose = camera.rays(pixels), np.concatenate([camera.rotation, camera.translation[:, None]], 1)
        rows += [ray[:, i, None] * pose[2] - pose[i] for i in (0, 1)]
    solution = np.linalg.svd(np.stack(rows, 1))[2][:, -1]
    return (solution[:, :3] / solution[:, 3:]).reshape(*keypoints.shape[1:-1], 3)


def disagreement(cameras: list[Camera], keypoints: Float[np.ndarray, "v t k 2"]) -> Float[np.ndarray, "v t k"]:
    """How far keypoints lie from where the point in space that fits all views best is seen: the reprojection error, in
    pixels.
    """
    points = triangulate(cameras, keypoints)
    seen = [camera.project(points.reshape(-1, 3)).reshape(keypoints.shape[1:]) for camera in cameras]
    return np.linalg.norm(np.stack(seen) - keypoints, axis=-1)


def cross_view_r2(
    cameras: list[Camera], keypoints: Float[np.ndarray, "v t k 2"], corners: Float[np.ndarray, "v t 2"]
) -> float:
    """The share of the movement in each view that the other views explain: R², 1 for all of it, 0 for nothing, less if
    they mislead.

    Movement is that of keypoints (pixel indices) within the squares with these ``corners``, around its mean over time:
    what the crops already follow does not count, nor does a pose that is marked too low everywhere. KpError with fewer
    than three cameras. A model that finds no movement at all has no R²: it is NaN.
    """
    if len(cameras) < 3:
        raise KpError(f"{len(cameras)} cameras; it takes three, two to explain what the third sees")
    missed, moved = 0.0, 0.0
    for view, camera in enumerate(cameras):
        others = [i for i in range(len(cameras)) if i != view]
        points = triangulate([cameras[i] for i in others], keypoints[others])
        error = camera.project(points.reshape(-1, 3)).reshape(keypoints[view].shape) - keypoints[view]
        within = keypoints[view] - corners[view][:, None]
        missed += float(((error - error.mean(0)) ** 2).sum())
        moved += float(((within - within.mean(0)) ** 2).sum())
    return 1 - missed / moved if moved > 1e-9 * keypoints.size else float("nan")


def exchange_sides(
    cameras: list[Camera], keypoints: Float[np.ndarray, "v t k 2"], skeleton: Skeleton
) -> Bool[np.ndarray, " v"]:
    """In which views left and right are to be exchanged so that all agree best; the first stays as it is.

    A drawn skeleton has no left and right of its own: a camera behind the subject names them as one in front would.
    """
    options = [[False, *(bool(n >> i & 1) for i in range(len(cameras) - 1))] for n in range(2 ** (len(cameras) - 1))]
    errors = [disagreement(cameras, exchanged(keypoints, np.array(option), skeleton)).mean() for option in options]
    return np.array(options[int(np.argmin(errors))])


def exchanged(
    keypoints: Float[np.ndarray, "v t k 2"], views: Bool[np.ndarray, " v"], skeleton: Skeleton
) -> Float[np.ndarray, "v t k 2"]:
    """Keypoints with left and right exchanged in some views."""
    return np.where(views[:, None, None, None], keypoints[:, :, skeleton.flip], keypoints)


@dataclass(frozen=True)
class Agreement:
    """``disagreement``: mean reprojection error in % of the squares' sides, ``by_joint`` the same a joint;
    ``cross_view_r2``: see :func:`cross_view_r2`; ``points``: the joints in space, metres.
    """

    disagreement: float
    by_joint: dict[str, float]
    cross_view_r2: float
    points: Float[np.ndarray, "t k 3"]


def agree(
    cameras: list[Camera], keypoints: Float[np.ndarray, "v t k 2"], squares: list[Squares], skeleton: Skeleton
) -> Agreement:
    """How far the views agree about keypoints (pixel indices) that were found in these squares, once left and right are
    exchanged where that makes them agree better. KpError with fewer than three cameras, or another number of them than
    of views.
    """
    named = exchanged(keypoints, exchange_sides(cameras, keypoints, skeleton), skeleton)
    off = disagreement(cameras, named) / np.array([s.side for s in squares])[:, None, None] * 100
    corners = np.stack([s.corner[: keypoints.shape[1]] for s in squares]).astype(float)
    by_joint = dict(zip(skeleton.joints, off.mean((0, 1)).tolist(), strict=True))
    return Agreement(float(off.mean()), by_joint, cross_view_r2(cameras, named, corners), triangulate(cameras, named))
