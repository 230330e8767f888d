"""Pictures and measurements of data/people, data/circle, data/faces and data/flies for their datasheet: ``python
data/make/datasheet.py``.

Writes data/pictures/*.png and data/pictures/gap.json (how far each prior lies from the videos' poses).
"""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.spatial import cKDTree

from kp.datasets.clips import read_labels, to_images
from kp.datasets.priors import load_poses
from kp.evaluation.metrics import nearest_pose_error
from kp.evaluation.truth import load_truth
from kp.figures import grid, overlay, save
from kp.files import read_npz
from kp.method.renderer import render_skeleton
from kp.research.flies import load_labels
from kp.skeletons import BODY, FACE, find_skeleton
from kp.video import read_video

DATA = Path(__file__).parents[1]
PEOPLE, CIRCLE, FACES, FLIES, PICTURES = (DATA / name for name in ("people", "circle", "faces", "flies", "pictures"))
PELVIS, NECK = BODY.index("pelvis"), BODY.index("neck")


def strip(root: Path, split: str, name: str) -> list[np.ndarray]:
    """Six frames of a clip, the last three with the background removed by the mask."""
    frames = read_video(root / "videos" / split / f"{name}.mp4")[2::5][:6]
    masks = read_video(root / "masks" / split / f"{name}.mp4")[2::5][:6] / 255
    masks[:3] = 1
    return [f.astype(np.uint8) for f in frames * masks]


def spaced(root: Path, split: str, count: int) -> list[str]:
    """Names of ``count`` clips, evenly apart."""
    names = sorted(p.stem for p in (root / "videos" / split).glob("*.mp4"))
    return [names[i] for i in np.linspace(0, len(names) - 1, count).astype(int)]


def contact_sheet(split: str, names: list[str], picture: str) -> None:
    """Strips of these clips."""
    save(grid([(name, strip(PEOPLE, split, name)) for name in names], 0.9), PICTURES / f"{picture}.png")


def talking_heads(count: int) -> None:
    """Strips of ``count`` test faces, each with the true landmarks over its last frame."""
    truth, rows = load_truth(FACES, "test", FACE, 128), []
    for name in spaced(FACES, "test", count):
        frames = strip(FACES, "test", name)
        pose = truth.of([name]).keypoints[0, 27]  # frame 27 is a strip's last
        last = torch.from_numpy(read_video(FACES / "videos/test" / f"{name}.mp4")[27:28])
        rows.append((name, [*frames, overlay(to_images(last)[0], pose, FACE)]))
    save(grid(rows, 0.9), PICTURES / "faces.png")


def all_around(count: int) -> None:
    """Strips of ``count`` test clips in the order of their camera's direction, each with the skeleton that β draws of
    its last frame.
    """
    data = read_npz(CIRCLE / "truth" / "test.npz", ("clip", "turned"))
    truth = load_truth(CIRCLE, "test", BODY, 128)
    turned = data["turned"][:, 27]  # frame 27 is a strip's last
    order, rows = np.argsort(turned), []
    for i in order[np.linspace(0, len(order) - 1, count).astype(int)]:
        drawn = (render_skeleton(truth.keypoints[i, 27:28], BODY.edge_indices, 128)[0, 0] + 1) / 2
        rows.append((f"{turned[i]:+.0f}°", [*strip(CIRCLE, "test", str(data["clip"][i])), drawn.numpy()]))
    save(grid(rows, 0.9), PICTURES / "circle.png")


def priors(root: Path, names: tuple, skeleton, sigma: float, picture: str) -> None:
    """Twenty-eight poses of each prior, drawn by β."""
    rows = []
    for name in names:
        poses = load_poses(root / "priors" / f"{name}.npz", skeleton, 128)
        chosen = poses.keypoints[np.linspace(0, len(poses) - 1, 28).astype(int)]
        drawn = (render_skeleton(chosen, skeleton.edge_indices, 128, sigma).numpy()[:, 0] + 1) / 2
        rows += [(name, list(drawn[:14])), ("", list(drawn[14:]))]
    save(grid(rows, 0.75), PICTURES / picture)


