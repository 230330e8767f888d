"""DeepLabCut's HDF5 tables, read without executing anything in them.

pandas keeps the names of columns as pickles, and its own reader unpickles whatever it finds; here a pickle may hold
text, numbers and lists of them, and nothing that would have to be imported or called. Before anything is read, a file
is looked through for links to other files and for tables that no memory holds.
"""

import io
import pickle
import pickletools
from pathlib import Path

import numpy as np
from jaxtyping import Float

from kp.errors import KpError, library

LARGEST = 100_000_000  # numbers in a table: a day's film of a hundred joints has fewer
MANY = 100_000  # objects in the names of columns


def check_hdf5(path: Path) -> None:
    """KpError if an HDF5 file would read other files (links, external or virtual storage), or holds more numbers than a
    table of poses can. OSError if it is none.
    """
    h5py = library("h5py", "formats", path)
    with h5py.File(path, "r") as file:

        def look(name: str, item: object) -> None:
            if isinstance(item, h5py.Dataset):
                if item.external or item.is_virtual:
                    raise KpError(f"{path}: takes the numbers of '{name}' from another file; export it again as one")
                if item.size and item.size > LARGEST and item.dtype.kind in "fiuc":
                    raise KpError(f"{path}: '{name}' holds {item.size:,} numbers; kp reads tables of up to {LARGEST:,}")

        links: list[tuple[str, object]] = []
        file.visititems_links(lambda *link: links.append(link))
        outside = next((name for name, link in links if isinstance(link, h5py.ExternalLink)), None)
        if outside:
            raise KpError(f"{path}: '{outside}' lies in another file; export it again as one")
        file.visititems(look)


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        raise ValueError(f"it would call {module}.{name}, which kp never does")


def _plain(attribute):
    data = bytes(attribute)
    try:
        sizes = [arg for code, arg, _ in pickletools.genops(data) if isinstance(arg, int) and "PUT" in code.name]
        if max(sizes, default=0) > MANY:
            raise ValueError("the names of its columns ask for too much memory")
        return _PlainUnpickler(io.BytesIO(data)).load()
    except (pickle.UnpicklingError, EOFError, ArithmeticError, MemoryError) as error:
        raise ValueError(f"the names of its columns are damaged: {error}") from error


def read_table(path: Path) -> tuple[list[dict[str, str]], Float[np.ndarray, "n c"], list[list[str]]]:
    """(what each column is: {"scorer": …, "bodyparts": …, "coords": …}, the values, a row per frame, and what names
    each row: for labels the parts of a picture's path, else nothing) of the only table in a file.

    Both of pandas' layouts, "table" and "fixed". KpError if there is not one table of numbers with one kind of column;
    ValueError, OSError or KeyError from damaged files.
    """
    check_hdf5(path)
    with library("h5py", "formats", path).File(path, "r") as file:
        tables = [group for group in file.values() if group.attrs.get("pandas_type") in (b"frame", b"frame_table")]
        if len(tables) != 1:
            raise KpError(f"{path}: holds {len(tables)} tables of pandas; DeepLabCut's files hold one")
        table = tables[0]
        if table.attrs["pandas_type"] == b"frame_table":
            names, columns, values = _plain(table.attrs["info"])[1]["names"], [], []
            for block in sorted(name for name in table["table"].dtype.names if name.startswith("values_block_")):
                columns += _plain(table["table"].attrs[f"{block}_kind"])
                values.append(_numbers(table["table"][block], path))
            pictures = []
        else:
            columns, values = [], []
            for block in (f"block{i}" for i in range(int(table.attrs["nblocks"]))):
                count = int(table.attrs[f"{block}_items_nlevels"])
                levels = [table[f"{block}_items_level{i}"] for i in range(count)]
                names = [bytes(level.attrs["name"]).decode() for level in levels]
                columns += zip(
                    *(level[:][table[f"{block}_items_label{i}"][:]] for i, level in enumerate(levels)), strict=True
                )
                values.append(_numbers(table[f"{block}_values"][:], path))
            pictures = _pictures(table)
    values = np.concatenate(values, 1)

    def text(value):
        if not isinstance(value, bytes | str | int | float):
            raise ValueError("the names of its columns are no text")
        return value.decode() if isinstance(value, bytes) else str(value)

    labels = [dict(zip(names, map(text, column), strict=True)) for column in columns]
    if values.shape[1:] != (len(labels),):
        raise KpError(
            f"{path}: {len(labels)} columns are named, but the table has {values.shape[1:]}; DeepLabCut's hold numbers "
            "only"
        )
    return labels, values, pictures or [[]] * len(values)


def _numbers(values, path: Path) -> Float[np.ndarray, "n c"]:
    """One of the blocks, one for each kind of number, that pandas divides a table into."""
    if values.dtype.kind not in "fiu":
        raise KpError(f"{path}: some of its columns hold {values.dtype} and no numbers; remove them, or export again")
    with np.errstate(invalid="ignore"):  # numbers of a damaged kind become NaN
        return np.asarray(values, float)


def _pictures(table) -> list[list[str]]:
    """The names of a "fixed" table's rows where these are paths, in one column or in three; else nothing."""
    if "axis1" in table:
        levels = [table["axis1"][:]]
    else:
        count = int(table.attrs["axis1_nlevels"])
        levels = [table[f"axis1_level{i}"][:][table[f"axis1_label{i}"][:]] for i in range(count)]
    if any(level.dtype.kind not in "SO" for level in levels):
        return []
    return [
        [part.decode() if isinstance(part, bytes) else str(part) for part in row] for row in zip(*levels, strict=True)
    ]
