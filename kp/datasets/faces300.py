"""300-W (photographs) and 300-VW (videos) of faces with 68 points, which users obtain themselves.

300-W, anywhere below the folder::    300-VW::

    indoor_001.png                        001/vid.avi
    indoor_001.pts                        001/annot/000001.pts    points of the first frame

Every face is cut out by the same rule: a square around the box of its 68 points, its side ``1 + 2 · MARGIN`` times the
box's longer side, black where it leaves the picture. The points thus do what a face detector would.

Images of 300-VW are the first half of each video's annotated frames, its unpaired poses the second half,
as in the paper's protocol for Human3.6M.
"""

import math
import re
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from kp.datasets.cache import hold_clips
from kp.datasets.clips import Clips, of_source, to_images
from kp.datasets.priors import Poses
from kp.errors import KpError
from kp.geometry import from_pixels, resize_pixels
from kp.video import read_frames, read_image, shrink

MARGIN = 0.25


def read_pts(path: Path) -> Float[Tensor, "68 2"]:
    """68 points (x, y) as pixel indices: 0 is the centre of the first pixel, which the file calls 1.

    KpError names the file if it is missing or damaged, or has another number of points.
    """
    if not path.is_file():
        raise KpError(f"{path}: no such file; unpack the set again")
    match = re.fullmatch(
        r"\s*version:\s*\S+\s+n_points:\s*(\d+)\s*\{(.*)\}\s*", path.read_text(errors="replace"), re.DOTALL
    )
    try:
        declared, values = int(match[1]), [float(v) for v in match[2].split()]
    except (TypeError, ValueError) as error:
        raise KpError(f"{path}: not a readable .pts file; it may be cut short: unpack the set again") from error
    if declared != 68 or len(values) != 2 * 68:
        raise KpError(f"{path}: announces {declared} points and holds {len(values) / 2:g}; expected 68")
    points = torch.tensor(values).view(68, 2) - 1
    if not points.isfinite().all():
        raise KpError(f"{path}: holds NaN or infinite values; unpack the set again, or leave this face out")
    if (points == points[0]).all():
        raise KpError(f"{path}: all 68 points coincide; unpack the set again, or leave this face out")
    return points


def face_box(points: Float[Tensor, "68 2"]) -> tuple[int, int, int]:
    """Left, top (pixel indices) and side (pixels) of the square cut out for these points."""
    low, high = points.amin(0), points.amax(0)
    side = max(2, round((high - low).max().item() * (1 + 2 * MARGIN)))
    left, top = ((low + high) / 2 + 0.5 - side / 2).round().int().tolist()
    return left, top, side


def place(points: Float[Tensor, "68 2"], size: int) -> Float[Tensor, "68 2"]:
    """Pixel indices in the picture → [-1, 1] in the face's square as resized to ``size`` pixels."""
    left, top, side = face_box(points)
    return from_pixels(resize_pixels(points - torch.tensor([left, top]), side, size), size)


def crop(
    image: UInt8[np.ndarray, "h w 3"], points: Float[Tensor, "68 2"], size: int, path: Path
) -> UInt8[np.ndarray, "{size} {size} 3"]:
    """The face's square, resized.

    KpError, about the .pts file ``path``, if the square is centred outside of the picture or far larger.
    """
    left, top, side = face_box(points)
    height, width = image.shape[:2]
    inside = 0 <= left + side / 2 <= width and 0 <= top + side / 2 <= height and side <= 4 * max(width, height)
    if not inside:
        raise KpError(
            f"{path}: its points lie outside of the {width}×{height} picture; it belongs to another one: unpack the "
            "set again"
        )
    square = Image.fromarray(image).crop((left, top, left + side, top + side))
    return shrink(np.array(square)[None], size)[0]


