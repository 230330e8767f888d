"""Pictures and measurements of data/people for its datasheet: ``python data/make/datasheet.py``.

Writes data/pictures/*.png and data/pictures/gap.json (how far each prior lies from the videos' poses).
"""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial import cKDTree

from kp.clips import read_labels, read_video
from kp.figures import close_all, grid, save
from kp.poses import load_poses
from kp.render import render_skeleton
from kp.skeleton import BODY
from kp.truth import load_truth

DATA = Path(__file__).parents[1]
PEOPLE, PICTURES = DATA / "people", DATA / "pictures"
PELVIS, NECK = BODY.index("pelvis"), BODY.index("neck")


def contact_sheet(split: str, count: int) -> None:
    """Six frames each of ``count`` clips, the last three with the background removed by the mask."""
    names = sorted(p.stem for p in (PEOPLE / "videos" / split).glob("*.mp4"))
    rows = []
    for name in [names[i] for i in np.linspace(0, len(names) - 1, count).astype(int)]:
        frames = read_video(PEOPLE / "videos" / split / f"{name}.mp4")[2::5][:6]
        masks = read_video(PEOPLE / "masks" / split / f"{name}.mp4")[2::5][:6] / 255
        masks[:3] = 1
        rows.append((name, [f.astype(np.uint8) for f in frames * masks]))
    save(grid(rows, 0.9), PICTURES / f"{split}.png")


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


def gap() -> dict:
    """Distance from each video pose to the nearest prior pose: root mean square per joint, in torso lengths."""
    labels = read_labels(PEOPLE)
    found, figure = {}, plt.figure(figsize=(7.2, 2.3))
    for column, (prior, source) in enumerate((("matched", ""), ("other", "cmu"))):
        tree = cKDTree(shape_vectors(load_poses(PEOPLE / "priors" / f"{prior}.npz", BODY, 128).keypoints))
        axis = figure.add_subplot(1, 2, column + 1)
        for split in ("train", "test"):
            truth = load_truth(PEOPLE, split, BODY, 128)
            chosen = [n for n in truth.names if source in ("", labels[split, n])]
            distance, _ = tree.query(shape_vectors(truth.of(chosen).keypoints[:, ::4]))
            numbers = {"median": np.median(distance), "p90": np.percentile(distance, 90)}
            found[f"{prior} prior, {split} videos"] = {k: round(float(v), 3) for k, v in numbers.items()}
            axis.hist(distance, np.linspace(0, 0.6, 40), density=True, alpha=0.6, label=f"{split}, median {numbers['median']:.3f}")
        axis.set(
            title=f"{prior} prior" + (", videos of source A" if source else ""),
            xlabel="distance to the nearest prior pose, torsos",
            yticks=[],
        )
        axis.legend(frameon=False, fontsize=7)
    save(figure, PICTURES / "gap.png")
    return found


def main() -> None:
    contact_sheet("train", 8)
    contact_sheet("test", 8)
    priors()
    found = gap()
    (PICTURES / "gap.json").write_text(json.dumps(found, indent=2) + "\n")
    close_all()
    for name, numbers in found.items():
        print(name, numbers)


if __name__ == "__main__":
    main()
