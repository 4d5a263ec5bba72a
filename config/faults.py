"""What the models refused, in words and with the place where it stands.

Pydantic names a fault by a type and a location in the data; this turns each into one `Problem`: the position of the
value, of the key where the key is the fault, of the mapping around it where something is missing. Faults of several
alternatives of one value are one problem, not one each.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails

from config.document import Data, Document
from config.keys import description_at, holds_secret, keys_at
from config.models.model import Refusal
from config.problems import KeyPath, Problem, problem
from config.units import Refused, shown


@dataclass(frozen=True, slots=True)
class Fault:
    """One refusal, with the path that the file would use."""

    path: KeyPath
    found: str
    expected: str
    is_key: bool = False
    """The key is the fault, not its value."""


def problems(refused: Iterable[Fault], document: Document) -> Iterator[Problem]:
    for fault in refused:
        place = document.key_place(fault.path) if fault.is_key else document.place(fault.path)
        yield problem(place, fault.path, fault.found, fault.expected)


def faults(errors: Iterable[ErrorDetails], document: Document) -> list[Fault]:
    """One a path; what was said of a whole value goes when something more exact is said of a part of it."""
    found: dict[KeyPath, Fault] = {}
    for error in errors:
        fault = _fault(error, document)
        known = found.get(fault.path)
        if known is not None and fault.expected not in known.expected:
            fault = Fault(fault.path, known.found, f"{known.expected}, or {fault.expected}", known.is_key)
        elif known is not None:
            fault = known
        found[fault.path] = fault
    return [fault for fault in found.values() if not any(_is_inside(other, fault.path) for other in found)]


def nearest(name: str, known: Sequence[str]) -> str | None:
    """The known name that was probably meant."""
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    return close[0] if close else None


def one_of(known: Sequence[str], found: str) -> str:
    """What was expected where one of some names must stand: the nearest, or all of them."""
    meant = nearest(found, known)
    if meant is not None:
        return meant
    if not known:
        return "no key here"
    return known[0] if len(known) == 1 else f"one of {', '.join(known)}"


def _is_inside(path: KeyPath, around: KeyPath) -> bool:
    return len(path) > len(around) and path[: len(around)] == around


def _fault(error: ErrorDetails, document: Document) -> Fault:
    kind = error["type"]
    path, value = _in_file(error["loc"], document.root, is_key_last=kind in {"missing", "extra_forbidden"})
    context = error.get("ctx", {})
    cause = context.get("error")
    is_key = bool(error["loc"]) and error["loc"][-1] == "[key]"
    if isinstance(cause, Refused):
        at = cause.at if isinstance(cause, Refusal) else ()
        return Fault((*path, *at), f"the key {cause.found}" if is_key else cause.found, cause.expected, is_key)
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        path = (*path, str(context.get("discriminator", "kind")).strip("'"))
    if kind == "extra_forbidden":
        fault = Fault(path, "an unknown key", one_of(keys_at(path[:-1], document.root), str(path[-1])), is_key=True)
    elif kind in {"missing", "union_tag_not_found"}:
        fault = Fault(path, "nothing", _required(path, document.root))
    elif kind == "union_tag_invalid":
        fault = Fault(
            path, shown(context.get("tag")), f"one of {str(context.get('expected_tags')).replace(chr(39), '')}"
        )
    elif is_key:
        fault = Fault(path, f"the key {shown(error['input'])}", _expected(error), is_key=True)
    elif holds_secret(path, document.root) and not isinstance(value, dict | None):
        fault = Fault(path, "a literal value", _expected(error))
    else:
        fault = Fault(path, shown(value), _expected(error))
    return fault


def _in_file(loc: Sequence[str | int], data: Data, *, is_key_last: bool) -> tuple[KeyPath, Data]:
    """Pydantic's location without the names of alternatives that it puts between the keys, and what stands there."""
    path: list[str | int] = []
    for position, part in enumerate(loc):
        is_known, below = _child(data, part)
        if is_known:
            data = below
        elif is_key_last and position == len(loc) - 1:
            data = None
        else:
            continue
        path.append(part)
    return tuple(path), data


def _child(data: Data, part: str | int) -> tuple[bool, Data]:
    if isinstance(data, dict) and isinstance(part, str) and part in data:
        return True, data[part]
    if isinstance(data, list) and isinstance(part, int) and part < len(data):
        return True, data[part]
    return False, None


def _required(path: KeyPath, data: Data) -> str:
    description = description_at(path, data)
    if description is None:
        return f"a value for {path[-1]}, which is required"
    first = description.split("\n", 1)[0].rstrip(".")
    return f"a value for {path[-1]}, which is required ({first[0].lower()}{first[1:]})"


def _number(bound: float) -> str:
    return str(int(bound)) if bound == int(bound) else str(bound)


_EXPECTED: dict[str, str | Callable[[dict[str, Any]], str]] = {
    "literal_error": lambda context: _choice(context["expected"]),
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number that is finite",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "date_type": "a date such as 2027-06-01",
    "date_parsing": "a date such as 2027-06-01",
    "date_from_datetime_parsing": "a date such as 2027-06-01",
    "date_from_datetime_inexact": "a date without a time, such as 2027-06-01",
    "greater_than": lambda context: f"more than {_number(context['gt'])}",
    "greater_than_equal": lambda context: f"at least {_number(context['ge'])}",
    "less_than": lambda context: f"less than {_number(context['lt'])}",
    "less_than_equal": lambda context: f"at most {_number(context['le'])}",
    "string_too_short": lambda context: f"at least {context['min_length']} characters",
    "string_too_long": lambda context: f"at most {context['max_length']} characters",
    "too_short": lambda context: f"at least {context['min_length']} in the list",
    "too_long": lambda context: f"at most {context['max_length']} in the list",
}


def _expected(error: ErrorDetails) -> str:
    words = _EXPECTED.get(error["type"])
    if words is None:
        message = error["msg"]
        return message[0].lower() + message[1:]
    return words if isinstance(words, str) else words(error.get("ctx", {}))


def _choice(alternatives: str) -> str:
    """Pydantic's "'a', 'b' or 'c'", without the quotes that YAML does not need."""
    plain = alternatives.replace("'", "")
    return plain if " or " not in plain else f"one of {plain.replace(' or ', ', ')}"
