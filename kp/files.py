"""Files: written whole or not at all, compared with their checksums, read without executing anything."""

import errno
import hashlib
import os
import shutil
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

import numpy as np
from filelock import FileLock, Timeout

from kp.errors import KpError

LARGEST = 1_000_000_000  # bytes that an archive may take once it is unpacked


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A place to write what becomes ``path`` once the block ends: ``with atomic_write(path) as part:
    part.write_text(…)``.

    The place is a hidden file beside ``path`` with the same ending, so that libraries which look at endings write the
    right format. It is flushed to disk and then renamed: ``path`` is the old file or the new one, never a part. If the
    block fails, nothing stays behind; the folder is made. A process that is killed leaves at most the hidden file,
    which the next call overwrites. KpError if the file cannot be written.
    """
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with open(part, "rb") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        why = " ".join(str(error.strerror or error).split())  # HDF5 writes the date, and starts a new line
        cure = "free some space" if error.errno == errno.ENOSPC else "choose another place"
        raise KpError(f"{path}: cannot be written ({why}); {cure}") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Be the only process that works in a folder, until the block ends or the process dies. The folder is made, and
    goes again if nothing came into it.

    KpError if another one does: it says which, and since when. A process that has the folder may ask again.
    """
    place = out.resolve()
    if place in _held:
        yield
        return
    made = not out.exists()
    make_folder(out)
    lock, note = FileLock(out / ".lock"), out / ".process"
    try:
        lock.acquire(timeout=0)
        note.write_text(f"process {os.getpid()} (since {time.strftime('%Y-%m-%d %H:%M:%S')})")
    except Timeout as error:
        holder = note.read_text() if note.is_file() else "another process"
        raise KpError(f"{out}: {holder} works in it; wait for its end, or choose another --out") from error
    except OSError as error:
        lock.release()
        raise KpError(f"{out}: cannot be written ({error.strerror}); choose another folder with --out") from error
    _held.add(place)
    try:
        yield
    finally:
        with suppress(OSError):
            note.unlink(missing_ok=True)
            (out / ".lock").unlink(missing_ok=True)
        _held.discard(place)
        lock.release()
        with suppress(OSError):  # a folder that holds anything stays
            if made:
                out.rmdir()


_held: set[Path] = set()


def make_folder(path: Path) -> None:
    """Make a folder for results if there is none. KpError if that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KpError(f"{path}: cannot be written ({error.strerror}); choose another folder with --out") from error


@contextmanager
def atomic_folder(out: Path) -> Iterator[Path]:
    """A folder to fill, which becomes ``out`` once the block ends; until then it is <out>.part, which the next call
    empties.

    KpError if ``out`` holds files already, or cannot be written.
    """
    if out.resolve() == Path.cwd():
        raise KpError(f"{out}: is the folder that you are in; choose another folder")
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise KpError(f"{out}: is in use already; delete it or choose another folder")
    part = out.with_name(out.name + ".part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        yield part
        if out.is_dir():
            out.rmdir()
        part.rename(out)
    except OSError as error:
        raise KpError(f"{out}: cannot be written ({error.strerror}); choose another folder") from error


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify_checksums(root: Path) -> int:
    """Compare every file listed in ``root``/SHA256SUMS; returns how many. KpError names the first that differs."""
    listing = root / "SHA256SUMS"
    if not listing.is_file():
        raise KpError(
            f"{listing}: no such file; restore the folder with 'git checkout {root}' or rebuild it with 'make data'"
        )
    named = read_checksums(listing)
    for name, digest in named.items():
        path = root / name
        if not path.is_file():
            raise KpError(
                f"{path}: missing; restore it with 'git checkout {path}' or rebuild the data with 'make data'"
            )
        if sha256(path) != digest:
            raise KpError(f"{path}: differs from its checksum; restore it with 'git checkout {path}'")
    folders = {(root / name).parent for name in named}
    found = {path for folder in folders for path in folder.iterdir() if path.is_file() and path.name[0] != "."}
    if stranger := min(found - {root / name for name in named} - {listing}, default=None):
        raise KpError(f"{stranger}: is none of the files in {listing}; move it elsewhere")
    return len(named)


def read_checksums(listing: Path) -> dict[str, str]:
    """Name of a file below the list's folder → its SHA-256. KpError for a list that is empty, or that names files
    elsewhere.
    """
    cure = f"restore it with 'git checkout {listing}'"
    try:
        lines = listing.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise KpError(f"{listing}: is not text in UTF-8; {cure}") from error
    named = {}
    for line in lines:
        digest, two_spaces, name = line.partition("  ")
        if not two_spaces:
            raise KpError(f"{listing}: '{line[:80]}' is not '<sha256>  <file>'; {cure}")
        if not is_below(name):
            raise KpError(f"{listing}: names '{name}', which lies outside of its folder; {cure}")
        named[name] = digest
    if not named:
        raise KpError(f"{listing}: names no file; {cure}")
    return named


def is_below(name: str) -> bool:
    """Whether a name from a file stays below the folder that it is meant for."""
    path = PurePosixPath(name.replace("\\", "/"))
    return bool(name) and not path.is_absolute() and ".." not in path.parts and ":" not in name


def read_npz(path: Path, fields: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Named arrays of an .npz file, ``optional`` ones if they are there; KpError if it is missing, damaged or lacks a
    field.
    """
    if not path.is_file():
        raise KpError(f"{path}: no such file; check the path, or rebuild the data with 'make data'")
    try:
        with zipfile.ZipFile(path) as parts:
            size = sum(part.file_size for part in parts.infolist())
        if size > LARGEST:
            raise KpError(f"{path}: takes {size / 1e9:.1f} GB once it is unpacked; kp reads {LARGEST / 1e9:.0f} GB")
        with np.load(path) as file:
            return {field: file[field] for field in (*fields, *(f for f in optional if f in file.files))}
    except KeyError as error:
        raise KpError(f"{path}: has no array {error.args[0]!r}; expected: {', '.join(fields)}") from error
    except (
        OSError,
        ValueError,
        TypeError,
        EOFError,
        RuntimeError,
        MemoryError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        why = " ".join(str(error).split())[:200]
        raise KpError(f"{path}: not a readable .npz file ({why}); copy or make it again") from error
