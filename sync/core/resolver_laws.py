"""May this function merge concurrent versions? Only one that gives every region the same, whatever arrived first.

    deterministic   f(x) is f(x)
    commutative     f(a, b) is f(b, a)
    associative     f(f(a, b), c) is f(a, f(b, c)) is f(a, b, c)
    idempotent      f(a, a) is f(a) is a, for a that f itself has made

Tried on samples: a proof it is not, but what breaks a law mostly breaks it on small values. A function may refuse a
value by raising; it has to take some of the samples, or its own are asked for.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Final

Resolve = Callable[[Sequence[bytes]], bytes]

SAMPLES: Final = (
    b"a",
    b"b\na",
    b"",
    b"text with words",
    b'{"a":1}',
    b'{"a":2,"b":[1]}',
    b'{"b":[2,1],"c":{"d":null}}',
    b"[1,2]",
    b"[3]",
    b"[]",
    b"1",
    b"2",
)
MAX_SAMPLES: Final = 16
"""Triples of so many are 4,096 calls at most."""
ENOUGH: Final = 2
"""Samples that a function has to take, for the laws to say anything."""


def broken_law(resolve: Resolve, samples: Iterable[bytes] = SAMPLES) -> str | None:
    """A sentence about the first law that does not hold; None when all do."""
    taken = []
    for sample in list(samples)[:MAX_SAMPLES]:
        made = _made(resolve, (sample,))
        if isinstance(made, bytes):
            taken.append(sample)
        elif made is not None:
            return made
    if len(taken) < ENOUGH:
        return f"it takes {len(taken)} of the samples, expected at least {ENOUGH}; give it `SAMPLES` of its own values"
    for law in (_idempotent, _commutative, _associative):
        broken = law(resolve, taken)
        if broken is not None:
            return broken
    return None


def _idempotent(resolve: Resolve, taken: Sequence[bytes]) -> str | None:
    for sample in taken:
        once = _made(resolve, (sample,))
        if not isinstance(once, bytes):
            continue
        if _made(resolve, (sample,)) != once:
            return f"it is not deterministic: twice the same question about {_shown(sample)}, two answers"
        if _made(resolve, (once,)) != once or _made(resolve, (once, once)) != once:
            return f"it is not idempotent: merging {_shown(once)} with itself gives something else"
    return None


def _commutative(resolve: Resolve, taken: Sequence[bytes]) -> str | None:
    for one, other in itertools.combinations(taken, 2):
        if _made(resolve, (one, other)) != _made(resolve, (other, one)):
            return f"it is not commutative: the order of {_shown(one)} and {_shown(other)} makes a difference"
    return None


def _associative(resolve: Resolve, taken: Sequence[bytes]) -> str | None:
    for one, other, third in itertools.permutations(taken, 3):
        whole = _made(resolve, (one, other, third))
        first = _made(resolve, (one, other))
        if not isinstance(first, bytes) or not isinstance(whole, bytes):
            continue
        if _made(resolve, (first, third)) != whole:
            return (
                f"it is not associative: {_shown(one)} and {_shown(other)} merged, then {_shown(third)}, "
                "gives something else than all three at once"
            )
    return None


def _made(resolve: Resolve, siblings: Sequence[bytes]) -> bytes | str | None:
    """What it gives; None where it refuses; a sentence where that is no value."""
    try:
        made = resolve(siblings)
    except Exception:  # noqa: BLE001 - a function of the operator's may raise whatever it likes
        return None
    return made if isinstance(made, bytes) else f"it gives {type(made).__name__}, expected bytes"


def _shown(value: bytes) -> str:
    return repr(value[:40])[1:]
