"""Options that several commands share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from kp.errors import KpError


@dataclass(frozen=True)
class Where:
    """Where the subject is."""

    crop: Literal["", "person", "subject", "frame"] = ""
    """For frames that are not square: "person" finds a person whatever the camera does, by networks that were taught;
    "subject" finds what moves before a static camera; "frame" takes whole frames between black bars."""
    boxes: tuple[Path, ...] = ()
    """One box track for each video instead: CSV files with the columns frame, x, y, width, height, in pixels."""
    save_boxes: Path | None = None
    """Folder for the boxes that were found, a CSV a video: correct them by hand and give them back with --boxes."""

    def box_tracks(self, count: int) -> list[Path | None]:
        """The box track of each of ``count`` films, or None for each. KpError if there are more or fewer."""
        return one_each("box tracks", self.boxes, count)


Subject = Annotated[Where, tyro.conf.arg(name="")]
"""The group as a command takes it: --crop, --boxes."""


def one_each(name: str, paths: tuple[Path, ...], count: int) -> list[Path | None]:
    """``paths``, or None for each of ``count`` films if there are none. KpError if there are more or fewer of them."""
    if paths and len(paths) != count:
        raise KpError(f"{count} inputs but {len(paths)} {name}; give one for each, in the same order")
    return list(paths) or [None] * count
