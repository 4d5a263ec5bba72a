"""The products, in the order in which they take turns, and how a client of each is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from bench.sync.client import Client, Side
from bench.sync.products import postgres, pouchdb, redis, tidegate

CLIENTS: Final[Mapping[str, Callable[[int], Client]]] = {
    "tidegate": tidegate.TidegateClient,
    "postgres": postgres.PostgresClient,
    "redis": redis.RedisClient,
    "pouchdb": pouchdb.PouchClient,
}


def client(side: Side) -> Client:
    return CLIENTS[side.product](side.port)
