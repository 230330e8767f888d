"""A film is searched once: to look at it, to cut it and to predict in it all need the same boxes."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path

from kp.inference.crops import BoxTrack

MOST = 64  # films whose boxes are kept


def once_a_film(find: Callable[[Path, bool], BoxTrack]) -> Callable[[Path, bool], BoxTrack]:
    """A search (film, whether to show its progress → boxes) that keeps its answers while the process lives.

    A file that was written again since is searched again; so is a folder of pictures, each time.
    """
    kept: dict[tuple[Path, int, int], BoxTrack] = {}

    @wraps(find)
    def search(path: Path, progress: bool = True) -> BoxTrack:
        if not path.is_file():
            return find(path, progress)
        now = path.stat()
        film = path.resolve(), now.st_mtime_ns, now.st_size
        if film not in kept:
            if len(kept) == MOST:
                del kept[next(iter(kept))]
            kept[film] = find(path, progress)
        return kept[film]

    return search
