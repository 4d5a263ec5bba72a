"""How many bytes go between two regions? All of them pass here: `python -m bench.sync.relay PORT TARGET COUNTS`.

A relay stands between regions only where bytes are counted: elsewhere it would cost CPU that is not the product's.
The count is the payload of TCP, both ways, in a file of eight bytes that is shared with whoever started it.
"""

from __future__ import annotations

import asyncio
import mmap
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import uvloop

from tests.harness.node import ports

COUNT_BYTES = 8
READ_BYTES = 1 << 18


class Relay:
    """Its process, started by `to`; one for each port that is to be counted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self._files: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def to(self, target: int) -> int:
        """The port that leads to `target`."""
        (port,) = ports(1)
        file = self._folder / f"relay-{port}"
        file.write_bytes(bytes(COUNT_BYTES))
        command = [sys.executable, "-m", "bench.sync.relay", str(port), str(target), str(file)]
        self._processes.append(subprocess.Popen(command))
        self._files.append(file)
        _wait(port)
        return port

    @property
    def bytes(self) -> int:
        return sum(int.from_bytes(file.read_bytes(), "little") for file in self._files)


def _wait(port: int) -> None:
    ends = time.monotonic() + 15
    while True:
        # Not by a connection through the relay: nobody may listen at its other end yet.
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > ends:
            raise TimeoutError("the relay does not listen")
        time.sleep(0.02)


async def serve(port: int, target: int, file: Path) -> None:
    with file.open("r+b") as opened:
        counts = mmap.mmap(opened.fileno(), COUNT_BYTES)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(READ_BYTES):
                so_far = int.from_bytes(counts[:COUNT_BYTES], "little")
                counts[:COUNT_BYTES] = (so_far + len(data)).to_bytes(COUNT_BYTES, "little")
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass  # either end may leave as it likes
        finally:
            writer.close()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            writer.close()  # nobody listens there yet
            return
        await asyncio.gather(carry(reader, back), carry(there, writer))

    server = await asyncio.start_server(take, "127.0.0.1", port, backlog=256)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
