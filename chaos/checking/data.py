"""The data's promises, named as the design names them. Pure: a history in, what was found against it out.

C1 lost            an acknowledged write stands, or was replaced by one that knew it, or is a recorded loser
C2 phantoms        every value that is read or stands was written by somebody
C3 divergence      after the quiesce all regions that may hold a collection hold the same
C5 C6 sessions     with its session a client never finds less than it has written or read; deletes stay deleted
C7 repeated        an operation that was sent to two regions is one version
C8 leaks           what may not be kept in a region is not there: not acknowledged by it, not in any of its files
C10 forgotten      what was acknowledged is there when its store was killed the moment after
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from chaos.mesh.plan import COLLECTIONS, FORBIDDEN, HOME
from chaos.traffic.history import History, Kept, Operation, Seen, Survival

EMPTY = Kept((), ())


def lost(history: History) -> Iterator[str]:
    """C1."""
    by_key: dict[tuple[str, str], list[Operation]] = defaultdict(list)
    for one in history.operations:
        by_key[one.collection, one.key].append(one)
    for one in history.acknowledged():
        for region in COLLECTIONS[one.collection]:
            kept = history.final.get(region, {}).get(one.collection, {}).get(one.key, EMPTY)
            if not _is_accounted_for(one, by_key[one.collection, one.key], kept, history, region):
                where = f"{one.collection}/{one.key} in {region}"
                yield f"{one.op_id} ({one.discipline}) is not in {where}, which holds {list(kept.values)}"


def _is_accounted_for(one: Operation, same_key: list[Operation], kept: Kept, history: History, region: str) -> bool:
    if one.value in kept.values:
        return True
    if one.discipline == "heap":
        return False
    if one.discipline == "chain":
        later = [other for other in same_key if other.place > one.place]
        is_gone = one.value is None and not kept.values  # a delete that everybody has seen may be forgotten
        return is_gone or any(other.value in kept.values for other in later) or _ends_in_delete(later, kept)
    losers = set().union(*(by_key.get(one.key, set()) for by_key in history.losers.values()))
    return one.value in losers or _is_superseded(one, same_key, kept)


def _ends_in_delete(later: list[Operation], kept: Kept) -> bool:
    return not kept.values and any(other.value is None and other.attempts for other in later)


def _is_superseded(one: Operation, same_key: list[Operation], kept: Kept) -> bool:
    """A write in whose store it stood replaced it: that one's answer says that it had been seen.

    Of a write that was sent more than once, or beside one that nobody answered, the order is known less well: then it
    is enough that the region has seen it and another write came after it began.
    """
    others = [other for other in same_key if other is not one]
    if one.vector and any(other.vector and covers(other.vector, one.vector) for other in others):
        return True
    is_vague = len(one.attempts) > 1 or any(other.acknowledged_at is None for other in others)
    has_been_seen = bool(kept.vector) and covers(kept.vector, one.vector)
    return is_vague and has_been_seen and any(other.attempts and _last(other) > one.began for other in others)


def _last(one: Operation) -> float:
    return one.attempts[-1].ended


def covers(vector: Mapping[str, int], other: Mapping[str, int]) -> bool:
    """Whether all that the other has seen, this one has seen too."""
    return all(vector.get(origin, 0) >= seq for origin, seq in other.items())


def phantoms(history: History) -> Iterator[str]:
    """C2."""
    invoked = {(one.collection, one.key, one.value) for one in history.operations}
    for seen in history.reads:
        if seen.value is not None and (seen.collection, seen.key, seen.value) not in invoked:
            yield f"{seen.client} read {seen.value!r} of {seen.key} in {seen.region}, which nobody wrote"
    for region, collections in history.final.items():
        for collection, keys in collections.items():
            for key, kept in keys.items():
                for value in kept.values:
                    if (collection, key, value) not in invoked:
                        yield f"{region} holds {value!r} of {key}, which nobody wrote"


def divergence(history: History) -> Iterator[str]:
    """C3."""
    for collection, regions in COLLECTIONS.items():
        first, *others = regions
        ours = history.final.get(first, {}).get(collection, {})
        for other in others:
            theirs = history.final.get(other, {}).get(collection, {})
            for key in sorted(ours.keys() | theirs.keys()):
                if _standing(ours.get(key, EMPTY)) != _standing(theirs.get(key, EMPTY)):
                    yield f"{first} and {other} differ on {collection}/{key}"


def _standing(kept: Kept) -> tuple[tuple[str, ...], tuple[str | None, ...]]:
    return kept.versions, kept.values


def chain_places(history: History) -> dict[tuple[str, str, str | None], int]:
    """Of every value of a chain, by collection, key and value."""
    return {(one.collection, one.key, one.value): one.place for one in history.operations if one.discipline == "chain"}


def sessions(history: History) -> Iterator[str]:
    """C5 and C6. A read that is refused because the region is behind is no violation: it is the promise."""
    return backwards(history, history.reads)


def backwards(history: History, reads: Iterable[Seen]) -> Iterator[str]:
    """Reads that found less than was known of their chain."""
    places = chain_places(history)
    deletes: dict[tuple[str, str], list[int]] = defaultdict(list)
    for one in history.operations:
        if one.value is None:
            deletes[one.collection, one.key].append(one.place)
    for seen in reads:
        where = f"{seen.key} in {seen.region}"
        if seen.status == 200:
            place = places.get((seen.collection, seen.key, seen.value), 0)
            if place < seen.expected_place:
                yield f"{seen.client} knew place {seen.expected_place} and found {place} of {where}"
        elif seen.status == 404 and not seen.was_deleted:
            later = [place for place in deletes[seen.collection, seen.key] if place > seen.expected_place]
            if not later:
                yield f"{seen.client} knew place {seen.expected_place} and found nothing of {where}"


def repeated(history: History) -> Iterator[str]:
    """C7."""
    for region, collections in history.final.items():
        for collection, keys in collections.items():
            for key, kept in keys.items():
                times = Counter(value for value in kept.values if value is not None)
                yield from (
                    f"{region} holds {value!r} {count} times in {collection}/{key}"
                    for value, count in times.items()
                    if count > 1
                )


def forgotten(survivals: Sequence[Survival]) -> Iterator[str]:
    """C10."""
    for one in survivals:
        if one.found != one.acknowledged:
            yield f"{one.region} acknowledged {one.key}, was killed, and holds {one.found!r}"


def leaks(history: History) -> Iterator[str]:
    """C8."""
    for one in history.acknowledged():
        if one.collection == "profiles" and any(
            attempt.region not in HOME and attempt.status in {200, 201, 202, 204} for attempt in one.attempts
        ):
            yield f"{one.op_id} was acknowledged in {FORBIDDEN}"
    yield from (f"personal data lies in {path}" for path in history.canaries_found)
