"""Pictures and measurements of data/people and data/circle for their datasheet: ``python data/make/datasheet.py``.

Writes data/pictures/*.png and data/pictures/gap.json (how far each prior lies from the videos' poses).
"""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial import cKDTree

from kp.clips import read_labels, read_video
from kp.figures import close_all, grid, save
from kp.poses import load_poses, read_npz
from kp.render import render_skeleton
from kp.skeleton import BODY
from kp.truth import load_truth

DATA = Path(__file__).parents[1]
PEOPLE, CIRCLE, PICTURES = DATA / "people", DATA / "circle", DATA / "pictures"
PELVIS, NECK = BODY.index("pelvis"), BODY.index("neck")


def strip(root: Path, split: str, name: str) -> list[np.ndarray]:
    """Six frames of a clip, the last three with the background removed by the mask."""
    frames = read_video(root / "videos" / split / f"{name}.mp4")[2::5][:6]
    masks = read_video(root / "masks" / split / f"{name}.mp4")[2::5][:6] / 255
    masks[:3] = 1
    return [f.astype(np.uint8) for f in frames * masks]


def contact_sheet(split: str, count: int) -> None:
    """Strips of ``count`` clips."""
    names = sorted(p.stem for p in (PEOPLE / "videos" / split).glob("*.mp4"))
    chosen = [names[i] for i in np.linspace(0, len(names) - 1, count).astype(int)]
    save(grid([(name, strip(PEOPLE, split, name)) for name in chosen], 0.9), PICTURES / f"{split}.png")


def all_around(count: int) -> None:
    """Strips of ``count`` test clips in the order of their camera's direction, each with the skeleton that β draws of its last frame."""
    data = read_npz(CIRCLE / "truth" / "test.npz", ("clip", "turned"))
    truth = load_truth(CIRCLE, "test", BODY, 128)
    turned = data["turned"][:, 27]  # frame 27 is a strip's last
    order, rows = np.argsort(turned), []
    for i in order[np.linspace(0, len(order) - 1, count).astype(int)]:
        drawn = (render_skeleton(truth.keypoints[i, 27:28], BODY.edge_indices, 128)[0, 0] + 1) / 2
        rows.append((f"{turned[i]:+.0f}°", [*strip(CIRCLE, "test", str(data["clip"][i])), drawn.numpy()]))
    save(grid(rows, 0.9), PICTURES / "circle.png")


def priors() -> None:
    """Fourteen poses of each prior, drawn by β."""
    rows = []
    for name in ("matched", "other"):
        poses = load_poses(PEOPLE / "priors" / f"{name}.npz", BODY, 128)
        chosen = poses.keypoints[np.linspace(0, len(poses) - 1, 28).astype(int)]
        drawn = (render_skeleton(chosen, BODY.edge_indices, 128).numpy()[:, 0] + 1) / 2
        rows += [(name, list(drawn[:14])), ("", list(drawn[14:]))]
    save(grid(rows, 0.75), PICTURES / "priors.png")


def shape_vectors(keypoints) -> np.ndarray:
    """Poses as vectors that compare by shape: pelvis at the origin, in units of the set's mean torso, √17 divided out."""
    p = keypoints.numpy().reshape(-1, len(BODY), 2)
    torso = np.linalg.norm(p[:, NECK] - p[:, PELVIS], axis=1).mean()
    return ((p - p[:, [PELVIS]]) / torso).reshape(len(p), -1) / np.sqrt(len(BODY))


def distances(root: Path, prior: str, source: str) -> dict[str, np.ndarray]:
    """From each pose of the training and test videos to the nearest prior pose: root mean square per joint, in torso lengths."""
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
            axis.hist(distance, np.linspace(0, 0.6, 40), density=True, alpha=0.6, label=f"{split}, median {numbers['median']:.3f}")
        axis.set(
            title=f"{prior} prior" + (", videos of source A" if source else ""),
            xlabel="distance to the nearest prior pose, torsos",
            yticks=[],
        )
        axis.legend(frameon=False, fontsize=7)
    save(figure, PICTURES / "gap.png")
    return found | {f"circle: matched prior, {split} videos": summary(d) for split, d in distances(CIRCLE, "matched", "").items()}


def main() -> None:
    contact_sheet("train", 8)
    contact_sheet("test", 8)
    all_around(8)
    priors()
    found = gap()
    (PICTURES / "gap.json").write_text(json.dumps(found, indent=2) + "\n")
    close_all()
    for name, numbers in found.items():
        print(name, numbers)


if __name__ == "__main__":
    main()
