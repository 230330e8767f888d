"""Where a person is, by networks that other people trained: the outline in a frame, and boxes through a film, whatever
the camera does.

Two networks of MediaPipe (Apache-2.0, kp/models/masks), which OpenCV computes. *Selfie segmentation* was trained on
masks; it is made for people within two metres of the camera. *Pose landmark* was trained on masks and joints; it needs
a square around the person, which the first network finds, and keeps arms and feet that the first one loses. It also
says how sure it is that its square shows a person: where it doubts, because the first network has found the legs alone
or nothing, it sees the whole frame, and the square of which it is surest counts. A model that is trained on such masks
still needs no label of its film, but it stands on labels that others made: say so with its numbers.
"""

from pathlib import Path
from types import ModuleType

import numpy as np
from jaxtyping import Bool, Float, UInt8
from tqdm import tqdm

from kp.errors import KpError, library, printable
from kp.inference.crops import BoxTrack
from kp.inference.once import once_a_film
from kp.inference.region import largest_region
from kp.inference.subject import SEEN, largest, steady_track
from kp.video import read_frames, read_header

NETWORKS = Path(__file__).parents[1] / "models/masks"
SELFIE, POSE = NETWORKS / "selfie_segmentation.tflite", NETWORKS / "pose_landmark_full.tflite"
SIDE = 256  # pixels a side of what both networks see
ROOM = 1.25  # side of the square that the second one sees, in sides of the person's box: as its makers feed it
LEAST = 0.002  # share of a frame below which a region is no person
PRESENT = 0.5  # how sure the second one must be that there is a person where the first one finds nobody
SURE = 0.9  # how sure it is where no other square is tried

APART = 10  # frames from one look for a second person to the next

HEIGHT = 480  # pixels: larger frames of a film are shrunk before the search

Box = tuple[int, int, int, int]


