"""Mistakes that a user can make: one line that names the culprit and the fix."""

from importlib import import_module
from pathlib import Path
from types import ModuleType


class KpError(Exception):
    """Bad input. The message is one line: what is wrong, where, and what to do."""

    def __init__(self, message: str):
        super().__init__(printable(message))


def printable(text: str) -> str:
    """The text on one line; what a terminal would obey instead of showing it is written as in Python: \\n, \\x1b."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def library(name: str, extra: str, path: Path) -> ModuleType:
    """Import ``name``; KpError, about the file ``path`` that needs it, says which extra of kp brings it."""
    try:
        return import_module(name)
    except ImportError as error:
        raise KpError(f"{path}: needs the library {name}; install it with: pip install -e '.[{extra}]'") from error
