"""Tables of poses as text: a line for each joint, as kp writes them, or a line for each pose."""

import re

import numpy as np
from jaxtyping import Bool, Float

from kp.errors import KpError
from kp.formats.poses import PoseFile, check_size, number_of
from kp.formats.rows import MISSING, Row, Rows, find_columns, first_of

SCORES = ("likelihood", "score", "confidence", "conf", "probability", "prob", "certainty", "visibility", "p", "c", "v")
FILMS = ("video", "film", "movie", "camera", "cam", "view", "file", "filename", "video_name", "session")
SUBJECTS = (
    "individual", "individuals", "animal", "animal_id", "subject", "person", "person_id", "track", "track_id",
    "instance", "id", "identity",
)  # fmt: skip
OTHERS = {"", "frame", "frame_idx", "frame_number", "index", "time", "seconds", "timestamp", "seen", "scorer"}
WIDE = re.compile(rf"(?i)^(?P<joint>.+)[ ._-](?P<what>x|y|z|{'|'.join(SCORES)})$")
IN_SPACE = "holds points in space (x, y, z); kp takes poses as a camera sees them: give x and y"


def is_long(names: list[str]) -> bool:
    """Whether a table's first line, in lower case, is that of a table with a line for each joint."""
    return {"frame", "joint", "x", "y"} <= set(names)


def read_long(rows: Rows) -> PoseFile:
    """kp's own table, a line for each joint of a frame, with the columns frame, joint, x, y and, if there are any, one
    with scores. Columns that name a film or a subject tell poses apart.
    """
    places = find_columns(rows)
    if "z" in places:
        raise KpError(f"{rows.path}: {IN_SPACE}")
    joint, x, y = (places[name] for name in ("joint", "x", "y"))
    sure, film, subject = (first_of(places, names) for names in (SCORES, FILMS, SUBJECTS))
    table = list(rows.below())
    if subject is not None and len({row.cells[subject] for row in table}) == len(table):
        subject = None  # numbers of lines

    def pose(row: Row) -> tuple[str, str, str | float]:
        if row.cells[places["frame"]].lower() in MISSING:
            raise KpError(f"{rows.path}: line {row.line} has no frame; write its number, or remove the line")
        cells = [row.cells[i] if i is not None else "" for i in (film, subject)]
        return cells[0], cells[1], _frame(row.cells[places["frame"]])

    keys = [pose(row) for row in table]
    poses = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    joints = tuple(dict.fromkeys(row.cells[joint] for row in table))
    column = {name: i for i, name in enumerate(joints)}
    check_size(rows.path, len(poses), len(joints))
    values = np.full((len(poses), len(joints), 3), np.nan)
    taken = set()
    for key, row in zip(keys, table, strict=True):
        place = poses[key], column[row.cells[joint]]
        if place in taken:
            raise KpError(
                f"{rows.path}: line {row.line} is the second for joint '{row.cells[joint]}' of frame "
                f"{row.cells[places['frame']]}; name subjects in a column 'individual', films in a column 'video'"
            )
        taken.add(place)
        cells = (row.cells[x], row.cells[y], row.cells[sure] if sure is not None else "")
        values[place] = [rows.number(cell, row.line) for cell in cells]
    individuals = len({name for _, name, _ in poses})
    known = {i for i in (joint, x, y, sure, film, subject) if i is not None}
    notes = (f"{individuals} individuals",) if individuals > 1 else ()
    return PoseFile(
        rows.path,
        values[..., :2],
        joints,
        scores=values[..., 2] if sure is not None else None,
        cameras=number_of([film or "one" for film, _, _ in poses]),
        notes=notes + _left_out([name for name, i in places.items() if i not in known]),
    )


def _visible(values: Float[np.ndarray, "n k"]) -> Bool[np.ndarray, "n k"] | None:
    """Where joints are marked, if ``values`` are COCO's visibilities (0, 1 or 2) and no scores; else None."""
    flags = np.isin(values, (0, 1, 2)) | np.isnan(values)
    return values > 0 if flags.all() and (values == 2).any() else None


def _frame(cell: str) -> str | float:
    """A frame's number, so that 7 and 7.0 are one frame; a name stays a name."""
    try:
        return float(cell)
    except ValueError:
        return cell


def read_wide(rows: Rows) -> PoseFile | None:
    """A table with a line for each pose and columns such as nose_x, nose_y, nose_likelihood; None if it is no such
    table. A column that names a film says which poses can be compared in size.
    """
    columns: dict[str, dict[str, int]] = {}
    places, header = find_columns(rows), rows.rows[0].cells
    for i, name in enumerate(header):
        if match := WIDE.match(name):
            what = "score" if match["what"].lower() in SCORES else match["what"].lower()
            if what in columns.setdefault(match["joint"], {}):
                raise KpError(f"{rows.path}: column '{name}' says what another one says; remove one")
            columns[match["joint"]][what] = i
    joints = tuple(joint for joint, cells in columns.items() if {"x", "y"} <= set(cells))
    if len(joints) < 2:
        return None
    if any("z" in columns[joint] for joint in joints):
        raise KpError(f"{rows.path}: {IN_SPACE}")
    table, film = list(rows.below()), first_of(places, FILMS)
    values = np.full((len(table), len(joints), 3), np.nan)
    for t, row in enumerate(table):
        for k, joint in enumerate(joints):
            for what, i in columns[joint].items():
                values[t, k, "xyscore".index(what[0])] = rows.number(row.cells[i], row.line)
    known = {i for joint in joints for i in columns[joint].values()} | {film, first_of(places, SUBJECTS)}
    marked = _visible(values[..., 2])
    return PoseFile(
        rows.path,
        values[..., :2] if marked is None else np.where(marked[..., None], values[..., :2], np.nan),
        joints,
        scores=values[..., 2] if marked is None else None,
        cameras=number_of([row.cells[film] or "one" if film is not None else "one" for row in table]),
        notes=_left_out([name for i, name in enumerate(header) if i not in known]),
    )


def _left_out(names: list[str]) -> tuple[str, ...]:
    """A note about columns that are none of those that kp knows."""
    unknown = [f"'{name}'" for name in names if name.lower() not in OTHERS]
    more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
    return (f"left out the columns {', '.join(unknown[:3])}{more}",) if unknown else ()
