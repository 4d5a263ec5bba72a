"""Which store does the configuration mean for the clients' data?

stores.data: embedded    SQLite files in the node's data directory; there or an error, at once
stores.data: postgres    a database of the region; a node starts without it, and takes it up when it is there
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from config.mesh_keys import data_keys
from config.models import Config, PostgresStore
from config.secrets import resolve
from sync.core.plans import CollectionPlan
from sync.sqlite.opening import open_store
from sync.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from sync.postgres.store import PostgresStore as StoreInPostgres

FOLDER: Final = "sync"

Keep = Callable[[str, Callable[[], Coroutine[Any, Any, None]]], object]


@dataclass(frozen=True, slots=True)
class DataStore:
    """`start` begins to open it, and `opened` returns once all of it can be used; neither fails."""

    store: SqliteStore | StoreInPostgres
    start: Callable[[Keep], None]
    opened: Callable[[], Awaitable[None]]
    is_immediate: bool
    """Whether it is open already, or never will be."""


def make_data_store(
    config: Config,
    plans: Mapping[str, CollectionPlan],
    *,
    environ: Mapping[str, str],
    report: Callable[..., None],
) -> DataStore:
    """Raises SecretUnavailable, KeysUnusable or OSError."""
    if config.sync is None or config.node.region is None:
        raise ValueError("a data store without `sync`, or without a region")
    folder = Path(config.node.data_dir) / FOLDER
    facts: dict[str, Any] = {
        "region": config.node.region,
        "plans": plans,
        "data_keys": data_keys(config, environ=environ),
        "max_skew_s": config.sync.max_clock_skew,
        "max_conflict_bytes": config.sync.conflict_log.max_bytes,
        "report": report,
    }
    if not isinstance(config.stores.data, PostgresStore):
        return DataStore(open_store(folder, **facts), lambda _: None, _at_once, is_immediate=True)
    from sync.postgres.store import open_store as open_in_postgres  # noqa: PLC0415 - an extra, needed here only

    store = open_in_postgres(resolve(config.stores.data.dsn, environ=environ).decode(), folder, **facts)
    return DataStore(store, store.start, store.opened, is_immediate=False)


async def _at_once() -> None:
    """It was opened when it was made."""
