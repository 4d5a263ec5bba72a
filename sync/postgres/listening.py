"""What have other nodes of this database committed? Hints by NOTIFY, the truth by asking every POLL_S.

A hint says where a stream's feed has come to; who waits for it reads. Hints are sent after the commit and by another
connection: inside of it they would put all commits of the database in one line. A node that shares its database with
nobody sends none. A hint that is lost costs POLL_S.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from sync.errors import StoreUnavailable
from sync.postgres.server import LISTENER, RETRY_S, Connection, Server, guarded
from sync.postgres.views import Views
from sync.wakeups import Wakeups

POLL_S: Final = 1.0
MAX_HINT_BYTES: Final = 7900
"""PostgreSQL takes 8000; what is left out is found by asking."""
NOTIFY: Final = "SELECT pg_notify($1, $2)"
OTHERS: Final = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE application_name = $1 AND datname = current_database() AND pid <> pg_backend_pid()"
)

_decode: Final = msgspec.json.Decoder(dict[str, int]).decode


class Listening:
    """One store's. `report(message, **facts)` hears when the database goes and comes back."""

    def __init__(
        self, server: Server, views: Mapping[str, Views], wakeups: Wakeups, *, report: Callable[..., None]
    ) -> None:
        self._server = server
        self._views = views
        self.wakeups = wakeups
        self._report = report
        self._moved = asyncio.Event()
        self._pending: dict[str, int] = {}
        self._trouble = ""
        self.others = 0
        """Other nodes that share the database."""
        self.is_heard = False
        """Whether hints of others arrive now."""

    def moved(self, positions: Mapping[str, int]) -> None:
        """This node has committed."""
        self.wakeups.moved(positions)
        if self.others:
            self._pending.update(positions)
            self._moved.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                await self._session()
            except StoreUnavailable as error:
                self._say(str(error))
            await asyncio.sleep(RETRY_S)

    def _say(self, trouble: str) -> None:
        """Once a change."""
        if trouble != self._trouble:
            self._trouble = trouble
            if trouble:
                self._report("the database cannot be used: writes and reads are refused until it can", because=trouble)
            else:
                self._report("the database answers again")

    async def _session(self) -> None:
        connection = await self._server.connect(name=LISTENER)
        try:
            await self._bounded(connection, connection.add_listener, self._server.prefix, self._heard)
            while True:
                self.others = await self._bounded(connection, connection.fetchval, OTHERS, LISTENER)
                for views in list(self._views.values()):  # classes are opened meanwhile
                    self.wakeups.moved(await views.positions())
                self.is_heard = True
                self._say("")
                await self._hint_until_next_look(connection)
        finally:
            self.is_heard = False
            connection.terminate()

    async def _hint_until_next_look(self, connection: Connection) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                while True:
                    await self._moved.wait()
                    self._moved.clear()
                    hint = msgspec.json.encode(self._pending).decode()
                    self._pending.clear()
                    if len(hint) <= MAX_HINT_BYTES:
                        await self._bounded(connection, connection.execute, NOTIFY, self._server.prefix, hint)
        except TimeoutError:
            return

    def _heard(self, connection: Any, pid: int, channel: str, payload: object) -> None:
        if pid == connection.get_server_pid():
            return
        try:
            self.wakeups.moved(_decode(str(payload)))
        except msgspec.DecodeError:
            return  # nobody's hint: asking finds out

    async def _bounded(self, connection: Connection, ask: Callable[..., Any], *arguments: object) -> Any:
        """Raises StoreUnavailable."""
        async with guarded(connection), asyncio.timeout(self._server.answer_s):
            return await ask(*arguments)
