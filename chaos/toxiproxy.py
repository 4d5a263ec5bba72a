"""A network link that can be made to fail: the Toxiproxy server, and a typed adapter over its Python client.

    client --> Link.listen --> [toxics] --> upstream

`toxiproxy-python` knows the API and its errors, but sets no time limit on any call, cannot change a toxic, keeps the
server's address in a class that all servers of a process share, and blocks. So this adapter speaks through the client's
lowest layer, which passes a time limit on, with a subclass for each server, and makes each call on a thread.
Changes are sent by PATCH, which the server prefers since 2.6.

What toxics do is Toxiproxy's, and easily misread: a toxic acts on established connections too; `timeout` drops all data
and, with 0 ms, closes only when it is removed; a link that is cut drops its connections and refuses new
ones. Toxicity is drawn once a connection: everything here uses 1.0, because the server's seed has no effect.
"""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import requests
from toxiproxy.api import APIConsumer, validate_response
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

from tidegate.demo.ports import free_ports
from tidegate.demo.processes import Program
from tidegate.demo.waiting import NotInTimeError, until

CALL_TIMEOUT_S = 5.0
"""The server is on this machine; its own limit is 25 s, which is longer than a whole experiment."""
START_WITHIN_S = 10.0
STOP_GRACE_S = 3.0
BUILT = Path(".tools/bin/toxiproxy-server")
"""Where `make setup` puts the server, from the root of the repository."""
DIRECTLY = {"http": ""}
"""A proxy of the environment is not for loopback."""

Direction = Literal["upstream", "downstream"]
"""As Toxiproxy says it: `upstream` is what the client sends, `downstream` what it gets."""


class ToxiproxyError(Exception):
    """The server is missing, did not start, or refused what was asked."""


class _Api(APIConsumer):  # type: ignore[misc]  # toxiproxy-python ships no types
    """The client's lowest layer for one server: its address, a time limit, and PATCH."""

    @classmethod
    def patch(cls, url: str, *, timeout: float, **kwargs: Any) -> requests.Response:
        sent = requests.patch(f"http://{cls.host}:{cls.port}{url}", timeout=timeout, **kwargs)
        response: requests.Response = validate_response(sent)
        return response


@dataclass(frozen=True, slots=True)
class Toxic:
    """One fault on a link, in force until it is removed."""

    name: str
    kind: str
    direction: Direction
    attributes: Mapping[str, int]


class Link:
    """One proxy of the server, between a client and one upstream."""

    def __init__(self, server: Toxiproxy, name: str, listen: str, upstream: str) -> None:
        self._server = server
        self.name = name
        self.listen = listen
        """`host:port` to send to instead of `upstream`."""
        self.upstream = upstream

    async def cut(self) -> None:
        """Drop every connection and refuse new ones."""
        await self._server.call("patch", f"/proxies/{self.name}", json={"enabled": False})

    async def restore(self) -> None:
        """Undo `cut`; toxics stay."""
        await self._server.call("patch", f"/proxies/{self.name}", json={"enabled": True})

    async def add(self, kind: str, *, direction: Direction = "downstream", **attributes: int) -> Toxic:
        """Add a fault: `latency` (latency, jitter ms), `timeout` (ms), `reset_peer` (ms), `bandwidth` (rate KB/s), …"""
        name = f"{kind}_{direction}"
        told = {"name": name, "type": kind, "stream": direction, "toxicity": 1.0, "attributes": attributes}
        await self._server.call("post", f"/proxies/{self.name}/toxics", json=told)
        return Toxic(name, kind, direction, attributes)

    async def black_hole(self) -> tuple[Toxic, Toxic]:
        """Accept everything and answer nothing, in both directions, until `clear`."""
        return await self.add("timeout", direction="upstream", timeout=0), await self.add("timeout", timeout=0)

    async def change(self, toxic: Toxic, **attributes: int) -> Toxic:
        """Change a fault in force, for connections that exist too."""
        told = {"toxicity": 1.0, "attributes": attributes}
        await self._server.call("patch", f"/proxies/{self.name}/toxics/{toxic.name}", json=told)
        return Toxic(toxic.name, toxic.kind, toxic.direction, {**toxic.attributes, **attributes})

    async def remove(self, toxic: Toxic) -> None:
        await self._server.call("delete", f"/proxies/{self.name}/toxics/{toxic.name}")

    async def toxics(self) -> tuple[Toxic, ...]:
        """The faults in force, as the server tells them."""
        told = await self._server.call("get", f"/proxies/{self.name}/toxics")
        return tuple(Toxic(one["name"], one["type"], one["stream"], one["attributes"]) for one in told)

    async def clear(self) -> None:
        """Remove every fault, and restore."""
        for toxic in await self.toxics():
            await self.remove(toxic)
        await self.restore()


