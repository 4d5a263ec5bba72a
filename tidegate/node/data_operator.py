"""The operators' way to the data: a Unix socket of the sync process, asked by this node's control process alone.

    admin API ──> control ──data_dir/sync-operator.socket──> the process that holds the store
      GET  /status       collections, peers, lag             GET, POST /quarantine
      POST /primaries                which regions take writes, and until when (write_leases.py)
      GET  /standing, /progress    for control itself (sync_status.py)
      *    /data/v1/...  the data API itself, with the operator's name as the actor

Another socket than the data API's, for a route may bring any path to that one; and there without peers too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import aiohttp
import msgspec
from aiohttp import web

from sync.api import operating
from sync.api.behind_aiohttp import read_body, response_of
from sync.api.messages import json_answer
from sync.api.problems import Problem, of_error
from sync.api.records import Records, limit_of
from sync.api.server import DataServer
from sync.core.primacy import Primary
from sync.errors import SyncError
from tidegate.node.handover import DataDirSockets
from tidegate.node.logs import Log
from tidegate.node.replication import Replication
from tidegate.node.sync_status import PROGRESS, STANDING, SyncStatus

SOCKET: Final = "sync-operator.socket"
TIMEOUT_S: Final = 10.0
MAX_ORDER_BYTES: Final = 64 << 10
DATA: Final = "/data/v1/"
PRIMARIES: Final = "/primaries"

Order = TypeVar("Order")
Answer = Callable[[web.BaseRequest], Awaitable[dict[str, Any]]]


class DataOperator:
    """The socket's end in the sync process."""

    def __init__(
        self,
        records: Records,
        server: DataServer,
        *,
        replication: Callable[[], Replication | None],
        faults: Callable[[], Mapping[str, str]],
        status: SyncStatus,
        directory: DataDirSockets,
        log: Log,
    ) -> None:
        """`faults`: classes that cannot be served, and why."""
        self._records = records
        self._server = server
        self._replication = replication
        self._faults = faults
        self._sync_status = status
        self._directory = directory
        self._log = log
        self._runner: web.ServerRunner | None = None
        self.answers: dict[tuple[str, str], Answer] = {
            ("GET", "/status"): self._status,
            ("GET", STANDING): self._standing,
            ("GET", PROGRESS): self._progress,
            ("GET", "/quarantine"): self._quarantine,
            ("POST", "/quarantine"): self._retry,
            ("POST", PRIMARIES): self._primaries,
        }
        """By method and path."""

    async def open(self) -> None:
        self._runner = web.ServerRunner(
            web.Server(self._handle, access_log=None, keepalive_timeout=3600.0),
            handle_signals=False,
            shutdown_timeout=1.0,
        )
        await self._runner.setup()
        await web.SockSite(self._runner, self._directory.listen(SOCKET), backlog=128).start()

    async def close(self) -> None:
        self._directory.remove(SOCKET)
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith(DATA):
            return await self._server.handle(request)
        answer = self.answers.get((request.method, request.path))
        try:
            if answer is None:
                raise Problem(404, "no_such_path", f"found no {request.method} {request.path}")
            return response_of(json_answer(await answer(request)))
        except Problem as problem:
            return response_of(problem.answer())
        except SyncError as error:
            return response_of(of_error(error).answer())
        except Exception as error:  # noqa: BLE001 - the border: a defect of ours must not close the connection wordless
            self._log.problem("an operator's request failed by a defect", path=request.path, exc_info=error)
            return response_of(Problem(500, "defect", "the node failed to answer; its log says why").answer())

    async def _status(self, request: web.BaseRequest) -> dict[str, Any]:
        replication = self._replication()
        heard = {"member": None, "peers": [], "lag": []} if replication is None else replication.status()
        return {"collections": await operating.collections(self._records, self._faults()), **heard}

    async def _standing(self, request: web.BaseRequest) -> dict[str, Any]:
        return msgspec.structs.asdict(await self._sync_status.status())

    async def _progress(self, request: web.BaseRequest) -> dict[str, Any]:
        return msgspec.structs.asdict(await self._sync_status.progress(request.query.get("after", "")))

    async def _quarantine(self, request: web.BaseRequest) -> dict[str, Any]:
        limit = limit_of(request.query, default=100, most=operating.MAX_HELD)
        return await operating.quarantine(
            self._records, self._replication(), collection=request.query.get("collection"), limit=limit
        )

    async def _primaries(self, request: web.BaseRequest) -> dict[str, Any]:
        told = await order_of(request, dict[str, Primary])
        if self._records.primary is not None:
            self._records.primary.primacy.tell(told)
        return {}

    async def _retry(self, request: web.BaseRequest) -> dict[str, Any]:
        asked = await order_of(request, operating.Retry)
        if asked.action == "release":
            return await operating.release(self._records, self._replication(), asked)
        return await operating.retry(self._records, self._replication(), asked)


async def order_of(request: web.BaseRequest, kind: type[Order]) -> Order:
    """A small body. Raises Problem."""
    body = await read_body(request, at_most=MAX_ORDER_BYTES)
    if body is None:
        raise Problem(413, "body_too_large", f"a larger body, expected at most {MAX_ORDER_BYTES} bytes")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, "malformed_body", f"found a body that is not what was asked for: {error}") from None


class DataAbsent(Exception):
    """No process holds the data now, or it does not answer; what was asked may have been done."""


class DataLine:
    """The socket's other end, in the control process."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / SOCKET
        self._session: aiohttp.ClientSession | None = None

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> tuple[int, dict[str, Any]]:
        """Status and document. Raises DataAbsent."""
        try:
            async with self._open().request(
                method,
                f"http://sync{path}",
                params=dict(query or {}),
                headers=dict(headers or {}),
                data=body,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
            ) as answer:
                content = await answer.read()
                return answer.status, msgspec.json.decode(content, type=dict[str, Any]) if content else {}
        except (aiohttp.ClientError, OSError, TimeoutError, msgspec.DecodeError) as error:
            raise DataAbsent(f"the process that holds the data does not answer ({type(error).__name__})") from error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=str(self._path), limit=16))
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