def load_300w(
    root: Path, size: int, progress: bool = True
) -> tuple[Float[Tensor, "n 3 {size} {size}"], Float[Tensor, "n 68 2"]]:
    """Faces in [-1, 1] and their points (x, y) in [-1, 1], of all .pts files below ``root`` in order of their paths.

    KpError names a folder without .pts files, a .pts file without an image, and files that are damaged.
    """
    paths = sorted(root.rglob("*.pts"))
    if not paths:
        raise KpError(f"{root}: no .pts files; expected images, each with a .pts file of the same name beside it")
    images, keypoints = [], []
    for path in tqdm(paths, desc="reading faces", unit="face", disable=not progress, leave=False):
        points = read_pts(path)
        picture = next((p for p in (path.with_suffix(".png"), path.with_suffix(".jpg")) if p.is_file()), None)
        if not picture:
            raise KpError(f"{path}: has no image beside it; expected {path.stem}.png or {path.stem}.jpg")
        images.append(torch.from_numpy(crop(read_image(picture), points, size, path)))
        keypoints.append(place(points, size))
    return to_images(torch.stack(images)), torch.stack(keypoints)


def is_300vw(root: Path) -> bool:
    """Whether a folder has the layout of 300-VW."""
    return any(root.glob("*/vid.avi"))


def find_annotations(root: Path, second_half: bool) -> dict[Path, list[Path]]:
    """Folder of a video → its .pts files of one half, in order of time. KpError if a video has none."""
    annotations = {}
    for folder in sorted(p.parent for p in root.glob("*/annot")):
        files = sorted((p for p in (folder / "annot").glob("*.pts") if p.stem.isdigit()), key=lambda p: int(p.stem))
        if len(files) < 2:
            raise KpError(
                f"{folder / 'annot'}: has {len(files)} .pts files; expected one per frame: unpack the set again"
            )
        half = len(files) // 2
        annotations[folder] = files[half:] if second_half else files[:half]
    if not annotations:
        raise KpError(f"{root}: no videos; expected 001/vid.avi with 001/annot/000001.pts and so on below it")
    return annotations


def read_faces(folder: Path, annotations: list[Path], size: int) -> UInt8[Tensor, "t {size} {size} 3"]:
    """The annotated frames of a video, cut out.

    One frame is held at a time. KpError if the video is damaged or too short.
    """
    path = folder / "vid.avi"
    wanted = {int(p.stem): p for p in annotations}
    faces = []
    for number, frame in enumerate(read_frames(path), 1):
        if number in wanted:
            points = read_pts(wanted[number])
            faces.append(torch.from_numpy(crop(frame.pixels, points, size, wanted[number])))
        if len(faces) == len(wanted):
            break
    if len(faces) < len(wanted):
        raise KpError(
            f"{path}: ends before frame {annotations[-1].stem}, which has a .pts file; it may be cut short: unpack the "
            "set again"
        )
    return torch.stack(faces)


def load_300vw(
    root: Path, size: int, every: int = 1, source: str = "", memory: float = math.inf, progress: bool = True
) -> Clips:
    """Faces of the first half of each video, every ``every``-th frame; one clip a video, 49 kB a frame at 128 pixels.

    ``sources`` are the names of the videos' folders, ``source`` the one to keep ("" = all). What needs more than
    ``memory`` gigabytes is read video by video, when asked for (:mod:`kp.datasets.cache`). KpError names a folder or
    file that is missing or damaged.
    """
    if every < 1:
        raise KpError(f"every is {every}; it must be at least 1, to take every frame")
    annotations = find_annotations(root, second_half=False)
    folders = list(annotations)
    folders = [folders[i] for i in of_source(root, [folder.name for folder in folders], source)]
    chosen = [annotations[folder][::every] for folder in folders]
    for folder, files in zip(folders, chosen, strict=True):
        if len(files) < 2:
            raise KpError(
                f"{folder}: gives {len(files)} frames with every {every}; a clip needs 2: take a smaller every"
            )

    def load(number):
        return read_faces(folders[number], chosen[number], size)

    names = [folder.name for folder in folders]
    return Clips(names, names, hold_clips(load, len(folders), max(map(len, chosen)), size, memory, "videos", progress))


def load_300vw_poses(root: Path, size: int, progress: bool = True) -> Poses:
    """Unpaired poses (n, 68, 2) in [-1, 1]: points of the second half of each video. KpError as :func:`load_300vw`."""
    files = [file for half in find_annotations(root, second_half=True).values() for file in half]
    bar = tqdm(files, desc="reading poses", unit="pose", disable=not progress, leave=False)
    return Poses(
        torch.stack([place(read_pts(file), size) for file in bar]), [file.parent.parent.name for file in files]
    )
