"""On which boards do nodes that share their state pin what they say of themselves?

stores.state: redis       each of its servers
stores.state: postgres    its one database
stores.state: embedded    none: gossip over the peer channel
"""

from __future__ import annotations

from collections.abc import Mapping

from config.models import Config, PostgresStore, RedisState
from config.secrets import resolve
from health.state.board import Board
from tidegate.node.acceptors import CLUSTER, place_of, redis_urls


def state_boards(config: Config, *, environ: Mapping[str, str]) -> dict[str, Board]:
    """By the names of the acceptors in the same places. Raises `SecretUnavailable`."""
    store = config.stores.state
    if isinstance(store, PostgresStore):
        from health.state.postgres import PostgresBoard  # noqa: PLC0415 - an extra, needed here only

        return {"postgres": PostgresBoard(resolve(store.dsn, environ=environ).decode(), cluster=CLUSTER)}
    if isinstance(store, RedisState):
        from health.state.redis import RedisBoard  # noqa: PLC0415 - an extra, needed here only

        return {place_of(url): RedisBoard(url, cluster=CLUSTER) for url in redis_urls(store, environ=environ)}
    return {}
