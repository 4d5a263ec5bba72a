"""What a child does once its supervisor is dead: say so, and keep its listening sockets for whoever comes next."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable

from tidegate.node import lifeline
from tidegate.node.handover import DataDirSockets, Held, offer, socket_name
from tidegate.node.lifeline import ToChild
from tidegate.node.logs import Log


class Lifeline:
    """A child's end of its socket pair, on its event loop.

    `on_order` hears the supervisor; `held` is asked, once the supervisor is dead, which sockets this process keeps.
    """

    def __init__(
        self,
        descriptor: int,
        *,
        directory: DataDirSockets,
        on_order: Callable[[ToChild], None],
        held: Callable[[], dict[Held, int]],
        log: Log,
    ) -> None:
        self._end = socket.socket(fileno=descriptor)
        self._directory = directory
        self._on_order = on_order
        self._held = held
        self._log = log
        self._offering: socket.socket | None = None
        self.is_orphan = False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._end, self._hear)

    def tell(self, message: lifeline.FromChild) -> None:
        lifeline.tell(self._end, message)

    async def beat(self, every_s: float = lifeline.BEAT_EVERY_S) -> None:
        """Say again and again that this loop turns, for as long as somebody listens."""
        while not self.is_orphan:
            self.tell(lifeline.Beat())
            await asyncio.sleep(every_s)

    def close(self) -> None:
        self._loop.remove_reader(self._end)
        self._end.close()
        if self._offering is not None:
            self._loop.remove_reader(self._offering)
            self._offering.close()
            self._directory.remove(socket_name(os.getpid()))

    def _hear(self) -> None:
        while not self.is_orphan:
            try:
                message = lifeline.hear_as_child(self._end)
            except BlockingIOError:
                return
            if message is None:
                self._orphaned()
            else:
                self._on_order(message)

    def _orphaned(self) -> None:
        self.is_orphan = True
        self._loop.remove_reader(self._end)
        self._log.problem("the supervisor is gone: serving on, but nothing restarts this process now")
        held = self._held()
        try:
            self._offering = self._directory.listen(socket_name(os.getpid()))
        except OSError as error:
            self._log.problem("cannot offer the listening sockets to a next supervisor", error=str(error))
            return
        self._loop.add_reader(self._offering, self._hand_over, self._offering, held)

    def _hand_over(self, offering: socket.socket, held: dict[Held, int]) -> None:
        try:
            connection, _ = offering.accept()
        except OSError:
            return
        with connection:
            try:
                if offer(connection, held):
                    self._log.info("handed the listening sockets over", sockets=len(held))
            except OSError as error:
                self._log.warning("handing the listening sockets over failed", error=str(error))
