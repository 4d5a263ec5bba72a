"""A connection to a process of this node, by the path of its Unix socket, however long that is.

A Unix address has 108 bytes; the way through /proc/self/fd is short whatever the directory is called.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

MAX_ADDRESS_BYTES: Final = 100

Connection = TypeVar("Connection", bound=asyncio.Protocol)


async def connect_local(loop: asyncio.AbstractEventLoop, make: Callable[[], Connection], path: str) -> Connection:
    """Raises `OSError`."""
    if len(os.fsencode(path)) <= MAX_ADDRESS_BYTES:
        _, connection = await loop.create_unix_connection(make, path)
        return connection
    whole = Path(path)
    folder = os.open(whole.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _, connection = await loop.create_unix_connection(make, f"/proc/self/fd/{folder}/{whole.name}")
    finally:
        os.close(folder)
    return connection
