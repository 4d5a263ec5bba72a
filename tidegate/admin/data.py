"""The data, for operators: how it is replicated, what is in conflict, what waits in quarantine.

    GET        /v1/sync                              collections with figures, peers, lag
    GET        /v1/sync/quarantine                   received and not applied; POST tries again, or goes on without
    GET        /v1/sync/collections/{id}/conflicts   keys in conflict, and versions that the clock decided against
    GET, POST  /v1/sync/collections/{id}/conflict    one key's versions; the resolution, itself an operation
    GET        /v1/sync/upkeep                       members, comparisons, a snapshot under way, the backup
    POST       /v1/sync/evict, snapshot, backup      orders to it

The control process keeps no data: it asks the process that does (tidegate/node/data_operator.py). What names keys or
shows values needs the role operator. The journal of decisions goes to every region, so it names a collection and who
acted, never a key; the key is in the operation, which goes where its collection may.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

import msgspec
from aiohttp import web

from tidegate.admin.answers import AUTHOR, ID, Entry, Handler, as_json, problem
from tidegate.node.data_operator import DataAbsent, DataLine
from tidegate.node.journal import Outcome
from tidegate.node.orders import OrderRefused

if TYPE_CHECKING:
    from tidegate.node.control import Control

Work = Callable[[web.Request], Awaitable[tuple[int, dict[str, Any]]]]
MAX_DETAIL: Final = 300


class ConflictResolution(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST .../conflict."""

    key: str
    context: str
    """Of the versions that were looked at: a version that came later stays in conflict."""
    choose: str | None = None
    """One of the versions; or a value of its own:"""
    value: msgspec.Raw = msgspec.Raw()
    value_base64: str | None = None
    content_type: str = ""
    reason: str = ""


class QuarantineRetry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/sync/quarantine."""

    collection: str
    action: Literal["retry", "release"] = "retry"
    origin: str | None = None
    """To retry; None: of all."""
    version: str | None = None
    """To release: as GET names it."""
    reason: str = ""


class MemberEviction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/sync/evict."""

    member: str
    because: str = ""


class SnapshotOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/sync/snapshot."""

    collection: str
    region: str | None = None
    reason: str = ""


class DataDesk:
    """The handlers, over one control."""

    def __init__(self, control: Control, line: DataLine) -> None:
        self._control = control
        self._line = line

    def entries(self) -> dict[tuple[str, str], Entry]:
        """By method and path."""
        return {
            ("GET", "/v1/sync"): Entry(self._handled(self._status), "viewer"),
            ("GET", "/v1/sync/quarantine"): Entry(self._handled(self._quarantine), "operator"),
            ("POST", "/v1/sync/quarantine"): Entry(self._handled(self._retry), "operator"),
            ("GET", "/v1/sync/collections/{id}/conflicts"): Entry(self._handled(self._conflicts), "operator"),
            ("GET", "/v1/sync/collections/{id}/conflict"): Entry(self._handled(self._conflict), "operator"),
            ("POST", "/v1/sync/collections/{id}/conflict"): Entry(self._handled(self._resolve), "operator"),
            ("GET", "/v1/sync/upkeep"): Entry(self._handled(self._upkeep), "viewer"),
            ("POST", "/v1/sync/evict"): Entry(self._handled(self._evict), "operator"),
            ("POST", "/v1/sync/snapshot"): Entry(self._handled(self._snapshot), "operator"),
            ("POST", "/v1/sync/backup"): Entry(self._handled(self._backup), "operator"),
        }

    def _handled(self, work: Work) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            try:
                if self._control.configuration.loaded.config.sync is None:
                    raise OrderRefused(404, "no_data", "found no `sync` in the configuration: this node keeps no data")
                status, answer = await work(request)
            except OrderRefused as refused:
                return problem(refused.status, refused.reason, str(refused))
            except DataAbsent as absent:
                return problem(503, "data_unavailable", str(absent), headers={"Retry-After": "1"})
            except OSError as error:
                detail = f"the journal of decisions cannot be written ({error}), so nothing was done"
                return problem(503, "journal_unwritable", detail)
            return as_json(answer, status=status)

        return handle

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Raises OrderRefused, with what the data's own process says, and DataAbsent."""
        status, told = await self._line.ask(method, path, query=query, headers=headers, body=body)
        if status >= 400:
            detail = str(told.get("detail", f"status {status}"))[:MAX_DETAIL]
            raise OrderRefused(status, str(told.get("reason", "refused")), detail)
        return status, told

    async def _status(self, request: web.Request) -> tuple[int, dict[str, Any]]:
        status, told = await self._ask("GET", "/status")
        return status, {
            "node": self._control.plan.node_id,
            "primaries": self._control.write_leases.shown(),
            **told,
        }

    async def _quarantine(self, request: web.Request) -> tuple[int, dict[str, Any]]:
        return await self._ask("GET", "/quarantine", query=_only(request, "collection", "limit"))

    async def _conflicts(self, request: web.Request) -> tuple[int, dict[str, Any]]:
        return await self._ask("GET", _path(request, "conflicts"), query=_only(request, "after", "limit"))

    async def _conflict(self, request: web.Request) -> tuple[int, dict[str, Any]]:
        return await self._ask("GET", _path(request, _key(request.query.get("key", ""))))

    async def _retry(self, request: web.Request) -> tuple[int, dict[str, Any]]:
        asked = await _body(request, QuarantineRetry)
        order = {
            "collection": asked.collection,
            "action": asked.action,
            "origin": asked.origin,
            "version": asked.version,
        }

        def ask() -> Awaitable[tuple[int, dict[str, Any]]]:
            return self._ask("POST", "/quarantine", body=msgspec.json.encode(order))

        return await self._journalled(
            f"{asked.action} quarantine", f"collection/{asked.collection[:100]}", asked.reason, request[AUTHOR], ask
        )

    async def _resolve(self, request: web.Request) -> tuple[int, dict[str, Any]]:
        asked = await _body(request, ConflictResolution)
        order: dict[str, Any] = {"context": asked.context, "content_type": asked.content_type}
        if asked.choose is not None:
            order["choose"] = asked.choose
        if bytes(asked.value) != b"":
            order["value"] = asked.value
        if asked.value_base64 is not None:
            order["value_base64"] = asked.value_base64
        path, author = _path(request, _key(asked.key)), request[AUTHOR]

        async def ask() -> tuple[int, dict[str, Any]]:
            headers = {"Tidegate-Actor": quote(f"operator:{author}")}
            status, _ = await self._ask("POST", path, headers=headers, body=msgspec.json.encode(order))
            return 200, {"collection": request[ID], "key": asked.key, "resolved": True, "pending": status == 202}

        return await self._journalled("resolve", f"collection/{request[ID][:100]}", asked.reason, author, ask)

    async def _upkeep(self, request: web.Request) -> tuple[int, dict[str, Any]]:
        return await self._ask("GET", "/upkeep")

    async def _evict(self, request: web.Request) -> tuple[int, dict[str, Any]]:
        asked = await _body(request, MemberEviction)

        def ask() -> Awaitable[tuple[int, dict[str, Any]]]:
            return self._ask("POST", "/evict", body=msgspec.json.encode(asked))

        subject = f"member/{asked.member[:100]}"
        return await self._journalled("evict member", subject, asked.because, request[AUTHOR], ask)

    async def _snapshot(self, request: web.Request) -> tuple[int, dict[str, Any]]:
        asked = await _body(request, SnapshotOrder)
        order = {"collection": asked.collection, "region": asked.region}

        def ask() -> Awaitable[tuple[int, dict[str, Any]]]:
            return self._ask("POST", "/snapshot", body=msgspec.json.encode(order))

        subject = f"collection/{asked.collection[:100]}"
        return await self._journalled("take snapshot", subject, asked.reason, request[AUTHOR], ask)

    async def _backup(self, request: web.Request) -> tuple[int, dict[str, Any]]:
        def ask() -> Awaitable[tuple[int, dict[str, Any]]]:
            return self._ask("POST", "/backup")

        subject = f"node/{self._control.plan.node_id}"
        return await self._journalled("back up", subject, "", request[AUTHOR], ask)

    async def _journalled(
        self,
        what: str,
        subject: str,
        why: str,
        author: str,
        act: Callable[[], Awaitable[tuple[int, dict[str, Any]]]],
    ) -> tuple[int, dict[str, Any]]:
        """Written down before and after. Raises what the act raises, and OSError."""
        journal = self._control.journal
        decision = await journal.begin(what, subject, author=author, why=why)
        try:
            status, answer = await act()
        except (OrderRefused, DataAbsent) as error:
            outcome: Outcome = "unknown" if isinstance(error, DataAbsent) else "refused"
            await journal.end(decision, outcome, error.reason if isinstance(error, OrderRefused) else str(error))
            raise
        await journal.end(decision, "done")
        return status, answer


def _only(request: web.Request, *names: str) -> dict[str, str]:
    return {name: request.query[name] for name in names if name in request.query}


def _key(key: str) -> str:
    if not key:
        raise OrderRefused(400, "malformed_query", "found no key, expected one")
    return f"{quote(key, safe='')}/conflict"


def _path(request: web.Request, rest: str) -> str:
    return f"/data/v1/{quote(request[ID], safe='')}/{rest}"


async def _body(request: web.Request, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(await request.read() or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise OrderRefused(400, "malformed_body", f"found a body that is not what was asked for: {error}") from error