class PersonFinder:
    """Calls find the person in frames, uint8 RGB (t, h, w, 3) → bool (t, h, w); nothing where there is none.

    cv2: the module OpenCV. close: ask the first network alone, for people within two metres of the camera.
    """

    def __init__(self, cv2: ModuleType, close: bool = False):
        self.cv2 = cv2
        self.selfie = read_network(cv2, SELFIE)
        self.pose = None if close else read_network(cv2, POSE)

    def __call__(self, frames: UInt8[np.ndarray, "t h w 3"]) -> Bool[np.ndarray, "t h w"]:
        return np.stack([self.one(frame) for frame in frames])

    def one(self, frame: UInt8[np.ndarray, "h w 3"], before: Box | None = None) -> Bool[np.ndarray, "h w"]:
        """Where the person is in one frame. before: its box in the last frame, where the second network looks first."""
        if before and self.pose:
            person, present = self._draw(frame, square_around(before, ROOM))
            if present > SURE:
                return person
        whole = (0, 0, frame.shape[1], frame.shape[0])
        (likely,) = self._ask(self.selfie, frame, square_around(whole), ["activation_10"])
        if self.pose is None:
            return likely > 0.5
        box = largest_box(likely > 0.5, self.cv2)
        squares = [square_around(box, ROOM)] if box else []
        person, present = np.zeros(likely.shape, bool), 0.0
        for square in (*squares, square_around(whole), square_around(whole, ROOM)):
            drawn, sure = self._draw(frame, square)
            if sure >= present:
                person, present = drawn, sure
            if present > SURE:
                break
        return person & (box is not None or present > PRESENT)

    def _draw(
        self, frame: UInt8[np.ndarray, "h w 3"], square: Float[np.ndarray, "2 3"]
    ) -> tuple[Bool[np.ndarray, "h w"], float]:
        """Where the second network draws a person, as it does in every square, and how sure it is that there is one."""
        drawn, present = self._ask(self.pose, frame, square, ["Identity_2", "Identity_1"])
        return drawn > 0, present.item()

    def _ask(
        self, net, frame: UInt8[np.ndarray, "h w 3"], square: Float[np.ndarray, "2 3"], layers: list[str]
    ) -> list[np.ndarray]:
        """What a network's layers say of a square of a frame, in one pass. The first layer is a picture, and is put
        back into the frame; it is −1 outside the square.
        """
        cv2, (height, width) = self.cv2, frame.shape[:2]
        seen = cv2.warpAffine(frame, square, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
        net.setInput(seen.transpose(2, 0, 1)[None].astype(np.float32) / 255)
        picture, *others = map(np.squeeze, net.forward(layers))
        back = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        outside = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": -1.0}
        return [cv2.warpAffine(picture, square, (width, height), flags=back, **outside), *others]


def read_network(cv2: ModuleType, path: Path):
    """A network that answers for several of its layers in one pass. OpenCV 5 does that with its classic engine only;
    OpenCV 4.10 has no other.
    """
    engine = getattr(cv2.dnn, "ENGINE_CLASSIC", None)
    return cv2.dnn.readNetFromTFLite(str(path), *([] if engine is None else [engine]))


def square_around(box: Box, room: float = 1.0) -> Float[np.ndarray, "2 3"]:
    """The affine map, as OpenCV takes it, from a frame's pixels to those of a picture of ``SIDE`` that shows a square
    around a box (left, top, right, bottom; pixels, 0 at the frame's edge), ``room`` times as long as the longer side.
    """
    left, top, right, bottom = box
    factor = SIDE / (room * max(right - left, bottom - top))
    x, y = ((SIDE - 1) / 2 - factor * ((a + b - 1) / 2) for a, b in ((left, right), (top, bottom)))
    return np.array([[factor, 0, x], [0, factor, y]])


def largest_box(mask: Bool[np.ndarray, "h w"], cv2: ModuleType) -> Box | None:
    """Left, top, right and bottom of the largest connected region of a mask, in pixels from the edge; None if it covers
    hardly anything.
    """
    rows, columns = np.nonzero(largest_region(mask, cv2))
    if not len(rows) or len(rows) < LEAST * mask.size:
        return None
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def rival(find: PersonFinder, frame: UInt8[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h w"], box: Box) -> float:
    """How many pixels a second person has, as a share of the first one's ``mask``: looked for where the first one's box
    and a tenth around it are painted over. What is twice as large would have been found first, and is no person: 0.
    """
    left, top, right, bottom = box
    across, down = (right - left) // 10, (bottom - top) // 10
    without = frame.copy()
    without[max(0, top - down) : bottom + down, max(0, left - across) : right + across] = np.median(frame, (0, 1))
    share = float(find.one(without).sum() / mask.sum())
    return share if share < 2 else 0.0


@once_a_film
def find_person(path: Path, progress: bool = True) -> BoxTrack:
    """A box (left, top, width, height in pixels) a frame around the person in a film, whatever the camera does.

    The film is decoded once. In each frame the person is looked for around the box of the frame before, and where the
    networks doubt, everywhere. A box holds what was found within five frames, but for outliers. Where nobody is found
    the last box stays, and the person counts as not seen. KpError if the film cannot be read, or if nobody is found in
    a fifth of the frames.
    """
    cv2 = library("cv2", "video", path)
    find, edges, rivals, before, count = PersonFinder(cv2), [], [0.0], None, read_header(path).count
    films = tqdm(read_frames(path), printable(f"{path.name}: person"), count, unit="frame", disable=not progress)
    for number, frame in enumerate(films):
        height, width = frame.pixels.shape[:2]
        small = min(1.0, HEIGHT / height)
        shrunk = cv2.resize(frame.pixels, None, fx=small, fy=small, interpolation=cv2.INTER_AREA)
        mask = find.one(shrunk, before)
        before = largest_box(mask, cv2)
        edge = largest(mask, cv2)[0] if before else np.full(4, np.nan)
        edges.append(edge * height / shrunk.shape[0])
        rivals.append(rival(find, shrunk, mask, before) if before and number % APART == 0 else rivals[-1])
    found = np.stack(edges)
    if np.isfinite(found[:, 0]).mean() < SEEN:
        raise KpError(f"{path}: no person is found in most frames; try --crop subject, or --boxes")
    return steady_track(found, np.array(rivals[1:]), (width, height))
