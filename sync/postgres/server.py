"""Connections to the server: opened, bounded in time, given up.

    connect()   a connection set up for this store; the writers and the listener keep one each
    reader()    one of a few, for a question or a snapshot of several

A server that died, froze or is a standby costs each caller a bounded time, and while it is known to be gone, none: for
RETRY_S after a failure callers are refused at once. What went wrong on a connection ends it; nothing is awaited from a
server that may be frozen.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from asyncpg.connect_utils import SessionAttribute
from asyncpg.exceptions import TargetServerAttributeNotMatched

from sync.core.absorbing import TooEarly
from sync.core.operation import Malformed
from sync.errors import StoreFull, StoreUnavailable, SyncError, Unstorable

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

CONNECT_S: Final = 5.0
ANSWER_S: Final = 10.0
"""For one question, or one batch and its commit: a server that takes longer is treated as gone."""
PREFIX: Final = "tidegate_data"
RETRY_S: Final = 0.5
READERS: Final = 4
NAME: Final = "tidegate-data"
LISTENER: Final = "tidegate-data-listener"
"""`application_name` of sessions; each node has one listener, by which nodes that share the database are counted."""

BEYOND: Final = ("22", "54")
"""Classes of SQLSTATE that say that the data is at fault: data exceptions, program limits exceeded."""
GONE = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError, TimeoutError)


class Server:
    """One database, by its DSN. `now` is monotonic seconds."""

    def __init__(self, dsn: str, *, now: Callable[[], float], answer_s: float = ANSWER_S, prefix: str = PREFIX) -> None:
        """`prefix`: of the names of schemas."""
        self.answer_s = answer_s
        self.prefix = prefix
        self._dsn = dsn
        self._now = now
        self._refused_until = 0.0
        self._refusal = ""
        self._idle: list[Connection] = []
        self._slots = asyncio.Semaphore(READERS)
        self._is_closed = False

    async def connect(self, *, name: str = NAME) -> Connection:
        """A connection of the caller's own. Raises StoreUnavailable."""
        if self._now() < self._refused_until:
            raise StoreUnavailable(self._refusal)
        try:
            connection: Connection = await asyncpg.connect(
                self._dsn,
                timeout=min(CONNECT_S, self.answer_s),
                server_settings=session_settings(name, answer_s=self.answer_s),
                statement_cache_size=256,
                max_cached_statement_lifetime=0,
                target_session_attrs=SessionAttribute.read_write,
            )
        except (*GONE, asyncpg.PostgresError, ValueError) as error:
            refusal = translated(error)
            self._refused_until, self._refusal = self._now() + RETRY_S, str(refusal)
            raise refusal from error
        self._refused_until = 0.0
        return connection

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Connection]:
        """A connection for one question. Raises StoreUnavailable."""
        try:
            async with asyncio.timeout(self.answer_s), self._slots:
                connection = self._kept() or await self.connect()
                try:
                    async with guarded(connection):
                        yield connection
                finally:
                    if self._is_closed:
                        connection.terminate()
                    elif not connection.is_closed():
                        self._idle.append(connection)
        except TimeoutError:
            raise StoreUnavailable(f"the database did not answer within {self.answer_s:g} s") from None

    def _kept(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None

    def close(self) -> None:
        """Let go of the readers; who still reads, reads on."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().terminate()


def session_settings(name: str, *, answer_s: float) -> dict[str, str]:
    """The server itself ends a transaction whose node was frozen in it, so that its locks end too."""
    return {
        "application_name": name,
        "synchronous_commit": "on",
        "statement_timeout": str(int(answer_s * 1000)),
        "lock_timeout": str(int(answer_s * 500)),
        "idle_in_transaction_session_timeout": str(int(answer_s * 1000)),
        "jit": "off",
        # Plans are made once (the arrays of a batch make every plan look new, and planning cost more than running), and
        # go by indexes whatever statistics say: tables grow from nothing to millions of rows behind a plan that stays,
        # and every statement here looks up what it wants, or reads an index in order until it has enough.
        "plan_cache_mode": "force_generic_plan",
        "enable_seqscan": "off",
        "enable_bitmapscan": "off",
        "enable_hashjoin": "off",
        "enable_mergejoin": "off",
        "TimeZone": "UTC",
    }


@asynccontextmanager
async def guarded(connection: Connection) -> AsyncIterator[None]:
    """Errors in our words; a connection on which anything failed is ended, for nobody knows what it still holds.

    A refusal of what was asked is no failure of the connection.
    """
    try:
        yield
    except (SyncError, Malformed, TooEarly):
        if connection.is_in_transaction():
            connection.terminate()
        raise
    except (*GONE, asyncpg.PostgresError) as error:
        connection.terminate()
        raise translated(error) from error
    except BaseException:
        connection.terminate()
        raise


def translated(error: BaseException) -> StoreUnavailable:
    """What the server or the way to it reports, in our words."""
    if isinstance(error, asyncpg.DiskFullError):
        return StoreFull(f"no room for the write ({error}), expected free space on the database's server")
    if isinstance(error, TimeoutError):
        return StoreUnavailable("the database did not answer in time")
    if isinstance(error, (asyncpg.ReadOnlySQLTransactionError, TargetServerAttributeNotMatched)):
        return StoreUnavailable("the database is a standby or read-only, expected one that takes writes")
    code = getattr(error, "sqlstate", None)
    if code and code.startswith(BEYOND):
        return Unstorable(f"more than the database can take ({code}: {error})")
    what = f"{code}: {error}" if code else f"{type(error).__name__}: {error}"
    return StoreUnavailable(f"the database failed ({what})")


async def facts(connection: Connection) -> dict[str, Any]:
    """What an operator should know: the server's version, whether its commits are durable, whose data it holds."""
    row = await connection.fetchrow(
        "SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync,"
        " current_setting('full_page_writes') AS full_page_writes, to_regclass($1) AS store",
        f"{PREFIX}.store",
    )
    if row is None:
        raise StoreUnavailable("the server does not say who it is")
    region = None if row["store"] is None else await connection.fetchval(f"SELECT region FROM {PREFIX}.store")  # noqa: S608 - ours
    return {**row, "region": region}
