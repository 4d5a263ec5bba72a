"""Who looks on: reads what others write, in one region, without a session: nothing but the data's own order helps it.

Another region's chain arrives here link by link. Each replaces the one before, so what was seen once is never behind
what is seen later, and no link stands beside one that its writer had read.
"""

from __future__ import annotations

import asyncio

from chaos.mesh.plan import PUBLIC, client_side
from chaos.traffic.history import Operation, Seen
from chaos.traffic.pace import stopped_within
from chaos.traffic.sending import send, values_of
from chaos.traffic.writers import Clients

EVERY_S = 0.15
COLLECTION = "notes"


async def onlook(clients: Clients, stopping: asyncio.Event) -> None:
    """At the chain that a client of another region is writing."""
    places: dict[str, int] = {}
    """The furthest that was seen, by key."""
    gone: set[str] = set()
    client = f"{clients.run}-{clients.region}-onlooker"
    while not await stopped_within(stopping, EVERY_S):
        key = _latest(clients)
        if key is None:
            continue
        began = clients.clock()
        url = f"http://{client_side(clients.region)}:{PUBLIC}/data/v1/{COLLECTION}/{key}"
        got = await send(clients.session, "GET", url)
        value = got.body.decode(errors="replace") if got.status == 200 else None
        seen = Seen(
            *(client, clients.region, COLLECTION, key, began, got.status, value, places.get(key, 0)),
            was_deleted=key in gone,
            beside=values_of(got),
        )
        clients.history.glances.append(seen)
        if got.status == 404 and key in places:
            gone.add(key)
            places[key] = place_of_delete(clients.history.operations, key, after=places[key])
        elif got.status == 200:
            gone.discard(key)
            places[key] = max(places.get(key, 0), place_of(clients.history.operations, key, value))


def _latest(clients: Clients) -> str | None:
    """The key that another region's client wrote to last."""
    others = f"{clients.run}-{clients.region}-chain-"
    for one in reversed(clients.history.operations):
        is_chain = one.discipline == "chain" and one.collection == COLLECTION
        if is_chain and not one.op_id.startswith(others):
            return one.key
    return None


def place_of_delete(operations: list[Operation], key: str, *, after: int) -> int:
    """Of the first delete that can be why nothing is there; nobody sees which one it was."""
    deletes = [one.place for one in operations if one.key == key and one.value is None and one.place >= after]
    return min(deletes, default=after)


def place_of(operations: list[Operation], key: str, value: str | None) -> int:
    """Of a value in its chain; 0 of what nobody wrote."""
    return next((one.place for one in operations if one.key == key and one.value == value), 0)
