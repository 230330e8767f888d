"""Masks by motion against the true ones: ``python -m kp.research.scripts.foreground`` after ``kp masks data/people
runs/masks/people``.
"""

from pathlib import Path

import torch
import tyro

from kp.datasets.clips import load_clips
from kp.datasets.retrieval import BLACK
from kp.own_video.masks.motion import moving
from kp.provenance import command_line, data_checksum, write_record


def main(
    videos: Path = Path("data/people"),
    masks: Path = Path("runs/masks/people"),
    out: Path = Path("results/foreground.json"),
) -> None:
    """Compare on the test clips, at 64 pixels.

    Args:
        videos: Folder of the video set, with true masks.
        masks: The masks to judge.
        out: Where to write the record.
    """
    filmed = load_clips(videos, "test", 64, background=True)
    true, others = (load_clips(videos, "test", 64, masks=m).frames for m in (None, masks))
    # a masked pixel is black; a true one is rarely black under the mask, and the same for both
    subject = [torch.stack([f.amax(-1) > BLACK for f in frames]) for frames in (true, others)]
    alone = torch.stack([moving(frames) for frames in filmed.frames])

    def agreement(guess) -> dict:
        both, either = (guess & subject[0]).sum().item(), (guess | subject[0]).sum().item()
        return {"iou": both / either, "recall": both / subject[0].sum().item(), "precision": both / guess.sum().item()}

    numbers = {"moving pixels alone": agreement(alone), "found by what moves elsewhere": agreement(subject[1])}
    write_record(out, {**numbers, "data_checksum": data_checksum(videos), "command": command_line()})
    for name, row in numbers.items():
        print(f"{name:32s} " + "   ".join(f"{k} {v:.3f}" for k, v in row.items()))


if __name__ == "__main__":
    tyro.cli(main)
