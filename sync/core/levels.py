"""How many regions hold a write, how many were asked to, and how far must a read look? The words and their order.

    durability reached    local < one < majority < global      of the regions that may hold the collection
    mode and write level  async, local -> local; hybrid -> one; majority -> majority; sync, global -> global

The stronger of the collection's mode and the write's level wins. `majority` counts permitted regions, this one among
them; `global` is all of them. A region counts once a store of it has confirmed the write durable.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

Durability = Literal["local", "one", "majority", "global"]
WriteLevel = Literal["local", "majority", "global"]
ReadLevel = Literal["local", "regional", "global"]
Mode = Literal["async", "hybrid", "sync"]

_ORDER: Final[tuple[Durability, ...]] = ("local", "one", "majority", "global")
_OF_MODE: Final[dict[Mode, Durability]] = {"async": "local", "hybrid": "one", "sync": "global"}
_ASKED_FOR: Final[dict[tuple[Mode, WriteLevel], Durability]] = {
    (mode, level): max(_OF_MODE[mode], level, key=_ORDER.index) for mode in _OF_MODE for level in get_args(WriteLevel)
}


def asked_for(mode: Mode, level: WriteLevel) -> Durability:
    """What a write has to wait for."""
    return _ASKED_FOR[mode, level]


def regions_needed(wanted: Durability, *, permitted: int) -> int:
    """How many regions, this one among them, must hold a write. Never more than there are, `one` excepted."""
    if wanted == "local":
        return 1
    if wanted == "one":
        return 2
    if wanted == "majority":
        return permitted // 2 + 1
    return max(1, permitted)


def regions_to_ask(permitted: int) -> int:
    """How many regions, this one among them, meet every majority: one of them has what a majority was told to have."""
    return permitted - permitted // 2


def reached(confirmed: int, *, permitted: int) -> Durability:
    """What holds when `confirmed` of `permitted` regions, this one among them, have the write durable."""
    if confirmed >= permitted:
        return "global"
    if confirmed >= permitted // 2 + 1:
        return "majority"
    return "one" if confirmed >= 2 else "local"


def satisfies(what: Durability, wanted: Durability) -> bool:
    return _ORDER.index(what) >= _ORDER.index(wanted)
