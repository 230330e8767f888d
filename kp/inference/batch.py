"""Many films at once: where each one's results go, and what to tell about them."""

import os
from collections import Counter
from pathlib import Path

import numpy as np

from kp.errors import KpError, printable
from kp.formats.track import Track
from kp.video import find_videos


def name_results(inputs: list[Path]) -> dict[Path, Path]:
    """Film or picture → the name of its results, without an ending, below the folder for results.

    Folders among the inputs are searched, and keep their sub-folders. Where two names are alike, the folders that
    differ are kept too, and then the endings: cam1/trial.mp4 and cam2/trial.mp4 give cam1/trial and cam2/trial. KpError
    if there is nothing to read, or if a film is named twice.
    """
    names: dict[Path, Path] = {}
    taken = set()
    for path in inputs:
        for film in find_videos([path]) if path.is_dir() else [path]:
            if os.path.abspath(film) in taken:
                raise KpError(f"{film}: is named twice; name it once")
            taken.add(os.path.abspath(film))
            names[film] = _below(film, path) if path.is_dir() else Path(path.stem)
    if not names:
        raise KpError("nothing to predict; name at least one image or video after the run folder")
    first, level = dict(names), dict.fromkeys(names, 0)
    while alike := _alike(names):
        if all(level[path] == 2 for path in alike):
            raise KpError(f"{alike[0]}: its results would have the name of those of {alike[1]}; rename one of them")
        level |= {path: min(level[path] + 1, 2) for path in alike}
        others = [path for path in names if level[path]]
        longer = {1: _with_folders, 2: _with_ending}
        names = {path: longer[n](path, others) if n else first[path] for path, n in level.items()}
    return names


def _alike(names: dict[Path, Path]) -> list[Path]:
    """Films whose names differ in capitals at most: some systems take these for one."""
    count = Counter(str(name).casefold() for name in names.values())
    return [path for path in names if count[str(names[path]).casefold()] > 1]


def _below(film: Path, folder: Path) -> Path:
    """The film's place in the folder; a folder of pictures that was named itself has its own name."""
    return film.relative_to(folder).with_suffix("") if film != folder else Path(folder.resolve().name)


def _with_folders(path: Path, others: list[Path]) -> Path:
    """The film's place below the folder that holds all of ``others``."""
    whole = Path(os.path.abspath(path))  # without ..
    top = os.path.commonpath([Path(os.path.abspath(other)).parent for other in others])
    return whole.relative_to(top).with_suffix("")


def _with_ending(path: Path, others: list[Path]) -> Path:
    return _with_folders(path, others).with_name(path.name.replace(".", "_"))


def summary(tracks: dict[Path, Track]) -> list[str]:
    """A table, a line per film: frames, in how many the subject was seen, the longest gap, mean confidence, and whether
    that looks usable.
    """
    rows = [("film", "frames", "seen in", "longest gap", "confidence", "")]
    for path, track in tracks.items():
        seen = "–" if track.seen is None else f"{track.seen.mean():.0%}"
        gap = "–" if track.seen is None else f"{track.longest_gap} frames"
        sure = f"{track.confidence.mean():.2f}"
        rows.append((printable(str(path)), str(len(track.keypoints)), seen, gap, sure, verdict(track)))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


LITTLE, LONG = 0.8, 2.0  # share of frames in which the subject must be seen; seconds that it may be gone
RIVALS = 0.2  # share of the frames that may show a second subject
BLANK = 0.1  # share of the frames that may show nothing
SURE, UNSURE = 0.6, 0.35  # mean confidence


def verdict(track: Track) -> str:
    """In plain words whether a track looks usable."""
    confidence, faults = float(track.confidence.mean()), []
    if not np.isfinite(track.keypoints).all():
        return "not usable: some keypoints are no numbers"
    if track.seen is not None and track.seen.mean() < LITTLE:
        faults.append(f"the subject was found in {track.seen.mean():.0%} of the frames only")
    if track.seen is not None and track.longest_gap / track.rate > LONG:
        faults.append(f"it was gone for {track.longest_gap / track.rate:.1f} s")
    if track.blank > BLANK:
        faults.append(f"{track.blank:.0%} of the frames show nothing, or noise")
    if track.second > RIVALS:
        faults.append(f"there is a second subject in {track.second:.0%} of the frames")
    if confidence < UNSURE:
        return "not usable: " + "; ".join([*faults, "most joints are guesses"])
    if confidence < SURE:
        faults.append("many joints are doubtful")
    return "look at the film: " + "; ".join(faults) if faults else "looks usable"
