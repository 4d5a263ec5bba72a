"""What must hold in the end, by what servers did, what gateways tried, and what clients were told.

All of the checks of data (tests/simulation/checkers.py) hold for whole regions too. Beyond them:

    bound       nothing bound to regions was tried or executed elsewhere, or through a gateway that may not hold it
    once        what may not be repeated was executed once at most
    answered    who was told that it is done, for them it was done
    drains      what a node had said is drained got nothing from that node any more
    order       a primary's acknowledgements come in the order of its epochs
    session     a session's request goes only where its region's store has what it has seen
    stays       a session that sticks stays with its server, or there is a reason
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.simulation import checkers
from tests.simulation.regions.configured import BOUND

if TYPE_CHECKING:
    from tests.simulation.regions.world import World

HEARD_AGAIN_S = 6.0
MOST = 5
"""Of one kind that are told."""


def violations(world: World) -> list[str]:
    """Everything that any check found."""
    found = checkers.violations(world.mesh, world.history)
    for check in (bound, once, answered, drains, order, session, stays):
        found += [f"{check.__name__}: {one}" for one in list(check(world))[:MOST]]
    return found


def bound(world: World) -> Iterator[str]:
    for one in world.around.attempted:
        if one.route == "me" and one.region not in BOUND:
            yield f"{one.gateway} sent {one.token} to {one.endpoint}"
        if one.route == "me" and one.gateway not in BOUND:
            yield f"{one.gateway} forwarded {one.token}, whose data it may not hold"
    for done in world.around.backends.executed:
        service, region, _ = done.endpoint.split("/")
        if service == "me" and region not in BOUND:
            yield f"{done.endpoint} executed {done.token}"


def once(world: World) -> Iterator[str]:
    counted = Counter(done.token for done in world.around.backends.executed)
    for token, count in counted.items():
        if count > 1 and world.history.methods[token] == "POST":
            yield f"{token} was executed {count} times"


def answered(world: World) -> Iterator[str]:
    executed = {(done.token, done.endpoint) for done in world.around.backends.executed}
    for token, endpoint in world.history.answered.items():
        if (token, endpoint) not in executed:
            yield f"{token} was answered for {endpoint}, which did not execute it"


def drains(world: World) -> Iterator[str]:
    spans = world.books.spans()
    for one in world.around.attempted:
        for gateway, life, endpoint, since, until in spans:
            if (one.gateway, one.life, one.endpoint) == (gateway, life, endpoint) and since < one.at < until:
                yield f"{gateway} sent {one.token} to {endpoint} at {one.at:.3f}, drained there since {since:.3f}"


def order(world: World) -> Iterator[str]:
    latest: dict[str, tuple[int, float]] = {}
    for one in world.around.acknowledged:
        epoch, at = latest.get(one.stream, (0, 0.0))
        if one.epoch < epoch:
            yield (
                f"{one.dot} of {one.stream} was acknowledged in epoch {one.epoch} at {one.at:.3f}, after one of epoch "
                f"{epoch} at {at:.3f}"
            )
        latest[one.stream] = max((epoch, at), (one.epoch, one.at))


def session(world: World) -> Iterator[str]:
    for done in world.around.backends.executed:
        if not done.applied or _went_back(world, done.endpoint.split("/")[1], done.at):
            continue
        for origin, seq in world.history.demanded.get(done.token, {}).items():
            if done.applied.get(origin, 0) < seq:
                yield f"{done.gateway} sent {done.token} to {done.endpoint}, which lacked {seq} of {origin}"


def stays(world: World) -> Iterator[str]:
    yield from world.history.unstuck


def _went_back(world: World, region: str, at: float) -> bool:
    """Until the others have heard of its new life, they take a store that was restored for what it was before."""
    return any(since <= at < since + HEARD_AGAIN_S for since in world.restored_at.get(region, ()))
