"""Tables of poses as text: kp's own CSV, wide tables, and what spreadsheets make of them.

Spreadsheets add a byte-order mark, separate by semicolons or tabs, write decimal commas, and NA for what is missing.
"""

import csv
import re
from pathlib import Path

import numpy as np

from kp.errors import KpError
from kp.formats.poses import PoseFile

MISSING = {"", "na", "n/a", "#n/a", "nan", "null", "none", "-"}
WIDE = re.compile(r"(?i)^(?P<joint>.+)[ ._](?P<what>x|y|z|likelihood|score|confidence|visibility|prob)$")
SCORES = ("likelihood", "score", "confidence", "visibility", "prob")


def read_rows(path: Path) -> tuple[list[list[str]], bool]:
    """(rows of cells without blank lines, whether numbers have decimal commas). KpError if the text is not UTF-8."""
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise KpError(f"{path}: is not text in UTF-8 (byte {error.start}); save it as 'CSV UTF-8'") from error
    first = text.lstrip().split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines(), delimiter=separator)]
    except csv.Error as error:
        raise KpError(f"{path}: not a table ({error}); save it again as CSV") from error
    return [row for row in rows if any(row)], separator != ","


def number(cell: str, comma: bool, path: Path, line: int) -> float:
    """The number in a cell, NaN where it says that there is none. KpError names the line."""
    if cell.lower() in MISSING:
        return float("nan")
    try:
        return float(cell.replace(",", ".") if comma else cell)
    except ValueError as error:
        raise KpError(f"{path}: line {line}: '{cell[:40]}' is no number; correct it or leave it empty") from error


def read_long(path: Path, rows: list[list[str]], comma: bool) -> PoseFile:
    """kp's own table: a line a joint and frame, with the columns frame, joint, x, y and, if there is one,
    confidence.
    """
    places = {name.lower(): i for i, name in enumerate(rows[0])}
    frame, joint, x, y = (places[name] for name in ("frame", "joint", "x", "y"))
    sure = next((places[name] for name in SCORES if name in places), None)
    for line, row in enumerate(rows[1:], 2):
        if len(row) < len(rows[0]):
            raise KpError(f"{path}: line {line} has {len(row)} cells, the first one {len(rows[0])}; write it again")
    joints = tuple(dict.fromkeys(row[joint] for row in rows[1:]))
    frames = {f: i for i, f in enumerate(dict.fromkeys(row[frame] for row in rows[1:]))}
    column = {name: i for i, name in enumerate(joints)}
    values = np.full((len(frames), len(joints), 3), np.nan)
    seen = set()
    for line, row in enumerate(rows[1:], 2):
        place = frames[row[frame]], column[row[joint]]
        if place in seen:
            raise KpError(
                f"{path}: line {line} is the second for joint '{row[joint]}' of frame {row[frame]}; one subject a file"
            )
        seen.add(place)
        cells = (row[x], row[y], row[sure] if sure is not None else "")
        values[place] = [number(cell, comma, path, line) for cell in cells]
    return PoseFile(path, values[..., :2], joints, scores=values[..., 2] if sure is not None else None)


def read_wide(path: Path, rows: list[list[str]], comma: bool) -> PoseFile | None:
    """A table with a line a frame and columns such as nose_x, nose_y, nose_likelihood; None if it is no such table."""
    columns: dict[str, dict[str, int]] = {}
    for i, name in enumerate(rows[0]):
        if match := WIDE.match(name):
            what = "score" if match["what"].lower() in SCORES else match["what"].lower()
            if what in columns.setdefault(match["joint"], {}):
                raise KpError(f"{path}: column '{name}' stands there twice; remove one")
            columns[match["joint"]][what] = i
    joints = tuple(joint for joint, places in columns.items() if {"x", "y"} <= set(places))
    if len(joints) < 2:
        return None
    if any("z" in columns[joint] for joint in joints):
        raise KpError(f"{path}: holds points in space (x, y, z); kp takes poses as a camera sees them: give x and y")
    values = np.full((len(rows) - 1, len(joints), 3), np.nan)
    for t, row in enumerate(rows[1:]):
        for k, joint in enumerate(joints):
            for what, i in columns[joint].items():
                values[t, k, "xyscore".index(what[0])] = number(row[i] if i < len(row) else "", comma, path, t + 2)
    return PoseFile(path, values[..., :2], joints, scores=values[..., 2])