class Toxiproxy:
    """One running server."""

    def __init__(self, host: str, port: int) -> None:
        self._api = type("Api", (_Api,), {"host": host, "port": port})

    async def link(self, name: str, *, upstream: str, listen: str = "127.0.0.1:0") -> Link:
        """A new link to `upstream` (`host:port`), without faults; port 0 is one that the system picks."""
        told = await self.call("post", "/proxies", json={"name": name, "listen": listen, "upstream": upstream})
        return Link(self, name, told["listen"], upstream)

    async def names(self) -> tuple[str, ...]:
        return tuple(sorted(await self.call("get", "/proxies")))

    async def reset(self) -> None:
        """Every link restored and without faults."""
        await self.call("post", "/reset")

    async def is_answering(self) -> bool:
        try:
            await self.call("get", "/version")
        except ToxiproxyError:
            return False
        return True

    async def call(self, method: str, path: str, **kwargs: Any) -> Any:
        """One call on a thread; the answer's JSON, None where there is none. Raises ToxiproxyError."""
        send: Callable[..., requests.Response] = getattr(self._api, method)
        try:
            response = await asyncio.to_thread(send, path, timeout=CALL_TIMEOUT_S, proxies=DIRECTLY, **kwargs)
        except (ProxyExists, NotFound, InvalidToxic, requests.RequestException) as error:
            raise ToxiproxyError(f"{method} {path}: {_said(error)}") from error
        if not response.ok:
            raise ToxiproxyError(f"{method} {path}: {response.status_code} {response.text.strip()}")
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        return response.json() if is_json and response.content else None


def find_server(root: Path) -> Path:
    """The server's binary: what `make setup` built, or one on the PATH. Raises ToxiproxyError."""
    if (root / BUILT).is_file():
        return root / BUILT
    if on_path := shutil.which("toxiproxy-server"):
        return Path(on_path)
    raise ToxiproxyError(f"there is no {BUILT} and no toxiproxy-server on the PATH: run `make setup`, which needs Go")


@asynccontextmanager
async def running(binary: Path, *, log: Path, rng: random.Random) -> AsyncIterator[Toxiproxy]:
    """A server of our own on a free port, ended with the block, and with this process however that ends."""
    (port,) = free_ports(1, rng=rng)
    command = (str(binary), "-host", "127.0.0.1", "-port", str(port))
    async with running_at("127.0.0.1", port, command=command, log=log) as server:
        yield server


@asynccontextmanager
async def running_at(host: str, port: int, *, command: Sequence[str], log: Path) -> AsyncIterator[Toxiproxy]:
    """A server whose command, or what leads to it, makes it listen there. Raises ToxiproxyError."""
    program = Program("toxiproxy", command, log=log, environment={})
    server = Toxiproxy(host, port)
    program.start()
    try:
        try:
            await until(server.is_answering, within_s=START_WITHIN_S, what="the Toxiproxy server to answer")
        except NotInTimeError as late:
            raise ToxiproxyError(f"{late}; its log ends: {program.last_words()}") from None
        yield server
    finally:
        await program.stop(grace_s=STOP_GRACE_S)
        program.kill_all()  # nothing is left to kill; it waits, so that no zombie stays


def _said(error: Exception) -> str:
    """The client puts the server's JSON, as bytes, into its exceptions."""
    first = error.args[0] if error.args else error
    return first.decode(errors="replace").strip() if isinstance(first, bytes) else str(first)
