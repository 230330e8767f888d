"""Upright crops of two courting flies with labels that people made, cut out of a film that a package ships.

bash data/make/fetch.sh && python data/make/make_flies.py

The film, people's labels and tracked poses lie in the wheel sleap 1.3.1 (its licence: data/flies/LICENSE). For each
fly: clips of the fly alone, upright on black; poses of the *other* fly, as SLEAP's network tracked them, for the prior;
and the frames that people labelled, for measuring.
"""

import json
import re
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import sleap_io
from store import write_sums

SIZE, SIDE, FRAMES = 128, 132, 32  # pixels of a crop, what it covers in the film, frames of a clip
FLIES = ("first", "second")
VAL = 20  # labelled frames of each fly, evenly spaced, on which constants may be chosen
LABELS_LATE, LABELS_SHIFT, TRACKED_SHIFT = 1, (0.5, -3.7), (2.0, -2.0)
"""What puts the labels on the film: people's are one frame late and so many pixels (x, y) off, tracked ones so many.

Found by moving them until they lie on the film's ridges, and the same in each third of the film and each half of the
picture; :func:`ridge_under` is the test. Afterwards people and tracker are 1.2 pixels apart instead of 3.4.
"""


@dataclass
class Film:
    """Grey frames (t, 384, 384), and in each where both flies are: ``centre`` (t, 2 flies, xy) and ``angle`` (t, 2) of
    the body's axis, radians; ``apart``: whether the flies do not touch; ``regions``: numbered bright regions.
    """

    frames: np.ndarray
    centre: np.ndarray
    angle: np.ndarray
    apart: np.ndarray
    regions: list[np.ndarray]

    def which(self, pose: np.ndarray, t: int) -> int:
        """The fly whose body a pose (24, 2) lies on."""
        body = pose[np.isfinite(pose).all(1)].mean(0) if np.isnan(pose[:4]).all() else np.nanmean(pose[:4], 0)
        return int(np.argmin(np.linalg.norm(self.centre[t] - body, axis=1)))


def read_film(path: Path) -> np.ndarray:
    with av.open(str(path)) as film:
        return np.stack([frame.to_ndarray(format="gray") for frame in film.decode(video=0)])


def find_flies(frames: np.ndarray) -> Film:
    """The two largest bright blobs of each frame, followed through time and turned so that flies walk forwards."""
    count = len(frames)
    film = Film(frames, np.zeros((count, 2, 2)), np.zeros((count, 2)), np.zeros(count, bool), [])
    for t, frame in enumerate(frames):
        blob = cv2.morphologyEx((frame > 45).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3)))
        _, region, stats, middle = cv2.connectedComponentsWithStats(blob)
        film.regions.append(region)
        large = [k for k in np.argsort(-stats[1:, 4])[:2] + 1 if stats[k, 4] > 800]
        if len(large) < 2:
            film.centre[t], film.angle[t] = film.centre[t - 1], film.angle[t - 1]
            continue
        if t:
            stay, swap = (
                np.linalg.norm(middle[order] - film.centre[t - 1], axis=1).sum() for order in (large, large[::-1])
            )
            large = large[::-1] if stay > swap else large
        for fly, k in enumerate(large):
            yx, weight = np.argwhere(region == k), frame[region == k].astype(float)
            mean = (yx * weight[:, None]).sum(0) / weight.sum()
            axis = np.linalg.eigh(((yx - mean) * weight[:, None]).T @ (yx - mean))[1][:, 1]
            turn = np.arctan2(axis[0], axis[1])
            back = t and np.cos(turn - film.angle[t - 1, fly]) < 0
            film.angle[t, fly], film.centre[t, fly] = turn + np.pi * back, mean[::-1]
        film.apart[t] = True
    for fly in (0, 1):
        speed = np.gradient(cv2.GaussianBlur(film.centre[:, fly], (1, 9), 0), axis=0)
        ahead = np.stack([np.cos(film.angle[:, fly]), np.sin(film.angle[:, fly])], 1)
        film.angle[:, fly] += np.pi * ((speed * ahead).sum() < 0)
        steady = np.convolve(np.pad(np.exp(1j * film.angle[:, fly]), 2, "edge"), np.ones(5) / 5, "valid")
        film.angle[:, fly] = np.angle(steady)
    return film


