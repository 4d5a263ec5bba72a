"""The part of the admin API's table that operators act by; what each does is in `operating.py`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from aiohttp import web

from health.core.drain import TargetKind
from tidegate.admin import failover, operating
from tidegate.admin.answers import AUTHOR, ID, Entry, Handler, as_json, problem
from tidegate.admin.events import Events
from tidegate.admin.failover import FailoverBody
from tidegate.admin.operating import DrainBody, OverrideBody
from tidegate.node.journal import KEPT
from tidegate.node.orders import OrderRefused

if TYPE_CHECKING:
    from tidegate.node.control import Control

Body = TypeVar("Body")
KINDS: tuple[tuple[TargetKind, str], ...] = (("region", "regions"), ("service", "services"), ("endpoint", "endpoints"))


def entries(control: Control, events: Events) -> dict[tuple[str, str], Entry]:
    """By method and path."""
    found = {
        ("GET", "/v1/regions"): Entry(_answers(lambda request: operating.regions(control)), "viewer"),
        ("GET", "/v1/services"): Entry(_answers(lambda request: {"services": operating.services(control)}), "viewer"),
        ("GET", "/v1/drains"): Entry(_answers(lambda request: {"drains": operating.drained(control)}), "viewer"),
        ("GET", "/v1/decisions"): Entry(_answers(lambda request: _decisions(control, request)), "viewer"),
        ("GET", "/v1/events"): Entry(events.handle, "viewer"),
        ("GET", "/v1/failover"): Entry(
            _answers(lambda request: failover.shown(control, request.query.get("to"))), "viewer"
        ),
        ("POST", "/v1/failover"): Entry(_acts(lambda request: _failover(control, request)), "operator"),
        ("GET", "/v1/services/{id}/endpoints"): Entry(
            _answers(lambda request: operating.endpoints(control, request[ID])), "viewer"
        ),
        ("POST", "/v1/endpoints/{id}/override"): Entry(_acts(lambda request: _override(control, request)), "operator"),
    }
    for kind, plural in KINDS:
        path = f"/v1/{plural}/{{id}}/drain"
        found |= {
            ("GET", path): Entry(_answers(_shown(control, kind)), "viewer"),
            ("POST", path): Entry(_acts(_drain(control, kind)), "operator"),
            ("DELETE", path): Entry(_acts(_undrain(control, kind)), "operator"),
        }
    return found


async def body_of(request: web.Request, kind: type[Body]) -> Body:
    """An empty body is `{}`. Raises `OrderRefused`."""
    try:
        return msgspec.json.decode(await request.read() or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        detail = f"found a body that is not what was asked for: {error}"
        raise OrderRefused(400, "malformed_body", detail) from error


def _answers(work: Callable[[web.Request], dict[str, Any]]) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        try:
            return as_json(work(request))
        except OrderRefused as refused:
            return problem(refused.status, refused.reason, str(refused))

    return handle


def _acts(work: Callable[[web.Request], Awaitable[tuple[int, dict[str, Any]]]]) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        try:
            status, answer = await work(request)
        except OrderRefused as refused:
            return problem(refused.status, refused.reason, str(refused))
        except OSError as error:
            detail = f"the journal of decisions cannot be written ({error}), so nothing was done"
            return problem(503, "journal_unwritable", detail)
        return as_json(answer, status=status)

    return handle


def _shown(control: Control, kind: TargetKind) -> Callable[[web.Request], dict[str, Any]]:
    def work(request: web.Request) -> dict[str, Any]:
        target = operating.target(kind, request[ID])
        shown = operating.resource(control, target)
        if "over_s" not in shown:
            raise OrderRefused(404, "no_drain", f"found no drain of {kind} {target.id}")
        return shown

    return work


def _drain(control: Control, kind: TargetKind) -> Callable[[web.Request], Awaitable[tuple[int, dict[str, Any]]]]:
    async def work(request: web.Request) -> tuple[int, dict[str, Any]]:
        body = await body_of(request, DrainBody)
        target = operating.target(kind, request[ID])
        return await operating.post_drain(control, target, body, author=request[AUTHOR])

    return work


def _undrain(control: Control, kind: TargetKind) -> Callable[[web.Request], Awaitable[tuple[int, dict[str, Any]]]]:
    async def work(request: web.Request) -> tuple[int, dict[str, Any]]:
        return await operating.delete_drain(
            control,
            operating.target(kind, request[ID]),
            over=request.query.get("over"),
            reason=request.query.get("reason", ""),
            is_local=request.query.get("local", "false") == "true",
            author=request[AUTHOR],
        )

    return work


async def _override(control: Control, request: web.Request) -> tuple[int, dict[str, Any]]:
    body = await body_of(request, OverrideBody)
    endpoint = operating.target("endpoint", request[ID]).id
    return await operating.post_override(control, endpoint, body, author=request[AUTHOR])


async def _failover(control: Control, request: web.Request) -> tuple[int, dict[str, Any]]:
    body = await body_of(request, FailoverBody)
    return await failover.post_failover(control, body, author=request[AUTHOR])


def _decisions(control: Control, request: web.Request) -> dict[str, Any]:
    given = request.query.get("limit", "100")
    if not given.isascii() or not given.isdigit() or not 1 <= int(given[:9]) <= KEPT:
        raise OrderRefused(400, "malformed_query", f"limit: found {given[:20]}, expected 1 to {KEPT}")
    return operating.decisions(control, limit=int(given))
