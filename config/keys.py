"""Which keys may stand where? Read from the models themselves, so that there is no second list to forget.

    keys_at(("services", 0), data)  ->  id, endpoints, upstream_tls, ...

Where a value may have several shapes (`stores.state` by its `kind`), what is written decides which of them counts.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from config.descriptions import description_of
from config.document import Data, child
from config.models import Config
from config.models.model import Model
from config.models.values import SecretReference
from config.problems import KeyPath


def types_at(path: KeyPath, data: Data) -> tuple[Any, ...]:
    """The types that a value at this path may have; none if no such path exists."""
    current: tuple[Any, ...] = (Config,)
    for part in path:
        below = [found for one in current for found in _below(one, part)]
        data = child(data, part)
        current = tuple(_fitting([alternative for one in below for alternative in _alternatives(one)], data))
    return current


def keys_at(path: KeyPath, data: Data) -> tuple[str, ...]:
    """The keys that the mapping at this path may have, in the models' order; none where any key may stand."""
    return tuple(dict.fromkeys(key for one in types_at(path, data) if _is_model(one) for key in _fields(one)))


def is_single(path: KeyPath, data: Data) -> bool:
    """Whether a single value belongs here, or nothing does: no list, no mapping."""
    found = types_at(path, data)
    return not any(_is_model(one) or _is_mapping(one) or get_origin(one) is tuple for one in found)


def is_free_mapping(path: KeyPath, data: Data) -> bool:
    """Whether the operator chooses the keys here, as in `tenants`."""
    return any(get_origin(one) is not None and _is_mapping(one) for one in types_at(path, data))


def description_at(path: KeyPath, data: Data) -> str | None:
    """What the field at this path is for."""
    for one in types_at(path[:-1], data):
        if _is_model(one) and path[-1] in _fields(one):
            return description_of(one, _attribute(one, str(path[-1])))
    return None


def holds_secret(path: KeyPath, data: Data) -> bool:
    """Whether references to secrets belong at this path, or right below it in a list."""
    return any(_is_secret(one) for one in types_at(path, data))


def _is_secret(one: Any) -> bool:
    if one is SecretReference:
        return True
    return get_origin(one) is tuple and any(_is_secret(item) for part in get_args(one) for item in _alternatives(part))


def _is_model(one: Any) -> bool:
    return isinstance(one, type) and issubclass(one, Model)


def _is_mapping(one: Any) -> bool:
    origin = get_origin(one)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _fields(model: Any) -> dict[str, Any]:
    return {info.alias or name: info for name, info in model.model_fields.items()}


def _attribute(model: Any, key: str) -> str:
    return next(str(name) for name, info in model.model_fields.items() if (info.alias or name) == key)


def _below(one: Any, part: str | int) -> Iterator[Any]:
    if _is_model(one):
        if part in _fields(one):
            yield _fields(one)[str(part)].annotation
    elif get_origin(one) is tuple and isinstance(part, int):
        yield get_args(one)[0]
    elif _is_mapping(one) and isinstance(part, str):
        yield get_args(one)[1]


def _alternatives(one: Any) -> Iterator[Any]:
    """A union's members, through every layer of annotation."""
    origin = get_origin(one)
    if origin is Annotated:
        yield from _alternatives(get_args(one)[0])
    elif origin is Union or origin is types.UnionType:
        for member in get_args(one):
            yield from _alternatives(member)
    else:
        yield one


def _fitting(found: list[Any], data: Data) -> list[Any]:
    """Of several models that carry a `kind`, the one whose kind is written."""
    kind = data.get("kind") if isinstance(data, dict) else None
    if kind is None:
        return found
    named = [one for one in found if _is_model(one) and kind in _kinds(one)]
    return named or found


def _kinds(model: Any) -> tuple[Any, ...]:
    info = model.model_fields.get("kind")
    return get_args(info.annotation) if info is not None and get_origin(info.annotation) is Literal else ()
