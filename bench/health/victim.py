"""An endpoint to be killed: answers every request with 200, until it is gone. `python -m bench.health.victim PORT`"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from typing import Self, cast

import uvloop

from tests.harness.node import ports
from tidegate.demo.waiting import until

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"


class Answering(asyncio.Protocol):
    """One answer for each head; bodies are not expected."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.data = b""

    def data_received(self, data: bytes) -> None:
        *heads, self.data = (self.data + data).split(b"\r\n\r\n")
        self.transport.write(ANSWER * len(heads))


class Victim:
    """Its process, on one port from life to life."""

    def __init__(self, region: str) -> None:
        self.region = region
        (self.port,) = ports(1)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def endpoint(self) -> str:
        return f"api/{self.region}/{self.address}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.signal(signal.SIGKILL)

    async def start(self) -> None:
        """Alive again, whatever was done to it."""
        self.signal(signal.SIGKILL)
        self._launch()
        await until(self._answers, within_s=20, what="the victim listens")

    def _launch(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-m", "bench.health.victim", str(self.port)])

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

    def signal(self, number: signal.Signals) -> None:
        """SIGKILL: connections are refused from now on. SIGSTOP: the kernel takes them, and nobody answers."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, number)
        if number == signal.SIGKILL:
            self._process.wait()
            self._process = None


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
