"""Files that are there whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kp.errors import KpError


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A place to write what becomes ``path`` once the block ends: ``with whole(path) as part: part.write_text(…)``.

    The place is a hidden file beside ``path`` with the same ending, so that libraries which look at endings write the right format.
    If the block fails, nothing stays behind and ``path`` is as it was; the folder is made. A process that is killed leaves at most the
    hidden file, which the next call overwrites. KpError if the file cannot be written.
    """
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, path)
    except OSError as error:
        why = " ".join(str(error.strerror or error).split())  # HDF5 writes the date, and starts a new line
        raise KpError(f"{path}: cannot be written ({why}); choose another place") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
