"""The film on the book's first page: ``python -m kp.research.scripts.front``.

Two flies, one beside the other, with the joints that the published model of flies finds in each frame.
"""

from pathlib import Path

import numpy as np
import tyro

from kp.figures import draw_poses
from kp.inference.published import load
from kp.video import read_video, write_video


def main(
    clips: tuple[Path, Path] = (
        Path("data/flies/first/videos/train/004.mp4"),
        Path("data/flies/second/videos/train/004.mp4"),
    ),
    model: str = "flies",
    out: Path = Path("book/_static/flies.mp4"),
) -> None:
    """Write the film.

    Args:
        clips: Clips that are shown side by side.
        model: Published model, weights or run folder.
        out: The film.
    """
    predictor, halves = load(model), []
    for clip in clips:
        frames = read_video(clip)
        points = predictor.track(clip, progress=False).keypoints  # (frames, joints, 2), pixels of the clip
        halves.append(draw_poses(frames, points, predictor.skeleton))
    write_video(out, np.concatenate(halves, axis=2), crf=26, rate=10)


if __name__ == "__main__":
    tyro.cli(main)
