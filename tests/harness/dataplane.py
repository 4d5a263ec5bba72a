"""A real data plane between a test's own client and a scripted endpoint, on one loop.

async with Bench() as bench:
    bench.endpoint(script)           # script(Exchanged) is what the endpoint does with a connection
    reply = await bench.ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from config.models import Config
from gateway.admission.published_keys import AGAIN_AFTER_S
from gateway.dataplane import DataPlane
from gateway.messages import EndpointState, OperatorState, Publication, ResolvedEndpoint
from tests.harness.collector import KeptSpans

DEADLINE_S = 10.0
Script = Callable[["Connection"], Awaitable[None]]


@dataclass
class Connection:
    """One side of a raw connection; every wait has a deadline."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def head(self) -> bytes:
        """Up to and with the empty line that ends a head."""
        async with asyncio.timeout(DEADLINE_S):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def exactly(self, size: int) -> bytes:
        async with asyncio.timeout(DEADLINE_S):
            return await self.reader.readexactly(size)

    async def rest(self) -> bytes:
        """Up to the end of the connection."""
        async with asyncio.timeout(DEADLINE_S):
            return await self.reader.read()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        async with asyncio.timeout(DEADLINE_S):
            await self.writer.drain()

    async def reply(self) -> Reply:
        """One whole answer with Content-Length or chunked framing."""
        head = await self.head()
        line, *lines = head[:-4].split(b"\r\n")
        fields = [tuple(entry.split(b": ", 1)) for entry in lines]
        reply = Reply(int(line.split(b" ")[1]), [(name.lower(), value) for name, value in fields])
        length = reply.field(b"content-length")
        if length is not None:
            reply.body = await self.exactly(int(length))
        elif reply.field(b"transfer-encoding") == b"chunked":
            while size := int((await self.exactly_line()), 16):
                reply.body += await self.exactly(size)
                await self.exactly(2)
            await self.exactly(2)
        return reply

    async def exactly_line(self) -> bytes:
        async with asyncio.timeout(DEADLINE_S):
            return (await self.reader.readuntil(b"\r\n"))[:-2]

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """End with RST instead of FIN."""
        sock: socket.socket = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.writer.transport.abort()


