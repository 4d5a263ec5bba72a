"""A body larger than memory passes through a small process, both ways. TIDEGATE_LARGE_GIB sets how large."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from tests.harness.node import Node

GIB = int(os.environ.get("TIDEGATE_LARGE_GIB", "1"))
SIZE = GIB * 1024**3
PIECE = bytes(1024 * 1024)
GROWTH_BYTES = 48 * 1024 * 1024
"""What a worker may grow by while it streams: buffers of a few connections, and what the allocator keeps."""


async def _count(reader: asyncio.StreamReader, size: int) -> int:
    got = 0
    while got < size:
        data = await reader.read(1024 * 1024)
        if not data:
            break
        got += len(data)
    return got


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Counts what is posted to it, gives what is asked of it; everything else is a probe's question."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            if head.startswith(b"POST"):
                answer = b"%d" % await _count(reader, SIZE)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))
            elif head.startswith(b"GET /large"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
                for _ in range(SIZE // len(PIECE)):
                    writer.write(PIECE)
                    await writer.drain()
            else:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


async def test_gigabytes_pass_through_a_small_process(tmp_path: Path) -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", 0, limit=1024 * 1024)
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with Node(tmp_path, address, workers=1) as node:
        node.config["listeners"][0]["limits"]["max_body"] = f"{GIB + 1}GiB"
        await node.start()
        assert (await node.get("/small")).status == 200
        pid = await node.pid("worker")
        before = peak = resident_bytes(pid)
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port, limit=1024 * 1024)
        writer.write(b"POST /large HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % SIZE)
        for _ in range(SIZE // len(PIECE)):
            writer.write(PIECE)
            await writer.drain()
            peak = max(peak, resident_bytes(pid))
        assert b" 200 " in await reader.readuntil(b"\r\n")
        await reader.readuntil(b"\r\n\r\n")
        assert int(await reader.readexactly(len(str(SIZE)))) == SIZE

        writer.write(b"GET /large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert b"Content-Length: %d" % SIZE in await reader.readuntil(b"\r\n\r\n")
        got = 0
        while data := await reader.read(1024 * 1024):
            got += len(data)
            peak = max(peak, resident_bytes(pid))
        assert got == SIZE
        writer.close()
        assert peak - before < GROWTH_BYTES, f"it grew by {(peak - before) / 1024**2:.0f} MiB"
    server.close()
