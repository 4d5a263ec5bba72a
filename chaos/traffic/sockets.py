"""WebSockets through the gateways: numbered messages, each of which must come back on the socket that sent it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import aiohttp

from chaos.mesh.backend import TOKEN
from chaos.mesh.plan import PUBLIC, client_side
from chaos.traffic.history import Echo, History
from chaos.traffic.pace import stopped_within
from chaos.traffic.sending import new_session

EVERY_S = 0.5
ANSWER_WITHIN_S = 4.0
AGAIN_AFTER_S = 0.3


class Socket:
    """One client, which connects again when it is cut off."""

    def __init__(
        self, region: str, name: str, history: History, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._region = region
        self._name = name
        self._history = history
        self._clock = clock
        self._sent = 0

    async def run(self, stopping: asyncio.Event) -> None:
        url = f"http://{client_side(self._region)}:{PUBLIC}/socket/{self._name}"
        timeout = aiohttp.ClientWSTimeout(ws_close=1.0)
        async with new_session() as session:
            while not stopping.is_set():
                try:
                    async with asyncio.timeout(ANSWER_WITHIN_S):
                        socket = await session.ws_connect(url, timeout=timeout, headers={TOKEN: self._name})
                    async with socket:
                        await self._talk(socket, stopping)
                except (aiohttp.ClientError, TimeoutError, OSError):
                    pass  # what was lost with it is on record
                await stopped_within(stopping, AGAIN_AFTER_S)

    async def _talk(self, socket: aiohttp.ClientWebSocketResponse, stopping: asyncio.Event) -> None:
        while not await stopped_within(stopping, EVERY_S):
            self._sent += 1
            text = f"{self._name} {self._sent}"
            began = self._clock()
            got: str | None = None
            try:
                await socket.send_str(text)
                got = await socket.receive_str(timeout=ANSWER_WITHIN_S)
            except (aiohttp.ClientError, aiohttp.WSMessageTypeError, TimeoutError, OSError):
                return
            finally:
                self._history.echoes.append(Echo(self._region, self._name, text, got, began, self._clock()))
