"""Libraries that kp can do without until someone asks for what they do."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from kp.errors import KpError


def library(name: str, extra: str, path: Path) -> ModuleType:
    """Import ``name``; KpError, about the file ``path`` that needs it, says which extra of kp brings it."""
    try:
        return import_module(name)
    except ImportError as error:
        raise KpError(f"{path}: needs the library {name}; install it with: pip install -e '.[{extra}]'") from error
