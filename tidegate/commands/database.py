"""Can the database of `stores.data` be used? Asked by `tidegate doctor`, of the server itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from config.models import Config

LEAST_VERSION: Final = 14


class Database(NamedTuple):
    """What was found. `problem`: why it cannot be used as it is; None when it can."""

    detail: str
    problem: str | None


def look(config: Config, *, environ: Mapping[str, str]) -> Database | None:
    """None for a node that keeps its data itself, or none."""
    from config.models import PostgresStore  # noqa: PLC0415 - see tidegate/commands
    from config.secrets import SecretUnavailable, resolve  # noqa: PLC0415

    if config.sync is None or not isinstance(config.stores.data, PostgresStore):
        return None
    try:
        dsn = resolve(config.stores.data.dsn, environ=environ).decode()
    except SecretUnavailable as error:
        return Database("stores.data", str(error))
    return asyncio.run(_look(dsn, region=config.node.region))


async def _look(dsn: str, *, region: str | None) -> Database:
    from sync.errors import StoreUnavailable  # noqa: PLC0415 - an extra, needed here only
    from sync.postgres.server import Server, facts, guarded  # noqa: PLC0415

    try:
        connection = await Server(dsn, now=time.monotonic).connect()
        try:
            async with guarded(connection):
                told = await facts(connection)
        finally:
            connection.terminate()
    except StoreUnavailable as error:
        return Database("stores.data", str(error))
    detail = f"PostgreSQL {told['version']}"
    if told["region"] not in {None, region}:
        return Database(detail, f"the database of region {told['region']}, expected one of {region}'s own")
    if int(told["version"].partition(".")[0].partition(" ")[0]) < LEAST_VERSION:
        return Database(detail, f"expected PostgreSQL {LEAST_VERSION} or later")
    for setting in ("fsync", "full_page_writes"):
        if told[setting] != "on":
            return Database(detail, f"{setting} is {told[setting]}, expected on: acknowledged writes could be lost")
    return Database(detail, None)
