"""Tables as text: rows of cells, and what spreadsheets make of them.

Spreadsheets add a byte-order mark, separate by semicolons or tabs, write decimal commas, and NA for what is missing.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kp.errors import KpError

CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
MISSING = {"", "na", "n/a", "#n/a", "nan", "null", "none", "-"}


@dataclass(frozen=True)
class Row:
    """The cells of a row, stripped, and its line in the file, counted from 1."""

    cells: list[str]
    line: int


@dataclass(frozen=True)
class Rows:
    """The rows of a file that hold anything. ``comma``: whether its numbers may have decimal commas."""

    path: Path
    rows: tuple[Row, ...]
    comma: bool

    def number(self, cell: str, line: int) -> float:
        """The number in a cell, NaN where it says that there is none. KpError names the line."""
        if cell.lower() in MISSING:
            return float("nan")
        try:
            return float(cell.replace(",", ".") if self.comma else cell)
        except ValueError as error:
            raise KpError(
                f"{self.path}: line {line}: '{cell[:40]}' is no number; correct it or leave it empty"
            ) from error

    def below(self, header: int = 1) -> Iterator[Row]:
        """The rows below ``header`` lines, each as long as the first. KpError for a row that is longer or shorter: its
        cells belong to other columns than those above them.
        """
        width = len(self.rows[0].cells)
        for row in self.rows[header:]:
            if len(row.cells) < width or any(row.cells[width:]):
                raise KpError(
                    f"{self.path}: line {row.line} has {len(row.cells)} cells, the first line {width}; give each "
                    "column a name and each line its cells; where numbers have decimal commas, separate by semicolons"
                )
            yield Row(row.cells[:width], row.line)


def read_rows(path: Path) -> Rows:
    """The rows of a table in UTF-8 or UTF-16; commas, semicolons or tabs separate its cells. KpError if it is no text,
    holds control characters, or if quotes are not closed.
    """
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise KpError(f"{path}: is not text in UTF-8 (byte {error.start}); save it as 'CSV UTF-8'") from error
    if control := CONTROL.search(text):
        line = text.count("\n", 0, control.start()) + 1
        raise KpError(f"{path}: line {line} holds a control character, which no table has; copy it again")
    first = text.lstrip().split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=None), delimiter=separator, strict=True)
    rows = []
    try:
        for cells in reader:
            if any("\n" in cell for cell in cells):
                raise KpError(f"{path}: line {reader.line_num} ends a quote that began in another line; close it there")
            rows.append(Row([cell.strip() for cell in cells], reader.line_num))
    except csv.Error as error:
        raise KpError(f"{path}: line {reader.line_num}: not a table ({error}); save it again as CSV") from error
    return Rows(path, tuple(row for row in rows if any(row.cells)), separator != ",")


def find_columns(rows: Rows) -> dict[str, int]:
    """Name of a column, in lower case → its place. KpError if a name stands there twice."""
    header = [name.lower() for name in rows.rows[0].cells] if rows.rows else []
    twice = next((name for name in header if name and header.count(name) > 1), None)
    if twice:
        raise KpError(f"{rows.path}: column '{twice}' stands there twice; remove one")
    return {name: i for i, name in enumerate(header) if name}


def first_of(places: dict[str, int], names: Sequence[str]) -> int | None:
    """The place of the first of ``names`` that a table has."""
    return next((places[name] for name in names if name in places), None)
