"""Histories written by hand: one in which all is well, to be broken in one place by each test."""

from __future__ import annotations

from dataclasses import replace

from chaos.mesh.plan import REGIONS
from chaos.traffic.history import (
    Arrival,
    Attempt,
    Claim,
    Discipline,
    Echo,
    Exchange,
    History,
    Kept,
    Note,
    Operation,
    Seen,
    Sight,
)


def exchange(token: str, at: float, *, region: str = "eu-west", route: str = "app", method: str = "GET") -> Exchange:
    """Served at once by the first backend of its region."""
    return Exchange(route, region, method, token, at, at + 0.1, 200, f"{region}-a", token)


def arrival(one: Exchange, *, region: str = "eu-west") -> Arrival:
    """What the backend wrote down of it."""
    backend = one.backend or "nobody"
    return Arrival(one.began, backend, region, f"gw-{one.region}", one.method, f"/{one.route}/{one.token}", one.token)


def write(
    op_id: str,
    key: str,
    *,
    discipline: Discipline = "heap",
    place: int = 0,
    collection: str = "notes",
    value: str | None = "",
    at: float = 10.0,
    region: str = "eu-west",
    vector: dict[str, int] | None = None,
) -> Operation:
    """Acknowledged at its first try. Its value is its id unless something else is said."""
    said = op_id if value == "" else value
    one = Operation(op_id, collection, key, said, discipline, place, [Attempt(region, at, at + 0.1, 201)])
    one.acknowledged_at = at + 0.1
    one.vector = vector or {}
    return one


def holds(history: History, collection: str, key: str, *values: str | None, regions: tuple[str, ...] = REGIONS) -> None:
    """Let regions hold these values of a key in the end."""
    kept = Kept(values, tuple(f"{number}@o" for number, _ in enumerate(values, start=1)))
    for region in regions:
        history.final.setdefault(region, {}).setdefault(collection, {})[key] = kept


def well(requests: int = 60) -> History:
    """Half a minute in which nothing went wrong: fault from 10 s to 20 s."""
    history = History()
    for number in range(requests):
        region = REGIONS[number % 3]
        one = exchange(
            f"t{number}", 5 + number * 20 / requests, region=region, method="POST" if number % 7 == 0 else "GET"
        )
        history.exchanges.append(one)
        history.arrivals.append(arrival(one, region=region))
    for number in range(4):
        kept = replace(exchange(f"v{number}", 8.0 + number, route="kept"), client="v")
        history.exchanges.append(kept)
        history.arrivals.append(arrival(kept))
    history.operations += [write("a:1", "heap/1"), write("b:1", "heap/1", region="us-east")]
    holds(history, "notes", "heap/1", "a:1", "b:1")
    first = write("c:1", "chain/1", discipline="chain", place=1)
    second = write("c:2", "chain/1", discipline="chain", place=2, at=12.0)
    history.operations += [first, second]
    holds(history, "notes", "chain/1", "c:2")
    history.reads.append(Seen("c", "us-east", "notes", "chain/1", 12.5, 200, "c:2", 2))
    loser = write("d:1", "race/1", discipline="race", collection="settings", vector={"o": 1})
    winner = write("e:1", "race/1", discipline="race", collection="settings", at=11.0, vector={"p": 1})
    history.operations += [loser, winner]
    holds(history, "settings", "race/1", "e:1")
    history.losers = {"eu-west": {"race/1": {"d:1"}}}
    history.echoes.append(Echo("eu-west", "s", "s 1", "eu-west-a s 1", 9.0, 9.1))
    history.sights.append(Sight("eu-west", "us-east", 10.1, 0.2))
    history.claims += [Claim(8.9, 9.0, "gw-eu-west", 1), Claim(9.4, 9.5, "gw-us-east", None)]
    history.notes += [Note(10.0, "a fault", "fault"), Note(20.0, "healed", "healed")]
    history.searched_files = 3
    return history
