"""The gateways' promises, judged by what clients were told and what backends executed.

Each checker names what it found against the promise, and nothing where all is well.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from chaos.mesh.plan import FORBIDDEN, LIMIT_BURST, LIMIT_RATE, REGIONS, SHARED_BURST, SHARED_RATE
from chaos.traffic.history import Exchange, History


def mixed(history: History) -> Iterator[str]:
    """No client gets another's answer, on HTTP or on a WebSocket."""
    for one in history.exchanges:
        if one.is_served and one.echoed != one.token:
            yield f"{one.token} in {one.region} was answered with {one.echoed}"
    for echo in history.echoes:
        if echo.got is not None and echo.got.partition(" ")[2] != echo.sent:
            yield f"{echo.socket} said {echo.sent!r} and heard {echo.got!r}"


def executed_twice(history: History) -> Iterator[str]:
    """What may not be repeated is not executed twice, whatever was tried."""
    times = Counter(arrival.token for arrival in history.arrivals if arrival.method == "POST" and arrival.token)
    yield from (f"{token} was executed {count} times" for token, count in times.items() if count > 1)


def executed_nowhere(history: History) -> Iterator[str]:
    """Every answer stands in the log of the very backend that it names."""
    logged = {(arrival.backend, arrival.method, arrival.token) for arrival in history.arrivals}
    for one in history.exchanges:
        if one.is_served and (one.backend, one.method, one.token) not in logged:
            yield f"{one.method} {one.token} was answered by {one.backend}, which has not seen it"


def at_forbidden_region(history: History) -> Iterator[str]:
    """Nothing that is bound to a place is sent elsewhere, and the forbidden region's node never takes it."""
    for arrival in history.arrivals:
        if arrival.path.startswith("/bound/") and arrival.region == FORBIDDEN:
            yield f"{arrival.token} reached {arrival.backend}"
    for one in history.exchanges:
        if one.route == "bound" and one.region == FORBIDDEN and one.is_served:
            yield f"{one.token} was served by the gateway of {FORBIDDEN}"


def after_drain(history: History, drained: Sequence[tuple[str, float, float]]) -> Iterator[str]:
    """`drained`: backends with the span in which their drain was finished. Nothing new arrives there in it."""
    for backend, since, until in drained:
        for arrival in history.arrivals:
            if arrival.backend == backend and since <= arrival.at < until:
                yield f"{arrival.method} {arrival.path} reached {backend} {arrival.at - since:.2f} s after its drain"


def over_limit(history: History, *, within_s: float = math.inf) -> dict[str, int]:
    """By region: most admitted requests of its node above what the limit allows, in a window of at most `within_s`."""
    return {
        region: excess(
            _admitted(history.exchanges, "limited", region), rate=LIMIT_RATE, burst=LIMIT_BURST, within_s=within_s
        )
        for region in REGIONS
    }


def over_shared_limit(history: History, *, within_s: float = math.inf) -> int | None:
    """The same of the limit that all nodes count together; None where there is none."""
    admitted = _admitted(history.exchanges, "shared", *REGIONS)
    return excess(admitted, rate=SHARED_RATE, burst=SHARED_BURST, within_s=within_s) if admitted else None


def _admitted(exchanges: Sequence[Exchange], route: str, *regions: str) -> list[tuple[float, float]]:
    """Each request of a limited route that was let in: a node did it after its begin and before its end."""
    return sorted(
        (one.began, one.ended)
        for one in exchanges
        if one.route == route and one.region in regions and one.status not in {429, None}
    )


def excess(admitted: Sequence[tuple[float, float]], *, rate: float, burst: int, within_s: float = math.inf) -> int:
    """The most that any window of at most `within_s` holds beyond burst + rate * length, in whole requests.

    Only what lies in a window as a whole counts as let in within it: one that was let in before a fault and answered
    after it says nothing about the time of its answer.
    """
    # Starts from the last to the first. A leaf for each end in order; a node knows how many requests of its leaves lie
    # behind the start, and the most that any of its ends has of them, less what the limit allows up to there.
    order = sorted(range(len(admitted)), key=lambda index: admitted[index][1])
    leaves = 1 << len(admitted).bit_length()
    place = {index: place for place, index in enumerate(order)}
    counts, most = [0] * (2 * leaves), [-math.inf] * (2 * leaves)

    def put(at: int, count: int, held: float) -> None:
        node = leaves + at
        counts[node], most[node] = count, held
        while node := node >> 1:
            first, second = 2 * node, 2 * node + 1
            counts[node] = counts[first] + counts[second]
            most[node] = max(most[first], counts[first] + most[second])

    worst, in_reach = 0.0, len(order)
    for index in sorted(range(len(admitted)), key=lambda index: admitted[index][0], reverse=True):
        start, end = admitted[index]
        while in_reach and admitted[order[in_reach - 1]][1] > start + within_s:
            in_reach -= 1
            put(in_reach, 0, -math.inf)  # starts only go back from here
        if place[index] < in_reach:
            put(place[index], 1, 1 - rate * end)
        worst = max(worst, most[1] + rate * start - burst)
    return int(worst)