def cut(film: Film) -> tuple[np.ndarray, np.ndarray]:
    """Crops (t, fly, SIZE, SIZE), upright, without arena and other fly, and the maps (t, fly, 2, 3) from the film to
    them.
    """
    arena = np.median(film.frames[::7], 0)
    maps = np.zeros((len(film.frames), 2, 2, 3))
    crops = np.zeros((len(film.frames), 2, SIZE, SIZE), np.uint8)
    for t, frame in enumerate(film.frames):
        bright = cv2.GaussianBlur(np.clip(frame.astype(float) - arena, 0, None), (0, 0), 0.6)
        for fly in (0, 1):
            a = -np.pi / 2 - film.angle[t, fly]
            turn = SIZE / SIDE * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
            maps[t, fly] = np.hstack([turn, (SIZE / 2 - 0.5 - turn @ film.centre[t, fly])[:, None]])
            here, there = (film.centre[t, f].round().astype(int).clip(0, 383) for f in (fly, 1 - fly))
            own, other = (film.regions[t][y, x] for x, y in (here, there))
            image = bright.copy()
            if other and other != own:
                image[cv2.dilate((film.regions[t] == other).astype(np.uint8), np.ones((15, 15))) > 0] = 0
            _, parts = cv2.connectedComponents((image > 7).astype(np.uint8), connectivity=8)
            if part := parts[here[1], here[0]]:
                image = np.where(cv2.dilate((parts == part).astype(np.uint8), np.ones((3, 3))) > 0, image, 0)
            legs_too = (255 * np.clip(image / 170, 0, 1) ** 0.5).astype(np.uint8)  # the root makes thin legs bright
            crops[t, fly] = cv2.warpAffine(legs_too, maps[t, fly], (SIZE, SIZE), flags=cv2.INTER_AREA)
    return crops, maps


def plain(name: str) -> str:
    """SLEAP's name of a joint with its side written out: forelegL1 → left_foreleg1."""
    found = re.fullmatch(r"(wing|foreleg|midleg|hindleg)([LR])(\d?)", name)
    return f"{'left' if found[2] == 'L' else 'right'}_{found[1]}{found[3]}" if found else name


def read_labels(path: Path) -> tuple[list[str], list[tuple[int, np.ndarray]]]:
    """(SLEAP's names of the joints, (frame, pose (24, 2) in the film's pixels, NaN where not seen) of each label)."""
    labels = json.loads(path.read_text())
    nodes = sorted({point["node"] for point in labels["points"]})
    poses: dict[int, np.ndarray] = {}
    for point in labels["points"]:
        if point["visible"]:
            pose = poses.setdefault(point["instanceId"], np.full((len(nodes), 2), np.nan))
            pose[nodes.index(point["node"])] = point["x"], point["y"]
    frames = {instance["id"]: instance["frameIdx"] for instance in labels["instances"]}
    moved = [(frames[key] - LABELS_LATE, pose + LABELS_SHIFT) for key, pose in poses.items()]
    return labels["skeleton"]["nodeNames"], moved


def read_tracks(path: Path, names: list[str]) -> list[tuple[int, np.ndarray]]:
    """(frame, pose (24, 2)) of every tracked pose, NaN where a joint was not found."""
    tracked = sleap_io.load_slp(str(path), open_videos=False)
    order = [tracked.skeletons[0].node_names.index(name) for name in names]
    return [(frame.frame_idx, i.numpy()[order] + TRACKED_SHIFT) for frame in tracked for i in frame.instances]


def ridge_under(frames: np.ndarray, poses: list[tuple[int, np.ndarray]], shift: tuple[float, float] = (0, 0)) -> float:
    """How bright the film's ridges (blur 1 less blur 3) are under the legs of poses moved by ``shift`` pixels."""
    found = []
    for t, pose in poses:
        if 0 <= t < len(frames):
            frame = frames[t].astype(np.float32)
            ridge = cv2.GaussianBlur(frame, (0, 0), 1) - cv2.GaussianBlur(frame, (0, 0), 3)
            legs = pose[6:]  # after the body and the wings
            legs = legs[np.isfinite(legs).all(1)] + shift
            x, y = legs.round().astype(int).clip(0, 383).T
            found += ridge[y, x].tolist()
    return float(np.mean(found))


def skeleton(joints: list[str]) -> dict:
    """The fly's skeleton as kp declares one: a body, two wings, six legs of three parts, from the thorax."""
    legs = [f"{side}_{leg}" for side in ("left", "right") for leg in ("foreleg", "midleg", "hindleg")]
    edges = [
        ("head", "neck"),
        ("neck", "thorax"),
        ("thorax", "abdomen"),
        ("thorax", "left_wing"),
        ("thorax", "right_wing"),
    ]
    edges += [edge for leg in legs for edge in (("thorax", f"{leg}1"), (f"{leg}1", f"{leg}2"), (f"{leg}2", f"{leg}3"))]
    pairs = [(joint, joint.replace("left", "right")) for joint in joints if joint.startswith("left_")]
    regions = {"body": ["head", "neck", "thorax", "abdomen"], "wings": ["left_wing", "right_wing"]}
    regions |= {part: [f"{leg}{n}" for leg in legs] for n, part in ((1, "roots"), (2, "knees"), (3, "tips"))}
    return {
        "name": "fly",
        "joints": joints,
        "edges": edges,
        "mirror_pairs": pairs,
        "normaliser": ["head", "abdomen"],
        "regions": regions,
    }


