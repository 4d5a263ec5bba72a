"""How does control ask and tell the process that holds the data? Over the operators' socket, each time with a limit.

    get(path)         one bounded answer: how far the data is (sync_watch.py, freshness.py)
    tell(path, body)  which regions take writes, and until when (write_leases.py)

Whoever has no sockets brings another: the simulation of whole regions (tests/simulation) does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

import aiohttp

from tidegate.node.data_operator import SOCKET, DataAbsent, DataLine
from tidegate.node.handover import DataDirSockets

MAX_ANSWER: Final = 8 << 20
"""A thousand collections towards a hundred peers."""
AT_ONCE: Final = 6
"""Connections: one waits for progress all the time, one asks for the standing each second."""


class DataSilent(Exception):
    """No process holds the data now, or it does not answer as it should."""


class DataSide(Protocol):
    """The process that holds the data, as control sees it."""

    async def get(self, path: str, *, timeout_s: float) -> bytes:
        """Raises DataSilent."""
        ...

    async def tell(self, path: str, body: bytes, *, timeout_s: float) -> bool:
        """Whether it knows now."""
        ...

    async def close(self) -> None: ...


class DataSocket:
    """Over a Unix socket in the data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._line = DataLine(data_dir)
        self._directory: DataDirSockets | None = None
        self._session: aiohttp.ClientSession | None = None

    async def get(self, path: str, *, timeout_s: float) -> bytes:
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self._open().get(f"http://sync{path}", timeout=timeout, allow_redirects=False) as answer:
                return await _bounded(answer)
        except TimeoutError as error:
            raise DataSilent(f"no answer in {timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise DataSilent(str(error) or type(error).__name__) from error

    async def tell(self, path: str, body: bytes, *, timeout_s: float) -> bool:
        try:
            status, _ = await self._line.ask("POST", path, body=body, timeout_s=timeout_s)
        except DataAbsent:
            return False
        return status == 200

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._directory = self._directory or DataDirSockets(self._data_dir)
            connector = aiohttp.UnixConnector(self._directory.path(SOCKET), limit=AT_ONCE)
            self._session = aiohttp.ClientSession(connector=connector)
        return self._session

    async def close(self) -> None:
        await self._line.close()
        if self._session is not None:
            await self._session.close()
            self._session = None
        if self._directory is not None:
            self._directory.close()
            self._directory = None


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    """Raises DataSilent."""
    if answer.status != 200:
        raise DataSilent(f"status {answer.status}")
    content = bytearray()
    async for chunk in answer.content.iter_any():
        content += chunk
        if len(content) > MAX_ANSWER:
            raise DataSilent(f"an answer above {MAX_ANSWER} bytes")
    return bytes(content)
