"""Which write was that, and who has seen it? Dots and version vectors.

    store    <region>:<id>                 one embedded node, or the nodes that share a PostgreSQL
    origin   <region>:<id>.<incarnation>   one life of that store: a new one after every amnesia
    dot      (origin, seq)                 one write; seq counts from 1 without gaps, per origin and stream
    vector   {origin: seq}                 everything up to those dots

A store that lost its memory would give the same dot to another write, and the mesh would throw that write away as
already seen; hence the incarnation. A vector is exact because what an origin wrote arrives in its order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Final

VersionVector = dict[str, int]
"""Origin to the highest sequence seen; never holds 0."""

Dot = tuple[str, int]

_ORIGIN: Final = re.compile(r"([a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?):([a-z0-9]{4,32})\.([a-z0-9]{4,32})", re.ASCII)
_WORD_BYTES: Final = 5
_WORD_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
MAX_ORIGINS: Final = 4096
"""Of a vector that comes from outside: more stores and lives than a mesh will ever have."""
MAX_ORIGIN: Final = 256
"""Characters: more than a name has, so that nothing longer is remembered."""
MAX_SEQUENCE: Final = (1 << 63) - 1


def origin_name(region: str, store: str, incarnation: str) -> str:
    """The origin's name; `store` and `incarnation` are words of a-z and 0-9, made by chance."""
    name = f"{region}:{store}.{incarnation}"
    if not is_origin(name):
        raise ValueError(f"{name!r}, expected region:store.incarnation")
    return name


def chance_word(chance: Callable[[int], bytes]) -> str:
    """A name by chance, for a store or an incarnation: 40 bits as 8 letters."""
    number = int.from_bytes(chance(_WORD_BYTES), "big")
    return "".join(_WORD_ALPHABET[number >> shift & 31] for shift in range(0, 40, 5))


def next_incarnation(origin: str, chance: Callable[[int], bytes]) -> str:
    """The same store's next life."""
    return f"{store_of(origin)}.{chance_word(chance)}"


def is_origin(name: str) -> bool:
    return len(name) <= MAX_ORIGIN and _is_origin(name)


@lru_cache(MAX_ORIGINS)
def _is_origin(name: str) -> bool:
    return _ORIGIN.fullmatch(name) is not None


def store_of(origin: str) -> str:
    """The member of the mesh that this origin was a life of."""
    return origin.rpartition(".")[0]


def region_of(origin: str) -> str:
    return origin.partition(":")[0]


def covers(vector: Mapping[str, int], origin: str, seq: int) -> bool:
    """Whether the dot has been seen."""
    return vector.get(origin, 0) >= seq


def includes(vector: Mapping[str, int], other: Mapping[str, int]) -> bool:
    """Whether everything in `other` has been seen."""
    return all(vector.get(origin, 0) >= seq for origin, seq in other.items())


def joined(one: Mapping[str, int], other: Mapping[str, int]) -> VersionVector:
    """The least vector that includes both."""
    result = dict(one)
    for origin, seq in other.items():
        if seq > result.get(origin, 0):
            result[origin] = seq
    return result


def missing_ranges(have: Mapping[str, int], received: Mapping[str, int]) -> list[tuple[str, int]]:
    """What `have` lacks of what was received: origins in order, each with the sequence behind which it lacks all."""
    return [(origin, have.get(origin, 0)) for origin, seq in sorted(received.items()) if have.get(origin, 0) < seq]


def meet(vectors: Iterable[Mapping[str, int]]) -> VersionVector:
    """What all have seen: the stable cut, when these are what the members confirmed. Of no vectors: nothing."""
    ordered = list(vectors)
    if not ordered:
        return {}
    first, *others = ordered
    result = {}
    for origin, seq in first.items():
        least = min([seq, *(other.get(origin, 0) for other in others)])
        if least:
            result[origin] = least
    return result


def canonical(vector: Mapping[str, int]) -> tuple[Dot, ...]:
    """The one order in which a vector is written down."""
    return tuple(sorted(vector.items()))


def is_vector(value: object) -> bool:
    """Whether something from outside is a vector: sound names, positive sequences, not too many."""
    if not isinstance(value, dict) or len(value) > MAX_ORIGINS:
        return False
    for name, seq in value.items():
        if type(seq) is not int or not 0 < seq <= MAX_SEQUENCE or not isinstance(name, str) or not is_origin(name):
            return False
    return True
