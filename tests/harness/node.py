"""A real node for a test: `tidegate serve` on free ports, and a small real backend that remembers what it was asked.

    async with Backend() as backend, Node(tmp_path, backend.address) as node:
        await node.start()
        answer = await node.get("/x")

Whatever a test did to the processes, leaving the block kills all that is left of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httptools
from aiohttp import web

from tidegate.demo.ports import free_ports
from tidegate.demo.processes import is_gone, session_members
from tidegate.demo.waiting import until

PATIENCE_S = 30.0
"""What takes a moment by itself; only a test that fails waits for so long."""
READY_WITHIN_S = 60.0
"""Three interpreters on two processors that the whole test suite shares; a start has taken 20 s there."""


@dataclass(frozen=True)
class Asked:
    """A request that reached the backend."""

    method: str
    path: str
    headers: Mapping[str, str]


class Backend:
    """Answers everything with 200 and its name; `/hold...` waits until `release` is set."""

    def __init__(self, name: str = "backend", port: int | None = None) -> None:
        self.name = name
        self.port = port or ports(1)[0]
        self.asked: list[Asked] = []
        self.holding = self.most = 0
        """Requests that are held back now, and the most there ever were."""
        self.release = asyncio.Event()
        self.status = 200
        """Of its answers, except to probes."""
        self._runner: web.AppRunner | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def requests(self) -> list[Asked]:
        """Without the probes."""
        return [asked for asked in self.asked if not asked.headers.get("User-Agent", "").startswith("tidegate-probe/")]

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, backlog=1024, reuse_address=True).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.release.set()
        await self.stop()

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(Asked(request.method, request.path, dict(request.headers)))
        if request.path.startswith("/hold"):
            self.holding += 1
            self.most = max(self.most, self.holding)
            try:
                await self.release.wait()
            finally:
                self.holding -= 1
        status = 200 if request.path == "/healthz" else self.status
        return web.Response(text=f"{self.name} {request.path}\n", status=status)


@dataclass
class Answer:
    """What a client got."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Node:
    """`tidegate serve` in a directory of its own. Change `config` before `start`, or use `write` and SIGHUP after."""

    directory: Path
    backend: str
    workers: int = 2
    environ: Mapping[str, str] = field(default_factory=dict)
    program: Sequence[str] = (sys.executable, "-m", "tidegate")
    """What stands for `tidegate` on the command line."""
    inherit: Sequence[int] = ()
    """Descriptors that it gets beside the standard ones, under the same numbers."""

    def __post_init__(self) -> None:
        self.port, self.admin_port = ports(2)
        self.file = self.directory / "tidegate.yaml"
        self.data_dir = self.directory / "data"
        self.config = self._config()
        self.supervisor: subprocess.Popen[bytes] | None = None
        self._sessions: list[int] = []
        self._all: list[subprocess.Popen[bytes]] = []

    def _config(self) -> dict[str, Any]:
        return {
            "version": 1,
            "node": {"id": "gw1", "region": "eu", "workers": self.workers, "shutdown_grace": "5s"},
            "listeners": [{"name": "public", "bind": f"127.0.0.1:{self.port}", "limits": {"max_connections": 2000}}],
            "admin": {"bind": f"127.0.0.1:{self.admin_port}"},
            "regions": [{"id": "eu"}],
            "services": [
                {
                    "id": "api",
                    "endpoints": [{"region": "eu", "address": self.backend}],
                    "health_check": {
                        "protocol": "http",
                        "path": "/healthz",
                        "interval": "300ms",
                        "timeout": "1s",  # backends live in the test's own process, which the machine may stop for long
                        "unhealthy_threshold": 2,
                        "healthy_threshold": 1,
                    },
                }
            ],
            "routes": [{"id": "api", "match": {"path": "/*"}, "service": "api"}],
        }

    # Life

    def write(self, text: str | None = None) -> None:
        """The configuration file: `text`, or `self.config` (JSON is YAML)."""
        self.file.write_text(text if text is not None else json.dumps(self.config, indent=1))

    def launch(self) -> subprocess.Popen[bytes]:
        """Start it and do not wait; a second one beside the first if there is one."""
        with (self.directory / "out.log").open("ab") as out, (self.directory / "err.log").open("ab") as err:
            self.supervisor = subprocess.Popen(
                [*self.program, "serve", "--config", str(self.file)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **self.environ},
                pass_fds=self.inherit,
                start_new_session=True,
            )
        self._all.append(self.supervisor)
        self._sessions.append(self.supervisor.pid)
        return self.supervisor

    async def start(self) -> None:
        """Write the configuration, start, wait until it is ready with all its workers."""
        if not self.file.exists():
            self.write()
        self.launch()
        await self.ready()

    async def ready(self) -> None:
        async def is_ready() -> bool:
            assert self.supervisor is not None
            assert self.supervisor.poll() is None, f"serve ended with {self.supervisor.returncode}:\n{self.errors()}"
            try:
                status = await self.status()
            except (OSError, TimeoutError):
                return False
            supervisor = status["processes"]["supervisor"]
            is_ours = supervisor is None or supervisor["pid"] == self.supervisor.pid
            return is_ours and status["state"] == "ready" and not status["degraded"]

        await self.until(is_ready, "the node is ready", within_s=READY_WITHIN_S)

    def kill(self) -> None:
        """`kill -9` of what was launched last; in one process that is the node."""
        assert self.supervisor is not None
        self.supervisor.kill()

    async def stop(self, *, within_s: float = PATIENCE_S) -> int:
        """SIGTERM; the exit code."""
        assert self.supervisor is not None
        self.supervisor.terminate()
        return await self.ended(within_s=within_s)

    async def ended(self, *, within_s: float = PATIENCE_S) -> int:
        process = self.supervisor
        assert process is not None
        await self.until(lambda: process.poll() is not None, "serve has ended", within_s=within_s)
        return int(process.returncode)

    def alive(self) -> set[int]:
        """Every process that any launch has left."""
        return {pid for session in self._sessions for pid in session_members(session)}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Supervisors first: one that lives restarts what was just killed. Then whatever is left, until nothing is.
        for process in self._all:
            process.kill()
            process.wait()
        await self.until(self._kill_the_rest, "nothing is left of the node")
        if error is not None:
            error.add_note(f"--- stderr of the node\n{self.errors()[-8000:]}")

    def _kill_the_rest(self) -> bool:
        left = self.alive()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not left

    # Questions

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def admin(self) -> str:
        return f"http://127.0.0.1:{self.admin_port}"

    async def get(self, path: str, *, headers: Mapping[str, str] | None = None, within_s: float = 10.0) -> Answer:
        return await fetch("GET", self.url + path, headers=headers, within_s=within_s)

    async def ask(self, path: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        """The admin API."""
        return await fetch("GET", self.admin + path, headers=headers)

    async def status(self) -> dict[str, Any]:
        answer = await self.ask("/v1/status")
        assert answer.status == 200, answer
        document: dict[str, Any] = answer.json()
        return document

    async def pid(self, role: str, slot: int | None = None) -> int:
        """Of a child that lives; one that died is waited for until it is started again, and that is said."""
        found: int | None = None

        async def runs() -> bool:
            nonlocal found
            children = (await self.status())["processes"]["children"]
            found = next(one["pid"] for one in children if one["role"] == role and slot in (None, one["slot"]))
            return found is not None and not is_gone(found)

        await self.until(runs, f"{role} runs", within_s=30)
        assert found is not None
        return found

    async def metric(self, name: str) -> float:
        """Of one series, by its name with labels as exposed."""
        lines = (await self.ask("/metrics")).body.decode().splitlines()
        return float(next(line for line in lines if line.startswith(f"{name} ")).rpartition(" ")[2])

    def errors(self) -> str:
        return (self.directory / "err.log").read_text(errors="replace")

    def log(self, event: str) -> list[dict[str, Any]]:
        """Log lines with this event."""
        lines = [json.loads(line) for line in self.errors().splitlines() if line.startswith("{")]
        return [line for line in lines if event in line["event"]]

    async def until(self, condition: Callable[[], Any], what: str, *, within_s: float = PATIENCE_S) -> None:
        await until(condition, within_s=within_s, what=what)

    async def gone(self, pid: int) -> None:
        await self.until(lambda: is_gone(pid), f"process {pid} is gone")


class AnswerCutOff(ConnectionError):
    """The connection ended before the answer was complete."""


class _Reading:
    """An answer as it arrives, by the callbacks of httptools."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.body: list[bytes] = []
        self.is_complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").title()] = value.decode("latin-1")

    def on_body(self, data: bytes) -> None:
        self.body.append(data)

    def on_message_complete(self) -> None:
        self.is_complete = True


async def fetch(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    within_s: float = 10.0,
) -> Answer:
    """One request, sent once, on a connection of its own. Raises `OSError` (`AnswerCutOff` is one) and `TimeoutError`.

    Not aiohttp's client: that sends an idempotent request a second time when its connection is lost, and would so hide
    the very losses that tests count.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None
    given = {"Host": parts.netloc, **(headers or {}), "Connection": "close"}
    if body is not None:
        given["Content-Length"] = str(len(body))
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items()), "", ""]
    async with asyncio.timeout(within_s):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            writer.write("\r\n".join(lines).encode("latin-1") + (body or b""))
            return await _answer(reader, is_head=method == "HEAD")
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _answer(reader: asyncio.StreamReader, *, is_head: bool) -> Answer:
    reading = _Reading()
    parser = httptools.HttpResponseParser(reading)
    while data := await reader.read(65536):
        parser.feed_data(data)
    if is_head and reading.headers:
        reading.is_complete = True
    if not reading.is_complete:
        raise AnswerCutOff(f"the connection ended after {sum(map(len, reading.body))} bytes of a body")
    return Answer(parser.get_status_code(), reading.headers, b"".join(reading.body))


