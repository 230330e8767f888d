"""Many films at once: where each one's results go, and what to tell about them."""

import os
from collections import Counter
from pathlib import Path

import numpy as np

from kp.errors import KpError
from kp.formats.track import Track
from kp.video import find_videos


def name_results(inputs: list[Path]) -> dict[Path, Path]:
    """Film or picture → the name of its results, without an ending, below the folder for results.

    Folders among the inputs are searched, and keep their sub-folders. Where two names are alike, the folders that
    differ are kept too, and then the endings: cam1/trial.mp4 and cam2/trial.mp4 give cam1/trial and cam2/trial. KpError
    if there is nothing to read.
    """
    names: dict[Path, Path] = {}
    for path in inputs:
        if path.is_dir():
            names |= {film: _below(film, path) for film in find_videos([path])}
        else:
            names[path] = Path(path.stem)
    if not names:
        raise KpError("nothing to predict; name at least one image or video after the run folder")
    for alike in (_with_folders, _with_ending):
        count = Counter(names.values())
        twice = [path for path in names if count[names[path]] > 1]
        names |= {path: alike(path, names[path], twice) for path in twice}
    return names


def _below(film: Path, folder: Path) -> Path:
    """The film's place in the folder; a folder of pictures that was named itself has its own name."""
    return film.relative_to(folder).with_suffix("") if film != folder else Path(folder.resolve().name)


def _with_folders(path: Path, name: Path, others: list[Path]) -> Path:
    top = os.path.commonpath([other.absolute().parent for other in others])
    return path.absolute().relative_to(top).parent / name.name


def _with_ending(path: Path, name: Path, _: list[Path]) -> Path:
    return name.with_name(path.name.replace(".", "_"))


def summary(tracks: dict[Path, Track]) -> list[str]:
    """A table, a line a film: frames, in how many the subject was seen, the longest gap, mean confidence, and whether
    that looks usable.
    """
    rows = [("film", "frames", "seen in", "longest gap", "confidence", "")]
    for path, track in tracks.items():
        seen = "–" if track.seen is None else f"{track.seen.mean():.0%}"
        gap = "–" if track.seen is None else f"{track.longest_gap} frames"
        rows.append((str(path), str(len(track.keypoints)), seen, gap, f"{track.confidence.mean():.2f}", verdict(track)))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


LITTLE, LONG = 0.8, 2.0  # share of frames in which the subject must be seen; seconds that it may be gone
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
    if track.second > 0.2:
        faults.append(f"something else moves in {track.second:.0%} of the frames")
    if confidence < UNSURE:
        return "not usable: " + "; ".join([*faults, "most joints are guesses"])
    if confidence < SURE:
        faults.append("many joints are doubtful")
    return "look at the film: " + "; ".join(faults) if faults else "looks usable"