def write_clips(folder: Path, crops: np.ndarray, apart: np.ndarray) -> None:
    """Clips of FRAMES frames in which the flies stay apart, and clips.csv."""
    (folder / "videos/train").mkdir(parents=True, exist_ok=True)
    rows = ["split,clip,source,start"]
    for start in range(0, len(crops) - FRAMES + 1, FRAMES):
        if not apart[start : start + FRAMES].all():
            continue
        name = f"{len(rows) - 1:03d}"
        with av.open(str(folder / f"videos/train/{name}.mp4"), "w") as clip:
            stream = clip.add_stream("libx264", rate=Fraction(25))
            stream.width = stream.height = SIZE
            stream.pix_fmt, stream.options = "yuv420p", {"crf": "10"}
            for image in crops[start : start + FRAMES]:
                clip.mux(stream.encode(av.VideoFrame.from_ndarray(np.repeat(image[..., None], 3, -1), format="rgb24")))
            clip.mux(stream.encode())
        rows.append(f"train,{name},fly,{start}")
    (folder / "clips.csv").write_text("\n".join(rows) + "\n")


def main(inputs: Path, out: Path) -> None:
    """Make ``out`` from the files of the wheel below ``inputs``."""
    frames = read_film(inputs / "json_format_v1/centered_pair_low_quality.mp4")
    film = find_flies(frames)
    crops, maps = cut(film)
    names, labels = read_labels(inputs / "json_format_v1/centered_pair.json")
    tracks = read_tracks(inputs / "hdf5_format_v1/centered_pair_predictions.slp", names)
    for what, poses in (("labels", labels), ("tracks", tracks)):
        here = ridge_under(frames, poses)
        around = max(ridge_under(frames, poses, shift) for shift in ((3, 0), (-3, 0), (0, 3), (0, -3)))
        if here < around:
            sys.exit(f"the {what} do not lie on the film: its ridges are brighter three pixels beside them")
        print(f"{what}: ridges {here:.1f} under the legs, at most {around:.1f} three pixels beside them")
    joints = [plain(name) for name in names]
    declared = skeleton(joints)
    (out / "fly.json").write_text(json.dumps(declared, indent=1) + "\n")
    other_side = dict([*declared["mirror_pairs"], *[pair[::-1] for pair in declared["mirror_pairs"]]])
    mirror = [joints.index(other_side.get(joint, joint)) for joint in joints]

    def in_crop(pose, t, fly):
        return pose @ maps[t, fly][:, :2].T + maps[t, fly][:, 2]

    for fly, name in enumerate(FLIES):
        folder = out / name
        write_clips(folder, crops[:, fly], film.apart)
        poses = [
            in_crop(pose, t, 1 - fly)
            for t, pose in tracks
            if np.isfinite(pose).all() and t < len(frames) and film.apart[t] and film.which(pose, t) == 1 - fly
        ]
        poses = np.array(poses)
        poses = np.concatenate([poses, poses[:, mirror] * [-1, 1] + [SIZE - 1, 0]])
        poses = poses[((poses > 0) & (poses < SIZE - 1)).all((1, 2))].astype(np.float32).round(2)
        (folder / "priors").mkdir(exist_ok=True)
        about = dict(joint_names=joints, frame_size=SIZE)
        np.savez_compressed(
            folder / "priors/other.npz", keypoints=poses, source=np.full(len(poses), "tracked"), **about
        )
        own = sorted(
            ((t, pose) for t, pose in labels if 0 <= t < len(frames) and film.apart[t] and film.which(pose, t) == fly),
            key=lambda x: x[0],
        )
        split = np.full(len(own), "test", dtype="U4")
        split[np.linspace(0, len(own) - 1, VAL).round().astype(int)] = "val"
        tracked = {t: in_crop(pose, t, fly) for t, pose in tracks if t < len(frames) and film.which(pose, t) == fly}
        nothing = np.full((len(joints), 2), np.nan)
        np.savez_compressed(
            folder / "labels.npz",
            images=np.stack([crops[t, fly] for t, _ in own]),
            keypoints=np.stack([in_crop(pose, t, fly) for t, pose in own]).astype(np.float32).round(2),
            tracked=np.stack([tracked.get(t, nothing) for t, _ in own]).astype(np.float32).round(2),
            frame=np.array([t for t, _ in own]),
            split=split,
            **about,
        )
        print(f"{name}: {len(poses)} poses of the other fly, {len(own)} labelled frames")
    write_sums(out)


if __name__ == "__main__":
    here = Path(__file__).parent
    main(here / "inputs/sleap/tests/data", here.parent / "flies")