def courting_flies(count: int) -> None:
    """Labelled frames of both flies with the labels, and poses of the prior of each, drawn by β."""
    skeleton, rows = find_skeleton(str(FLIES / "fly.json")), []
    for name in ("first", "second"):
        labels = load_labels(FLIES / name, skeleton, 128)
        whole = labels.keypoints.isfinite().all(-1).all(-1).nonzero()[:, 0]
        shown = whole[np.linspace(0, len(whole) - 1, count).astype(int)]
        marked = [overlay(labels.images[i], labels.keypoints[i], skeleton) for i in shown]
        poses = load_poses(FLIES / name / "priors/other.npz", skeleton, 128).keypoints
        drawn = render_skeleton(poses[:: len(poses) // count][:count], skeleton.edge_indices, 128, 0.12).numpy()[:, 0]
        rows += [(f"{name} fly", marked), ("its prior", list((drawn + 1) / 2))]
    save(grid(rows, 1.3), PICTURES / "flies.png")


def face_gap() -> dict:
    """Mean joint distance from the test faces to the nearest prior face, % of the image size."""
    true = load_truth(FACES, "test", FACE, 128).keypoints[:, ::4].flatten(0, 1)

    def near(name):
        return round(nearest_pose_error(true, load_poses(FACES / "priors" / f"{name}.npz", FACE, 128)), 2)

    return {f"faces: {name} prior, test videos, % of the image size": near(name) for name in ("matched", "photographs")}


def landmarks() -> None:
    """The 68 landmarks with their numbers: on a neutral head, and as mapped from the 71 points of the photographs'
    model.
    """
    from head import Head
    from people import sample_identity
    from photographs import load_model, to_300w
    from raster import Camera, Light, render

    rng = np.random.default_rng(3)
    person = Head(sample_identity(rng), rng)
    rotation, position = person.pose(np.eye(3)[None])
    still = np.zeros((1, len(person.actions)))
    points = person.landmarks(still, rotation, position)[0]
    camera = Camera.looking(points.mean(0) - [0, 1.2, 0], points.mean(0), 9.0, 1024)
    grey, empty = np.full((1024, 1024, 3), 0.3, np.float32), np.zeros((1024, 1024, 3), np.float32)
    light = Light(np.array([0.3, -0.85, 0.43]), np.full(3, 0.7), np.full(3, 0.5), np.full(3, 0.4))
    bald = [
        (p, v)
        for p, v in zip(person.parts, person.talking(still[0], rotation[0], position[0]), strict=True)
        if p["name"] != "hair"
    ]
    image, _ = render([p for p, _ in bald], [v for _, v in bald], camera, (grey, empty, empty.copy()), light, 1024)
    mean, _, _ = load_model()
    figure, axes = plt.subplots(1, 2, figsize=(11, 5.6))
    axes[0].imshow(image.clip(0, 1))
    axes[1].plot(*mean.T, "o", color="#bbb", ms=7, label="the model's 71 points")
    axes[1].invert_yaxis()
    for axis, marks, ink in zip(
        axes, (camera.project(points)[0], to_300w(mean[None])[0]), ("#ffd84d", "black"), strict=True
    ):
        axis.plot(*marks.T, ".", color="#d02020", ms=4, label="300-W's 68 points")
        for number, (x, y) in enumerate(marks):
            axis.annotate(str(number), (x, y), xytext=(2, 2), textcoords="offset points", fontsize=6, color=ink)
        axis.set_aspect("equal")
        axis.axis("off")
    axes[1].legend(frameon=False, fontsize=7, loc="lower right")
    save(figure, PICTURES / "landmarks.png")


def shape_vectors(keypoints) -> np.ndarray:
    """Poses as vectors that compare by shape: pelvis at the origin, in units of the set's mean torso, over √17."""
    p = keypoints.numpy().reshape(-1, len(BODY), 2)
    torso = np.linalg.norm(p[:, NECK] - p[:, PELVIS], axis=1).mean()
    return ((p - p[:, [PELVIS]]) / torso).reshape(len(p), -1) / np.sqrt(len(BODY))


def distances(root: Path, prior: str, source: str) -> dict[str, np.ndarray]:
    """From each pose of the training and test videos to the nearest prior pose: root mean square per joint, in torso
    lengths.
    """
    labels = read_labels(root)
    tree = cKDTree(shape_vectors(load_poses(root / "priors" / f"{prior}.npz", BODY, 128).keypoints))
    found = {}
    for split in ("train", "test"):
        truth = load_truth(root, split, BODY, 128)
        chosen = [n for n in truth.names if source in ("", labels[split, n])]
        found[split], _ = tree.query(shape_vectors(truth.of(chosen).keypoints[:, ::4]))
    return found


def summary(distance: np.ndarray) -> dict[str, float]:
    return {"median": round(float(np.median(distance)), 3), "p90": round(float(np.percentile(distance, 90)), 3)}


def gap() -> dict:
    """Median and 90th percentile of the distances for each prior; a histogram for those of data/people."""
    found, figure = {}, plt.figure(figsize=(7.2, 2.3))
    for column, (prior, source) in enumerate((("matched", ""), ("other", "cmu"))):
        axis = figure.add_subplot(1, 2, column + 1)
        for split, distance in distances(PEOPLE, prior, source).items():
            numbers = found[f"{prior} prior, {split} videos"] = summary(distance)
            axis.hist(
                distance,
                np.linspace(0, 0.6, 40),
                density=True,
                alpha=0.6,
                label=f"{split}, median {numbers['median']:.3f}",
            )
        axis.set(
            title=f"{prior} prior" + (", videos of source A" if source else ""),
            xlabel="distance to the nearest prior pose, torsos",
            yticks=[],
        )
        axis.legend(frameon=False, fontsize=7)
    save(figure, PICTURES / "gap.png")
    return found | {
        f"circle: matched prior, {split} videos": summary(d) for split, d in distances(CIRCLE, "matched", "").items()
    }


def main() -> None:
    contact_sheet("train", spaced(PEOPLE, "train", 8), "train")
    contact_sheet("test", spaced(PEOPLE, "test", 8), "test")
    contact_sheet("test", ["022", "033", "045"], "few")  # boxes, walks, jumps
    all_around(8)
    priors(PEOPLE, ("matched", "other"), BODY, 0.2, "priors.png")
    talking_heads(8)
    priors(FACES, ("matched", "photographs"), FACE, 0.15, "face_priors.png")
    courting_flies(6)
    landmarks()
    found = gap() | face_gap()
    (PICTURES / "gap.json").write_text(json.dumps(found, indent=2) + "\n")
    for name, numbers in found.items():
        print(name, numbers)


if __name__ == "__main__":
    main()
