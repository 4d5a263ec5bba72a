"""Is this the database that this store wrote last? If not, it writes under a new incarnation.

    system     the cluster's identifier: another one is another store (a dump that was loaded elsewhere)
    lineage    timeline, database, table: changes when a standby is promoted, a backup put back, a table made anew
    version    how often it was changed; the node's companion file remembers more than a snapshot that was put back

A promoted standby may lack the last commits, and a restored one lacks those after the backup: going on under the old
origin would give their sequences again. A false alarm costs one more name in vectors; a missed one costs a write. The
check is made on every connection of a writer, for every change of server breaks the connection. What slips through is
told by the peers, who remember higher sequences.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sync.companion import openings
from sync.core.dots import chance_word, origin_name, store_of
from sync.errors import StoreUnavailable
from sync.postgres.schema import named
from sync.postgres.server import Connection


class Identified(NamedTuple):
    """What was found. `why`: of a new incarnation; empty when it is the old one."""

    origin: str
    why: str
    version: int


async def identify(
    connection: Connection,
    schema: str,
    companion: Path,
    *,
    shared: str,
    region: str,
    chance: Callable[[int], bytes],
) -> Identified:
    """The origin to write under. Inside a transaction; the caller commits, then confirms the opening beside the data.

    Raises StoreUnavailable when the database belongs to another region, OSError.
    """
    system, lineage = await _lineage(connection, schema)
    store = await _store_name(connection, shared, system, region=region, chance=chance)
    meta = await connection.fetchrow(named(schema, "SELECT origin, lineage, version FROM @meta FOR UPDATE"))
    if meta is None:
        raise StoreUnavailable(f"schema {schema} has lost its own description, expected one row in meta")
    origin, counted = str(meta["origin"]), openings(companion)
    why = ""
    if not origin:
        why = "a new store"
    elif store_of(origin) != f"{region}:{store}":
        why = f"data of {store_of(origin)}"
    elif meta["lineage"] != lineage:
        why = f"a server at {lineage}, expected {meta['lineage']}: it was promoted, restored or copied"
    elif counted > meta["version"]:
        why = f"data at version {meta['version']}, expected at least {counted}: it was put back"
    if why:
        origin = origin_name(region, store, chance_word(chance))
    version = max(meta["version"], counted) + 1
    await connection.execute(
        named(schema, "UPDATE @meta SET origin = $1, lineage = $2, version = $3"), origin, lineage, version
    )
    return Identified(origin, why, version)


async def _store_name(
    connection: Connection, shared: str, system: str, *, region: str, chance: Callable[[int], bytes]
) -> str:
    """The store's name, made once for all classes of a database."""
    row = await connection.fetchrow(named(shared, "SELECT region, name, system FROM @store FOR UPDATE"))
    if row is not None and row["region"] != region:
        raise StoreUnavailable(f"the database of region {row['region']}, expected one of {region}'s own")
    if row is not None and row["system"] == system:
        return str(row["name"])
    name = chance_word(chance)
    await connection.execute(
        named(
            shared,
            "INSERT INTO @store (region, name, system) VALUES ($1, $2, $3)"
            " ON CONFLICT (is_only) DO UPDATE SET name = excluded.name, system = excluded.system",
        ),
        region,
        name,
        system,
    )
    return name


async def _lineage(connection: Connection, schema: str) -> tuple[str, str]:
    row = await connection.fetchrow(
        "SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system,"
        " left(pg_walfile_name(pg_current_wal_lsn()), 8) AS timeline,"
        " (SELECT oid FROM pg_database WHERE datname = current_database()) AS database,"
        " pg_relation_filenode($1::regclass) AS file",
        named(schema, "@meta"),
    )
    if row is None:
        raise StoreUnavailable("the server does not say who it is")
    return row["system"], f"timeline {row['timeline']}, database {row['database']}, table {row['file']}"