_given: set[int] = set()


def ports(count: int) -> list[int]:
    """Free ports that no outgoing connection takes, each given once: who got one may not listen there yet."""
    while not _given.isdisjoint(found := free_ports(count, rng=random.Random())):
        pass
    _given.update(found)
    return list(found)


@dataclass
class Traffic:
    """Clients that ask without pause, each request on a new connection, until told to stop."""

    url: str
    clients: int = 8
    patience_s: float = 10.0
    """A request that takes longer has failed."""
    statuses: dict[int, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """What was answered other than 200: status, and what the answer says."""

    @property
    def total(self) -> int:
        return sum(self.statuses.values()) + len(self.failures)

    async def __aenter__(self) -> Self:
        self._stopping = False
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        for number in range(self.clients):
            self._group.create_task(self._client(), name=f"client {number}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping = True
        await self._group.__aexit__(kind, error, trace)

    async def more(self, count: int, *, within_s: float = PATIENCE_S) -> None:
        """Until so many more requests have ended."""
        goal = self.total + count
        await until(lambda: self.total >= goal, within_s=within_s, what=f"{count} more requests")

    async def _client(self) -> None:
        while not self._stopping:
            try:
                answer = await fetch("GET", f"{self.url}/traffic", within_s=self.patience_s)
            except (OSError, TimeoutError) as error:
                self.failures.append(f"{type(error).__name__}: {error}")
            else:
                self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
                if answer.status != 200:
                    self.refused.append(f"{answer.status} {answer.body.decode(errors='replace')}")
