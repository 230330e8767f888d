"""The two video sets: how far the camera may turn, how large the frames are, how many clips."""

from dataclasses import dataclass


@dataclass(frozen=True)
class VideoSet:
    """What sets a video set apart; identities, bodies, rooms and stretches of motion are the same for all.

    ``turn``: the camera stands at most so many degrees from the facing direction (180: anywhere
    around the person); ``size``: pixels a side; ``clips``: how many a split; ``priors``: their names,
    of ``poses`` poses each; ``streams``: seeds of the videos' and of the priors' random numbers.
    """

    turn: float
    size: int
    clips: dict
    priors: tuple
    poses: int
    streams: tuple


SETS = {
    "people": VideoSet(70.0, 128, {"train": 400, "val": 40, "test": 80}, ("matched", "other"), 20_000, (2, 3)),
    "circle": VideoSet(180.0, 64, {"train": 200, "val": 20, "test": 40}, ("matched",), 10_000, (4, 5)),
}
