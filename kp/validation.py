"""One validation for everything that is read: types, ranges, choices and finiteness, by pydantic."""

import dataclasses
import difflib
import functools
import json
from collections.abc import Iterable
from typing import Annotated, Any, TypeVar, dataclass_transform

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from kp.errors import KpError

Kind = TypeVar("Kind")
Count = Annotated[int, Field(ge=0, le=10**9)]
Number = Annotated[int, Field(ge=1, le=10**9)]
Weight = Annotated[float, Field(ge=0, le=1e6)]
Rate = Annotated[float, Field(ge=0, le=1000)]
Share = Annotated[float, Field(ge=0, le=1)]
Channels = Annotated[int, Field(ge=1, le=1024)]

RULES = ConfigDict(extra="forbid", allow_inf_nan=False, coerce_numbers_to_str=True)
STRANGE = ("unexpected_keyword_argument", "extra_forbidden")  # errors of pydantic: nobody knows the field
NEEDED = {
    "greater_than": "above {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "below {lt:g}",
    "less_than_equal": "at most {le:g}",
    "too_short": "a list of at least {min_length}",
    "too_long": "a list of at most {max_length}",
    "literal_error": "one of {expected}",
    "finite_number": "finite",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "path": "a path",
    "tuple": "a list",
    "dict": "a table of names and values",
    "dataclass": "a table of names and values",
}
"""Error of pydantic, or how its name begins → what the value must be."""


@dataclass_transform(frozen_default=True)
def validated(cls: type[Kind]) -> type[Kind]:
    """A frozen dataclass whose values are checked, and turned into their types, wherever one is made. KpError names the
    field, its value and what it must be.
    """
    checked = dataclass(frozen=True, config=RULES)(cls)
    make = checked.__init__

    @functools.wraps(make)
    def __init__(self, *args: Any, **values: Any) -> None:
        try:
            make(self, *args, **values)
        except ValidationError as error:
            raise KpError(in_words(error, _prefix(checked))) from None

    checked.__init__ = __init__
    return checked


def parse(kind: Any, text: str, source: str) -> Any:
    """The value of a type of ours that a text in JSON holds. KpError, about ``source``, for anything else."""
    try:
        return TypeAdapter(kind).validate_python(json.loads(text))
    except ValidationError as error:
        raise KpError(f"{source}: {in_words(error)}") from None
    except KpError as error:  # of fields that do not go together
        raise KpError(f"{source}: {error}") from None
    except (json.JSONDecodeError, RecursionError) as error:
        place = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise KpError(f"{source}: is not written in JSON{place}; write it again") from None


def check_value(kind: Any, value: Any, name: str) -> Any:
    """The value as one of ``kind``. KpError names it and what it must be."""
    try:
        return TypeAdapter(kind, config=ConfigDict(allow_inf_nan=False)).validate_python(value)
    except ValidationError as error:
        raise KpError(in_words(error, name)) from None


def check_names(given: Iterable[str], known: Iterable[str], what: str) -> None:
    """KpError, with the nearest of those that are ``known``, for a name that is not."""
    known = sorted(known)
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name.lower(), known, 2, 0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(known)}"
            raise KpError(f"no {what} '{name}'; {hint}")


def in_words(error: ValidationError, prefix: str = "") -> str:
    """The first fault that pydantic found: the field, its value, and what it must be."""
    faults = error.errors(include_url=False)
    fault = next((fault for fault in faults if fault["type"] in STRANGE), faults[0])
    field, kind, value = prefix + ".".join(map(str, fault["loc"])), fault["type"], repr(fault["input"])[:40]
    field = field or "the whole"
    if kind in STRANGE:
        return f"has no field '{field}'; this kp does not know it: correct the name, or update kp"
    if kind in ("missing", "missing_argument"):
        return f"'{field}' is missing; add it"
    needed = NEEDED.get(kind) or next((words for begin, words in NEEDED.items() if kind.startswith(f"{begin}_")), None)
    if needed is None:
        return f"{field} is {value}: {fault['msg']}"
    return f"{field} is {value}; it must be {needed.format(**fault.get('ctx', {}))}"


def _prefix(kind: type) -> str:
    """Where a part of the configuration stands in the tree."""
    return (
        "" if any(dataclasses.is_dataclass(f.type) for f in dataclasses.fields(kind)) else f"{kind.__name__.lower()}."
    )