@dataclass
class Reply:
    """One answer, parsed."""

    status: int
    fields: list[tuple[bytes, bytes]]
    body: bytes = b""

    def field(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.fields if key == name), None)

    @property
    def problem(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document


async def always_ok(connection: Connection) -> None:
    """Answer every request on the connection with `ok`."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            await connection.head()
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


async def never_answer(connection: Connection) -> None:
    """Take one request, and wait for its sender to leave."""
    await connection.head()
    await connection.rest()


@dataclass
class ScriptedEndpoint:
    """A listening socket whose connections each run a script."""

    port: int
    connections: int = 0
    received: list[bytes] = field(default_factory=list)
    """What `Connection.head` returned, for every request."""


class Bench:
    """The data plane, its endpoints and its clients; all closed at the end."""

    def __init__(self, *, keys_again_after_s: float = AGAIN_AFTER_S, **settings: Any) -> None:
        self._keys_again_after_s = keys_again_after_s
        self.settings = settings
        """Merged into the configuration: `service`, `more_services`, `route`, `routes`, `listener`, `regions`,
        `document`."""
        self.log: list[dict[str, Any]] = []
        self.audited: list[dict[str, Any]] = []
        self.spans = KeptSpans()
        self.retention_s: float | None = None
        self.lost = 0
        self.wall = 1_700_000_000.0
        """What the data plane believes the time to be."""
        self.later_s = 0.0
        """What its monotonic clock is ahead of ours."""
        self.states: dict[str, EndpointState] = {}
        self.operator: dict[str, OperatorState] = {}
        self.ejected: dict[str, float] = {}
        """Whom control has ejected for how many seconds more, by endpoint id."""
        self._endpoints: list[dict[str, Any]] = []
        self.resolved: dict[str, tuple[ResolvedEndpoint, ...]] = {}
        """Whom names stand for; `named` adds one."""
        self._stack = contextlib.AsyncExitStack()
        self._port = 0
        self._version = 0

    async def __aenter__(self) -> Bench:
        await self._stack.__aenter__()
        self.plane = DataPlane(
            node_id="gw-test",
            access_log=lambda line: self.log.append(json.loads(line)),
            rng=random.Random(1),
            wall=lambda: self.wall,
            now=lambda: asyncio.get_running_loop().time() + self.later_s,
            audit=self,
            spans=self.spans,
            keys_again_after_s=self._keys_again_after_s,
        )
        self._stack.push_async_callback(self.plane.drain, 0.0)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    def write(self, record: dict[str, Any]) -> None:
        """The data plane's audit log."""
        self.audited.append(record)

    def close(self) -> None:
        """Nothing is kept back."""

    async def endpoint(
        self,
        script: Script = always_ok,
        *,
        region: str = "eu",
        name: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
        **fields: Any,
    ) -> ScriptedEndpoint:
        """Start an endpoint; it joins the configuration, as host `name`, at the next `publish`."""
        scripted = ScriptedEndpoint(0)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            scripted.connections += 1
            connection = _Recorded(reader, writer, scripted)
            try:
                await script(connection)
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
        self._stack.callback(server.close)
        scripted.port = server.sockets[0].getsockname()[1]
        self.add_address(f"{name}:{scripted.port}", region=region, **fields)
        return scripted

    def add_address(self, address: str, *, region: str = "eu", **fields: Any) -> str:
        """An endpoint by address alone, for one that is not there; returns its id."""
        self._endpoints.append({"region": region, "address": address, **fields})
        return f"api/{region}/{address}"

    def dead_address(self, *, region: str = "eu", **fields: Any) -> str:
        """One where nobody listens, and nobody can begin to, the data plane itself neither; returns its id."""
        held = self._stack.enter_context(socket.socket())
        held.bind(("127.0.0.1", 0))
        return self.add_address(f"127.0.0.1:{held.getsockname()[1]}", region=region, **fields)

    async def service(self, name: str, script: Script = always_ok, *, region: str = "eu") -> ScriptedEndpoint:
        """Another service with one endpoint; it joins the configuration at the next `publish`."""
        endpoint = await self.endpoint(script, region=region)
        standing = self._endpoints.pop()
        self.settings.setdefault("more_services", []).append({"id": name, "endpoints": [standing]})
        return endpoint

    def named(self, name: str, *, region: str = "eu") -> None:
        """An endpoint that is a name."""
        self._endpoints.append({"region": region, "dns": name, "port": 80})

    async def publish(self) -> None:
        """Put the configuration and the states in force, and listen if that is not done yet."""
        self._version += 1
        config = self.config()
        self.plane.publish(
            Publication(
                version=self._version,
                config_digest=f"digest-{self._version}",
                config=config.model_dump_json(),
                endpoints=self.states,
                resolved=self.resolved,
                operator=self.operator,
                ejected=self.ejected,
            )
        )
        if not self._port:
            sock = socket.create_server(("127.0.0.1", 0))
            self._port = sock.getsockname()[1]
            sock.setblocking(False)  # noqa: FBT003 - the socket module's own signature
            await self.plane.listen("public", sock)

    @property
    def port(self) -> int:
        return self._port

    def config(self) -> Config:
        settings = self.settings
        return Config.model_validate_json(
            json.dumps(
                {
                    "version": 1,
                    "node": {"id": "gw-test", "region": "eu"},
                    "listeners": [{"name": "public", "bind": "127.0.0.1:8080", **settings.get("listener", {})}],
                    "regions": settings.get(
                        "regions", [{"id": "eu", "name": "Europe"}, {"id": "us", "name": "America"}]
                    ),
                    "services": [
                        {"id": "api", "endpoints": self._endpoints, **settings.get("service", {})},
                        *settings.get("more_services", []),
                    ],
                    "routes": settings.get("routes")
                    or [{"id": "all", "match": {"path": "/*"}, "service": "api", **settings.get("route", {})}],
                    **settings.get("document", {}),
                }
            )
        )

    async def connect(self, *, tls: ssl.SSLContext | None = None, server_name: str | None = None) -> Connection:
        """A client's connection to the listener."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self._port, ssl=tls, server_hostname=(server_name or "localhost") if tls else None
        )
        self._stack.callback(writer.close)
        return Connection(reader, writer)

    async def ask(self, request: bytes, *, tls: ssl.SSLContext | None = None, server_name: str | None = None) -> Reply:
        """One request on its own connection."""
        client = await self.connect(tls=tls, server_name=server_name)
        await client.send(request)
        reply = await client.reply()
        client.close()
        return reply

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[Connection]:
        connection = await self.connect()
        try:
            yield connection
        finally:
            connection.close()


@dataclass
class _Recorded(Connection):
    scripted: ScriptedEndpoint

    async def head(self) -> bytes:
        data = await super().head()
        self.scripted.received.append(data)
        return data


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that has no event of its own; fails with `what` when it does not come."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for: that is what this is for
            await asyncio.sleep(0.005)
    assert condition(), what


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
