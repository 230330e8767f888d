"""DeepLabCut's tables, as CSV and as HDF5: predictions or labels, of one animal or of several."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from kp.errors import KpError
from kp.formats.hdf5 import read_table
from kp.formats.poses import PoseFile, number_of
from kp.formats.rows import Rows
from kp.formats.tables import IN_SPACE

HEADS = ("scorer", "individuals", "bodyparts", "coords")
SCENE = "single"  # the "individual" that body parts of the scene belong to
Column = dict[str, str]  # what a column is: scorer, individuals, bodyparts, coords


def read_csv_rows(rows: Rows) -> PoseFile:
    """Three or four header lines (scorer, individuals, bodyparts, coords), then a line for each frame. Labels name
    their pictures in the first columns.
    """
    path = rows.path
    count = next((i for i, row in enumerate(rows.rows) if row.cells[0].lower() not in HEADS), len(rows.rows))
    head = {row.cells[0].lower(): row.cells for row in rows.rows[:count]}
    if "bodyparts" not in head or "coords" not in head or len(head) < count:
        raise KpError(
            f"{path}: begins as DeepLabCut's tables, but has no line 'bodyparts' or 'coords', or two; export it again"
        )
    width = len(head["coords"])
    first = next((i for i, what in enumerate(head["coords"]) if what in ("x", "y", "z", "likelihood")), width)
    if any(len(line) != width for line in head.values()) or first == width:
        raise KpError(f"{path}: its header lines differ in length, or name no x and y; export it again")
    lines = list(rows.below(count))
    second = next((row.line for row in lines if row.cells[0].lower() in HEADS), None)
    if second:
        raise KpError(f"{path}: another table begins in line {second}; put each in a file of its own")
    columns = [{name: cells[i] for name, cells in head.items()} for i in range(first, width)]
    values = [[rows.number(cell, row.line) for cell in row.cells[first:]] for row in lines]
    index = [[cell for cell in row.cells[:first] if cell] for row in lines]
    return _poses(path, columns, np.array(values, float).reshape(len(lines), width - first), index)


def read_hdf5(path: Path) -> PoseFile:
    """The same table, as pandas writes it."""
    return _poses(path, *read_table(path))


def _poses(path: Path, columns: list[Column], values: Float[np.ndarray, "n c"], index: list[list[str]]) -> PoseFile:
    scorers = sorted({column.get("scorer", "") for column in columns})
    if len(scorers) > 1:
        raise KpError(f"{path}: holds poses of several scorers ({', '.join(scorers)}); keep one")
    places: dict[tuple[str, str, str], int] = {}
    for i, column in enumerate(columns):
        place = column.get("individuals", ""), column["bodyparts"], column["coords"]
        if place in places:
            raise KpError(f"{path}: body part '{place[1]}' stands there twice; rename one, or remove it")
        places[place] = i
    if any(what == "z" for _, _, what in places):
        raise KpError(f"{path}: {IN_SPACE}")
    names = {subject: [part for s, part, what in places if s == subject and what == "x"] for subject, _, _ in places}
    groups = {subject: tuple(parts) for subject, parts in names.items()}
    if len(groups) > 1:
        groups.pop(SCENE, None)
    joints = max(groups.values(), key=lambda parts: (list(groups.values()).count(parts), len(parts)))
    subjects = [subject for subject, parts in groups.items() if set(parts) & set(joints)]
    other = sorted({part for parts in names.values() for part in parts} - set(joints))
    columns_of = [
        [[places.get((s, j, what), -1) for what in ("x", "y", "likelihood")] for j in joints] for s in subjects
    ]
    padded = np.concatenate([values, np.full((len(values), 1), np.nan)], 1)  # column -1: what the file does not hold
    poses = padded[:, np.array(columns_of)]  # (n, subjects, k, 3)
    poses = poses.swapaxes(0, 1).reshape(-1, len(joints), 3)
    videos = ["/".join("/".join(row).replace("\\", "/").split("/")[:-1]) if row else "" for row in index]
    left_out = ", ".join(f"'{part}'" for part in other)
    notes = (f"left out {left_out}, which not every individual has",) if other else ()
    notes += (f"{len(subjects)} individuals",) if len(subjects) > 1 else ()
    cameras = np.tile(number_of([video or "one" for video in videos]), len(subjects))
    likely = any(what == "likelihood" for _, _, what in places)
    return PoseFile(
        path, poses[..., :2], joints, scores=poses[..., 2] if likely else None, cameras=cameras, notes=notes
    )
