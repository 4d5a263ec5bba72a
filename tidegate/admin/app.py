"""The admin API of one node: health, metrics, status, explain. JSON under /v1, every error a problem document.

request -> known path? -> may this caller? (access.py) -> handler -> answer
/livez /readyz /healthz need no token: what asks them is a kubelet, and it learns a word.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web

from gateway.core.explain import explain
from gateway.core.problems import problem_document
from gateway.errors import RequestRefused
from gateway.location import country_of
from tidegate.admin import access, openapi, readiness
from tidegate.admin.metrics import Exposition
from tidegate.admin.status import status
from tidegate.node.control import Control
from tidegate.node.logs import Log

MAX_BODY_BYTES = 64 * 1024
"""A request to explain has at most the head of a request in it."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ExplainRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/explain."""

    method: str
    url: str
    headers: dict[str, str] = {}
    client_ip: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that can be asked; `role` None is open to everyone who can connect."""

    handle: Handler
    role: access.Role | None


class Admin:
    """The handlers, over one control."""

    def __init__(self, control: Control, *, environ: Mapping[str, str], log: Log) -> None:
        self._control = control
        self._environ = environ
        self._log = log
        self._exposition = Exposition(control)
        self._tokens_of: tuple[object, access.Access] | None = None

    def entries(self) -> dict[tuple[str, str], Entry]:
        """By method and path, as the configuration in force says."""
        known = {
            ("GET", "/livez"): Entry(self._livez, None),
            ("GET", "/readyz"): Entry(self._readyz, None),
            ("GET", "/healthz"): Entry(self._readyz, None),
            ("GET", "/openapi.json"): Entry(self._openapi, "viewer"),
            ("GET", "/v1/status"): Entry(self._status, "viewer"),
            ("POST", "/v1/explain"): Entry(self._explain, "viewer"),
        }
        if (path := self._metrics_path()) is not None:
            known["GET", path] = Entry(self._metrics, "viewer")
        return known

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Any request. The table is looked up here, and not by aiohttp's router, because a reload may change it."""
        entries = self.entries()
        method = "GET" if request.method == "HEAD" else request.method
        entry = entries.get((method, request.path))
        if entry is None:
            allowed = sorted(method for method, path in entries if path == request.path)
            if not allowed:
                return problem(404, "no_such_path", f"found no {request.path[:200]}, expected a path of /openapi.json")
            detail = f"found {request.method[:20]}, expected {' or '.join(allowed)}"
            return problem(405, "method_not_allowed", detail, headers={"Allow": ", ".join(allowed)})
        if entry.role is not None and (refusal := self._refuses(request, entry.role)) is not None:
            return refusal
        try:
            return await entry.handle(request)
        except web.HTTPRequestEntityTooLarge:
            return problem(413, "body_too_large", f"found a larger body, expected at most {MAX_BODY_BYTES} bytes")
        except Exception as error:  # noqa: BLE001 - the border: a defect of ours must not close the connection wordless
            self._log.problem("admin request failed", path=request.path, exc_info=error)
            return problem(500, "defect", "the node failed to answer; its log says why")

    def _refuses(self, request: web.Request, role: access.Role) -> web.Response | None:
        caller = self._caller(request)
        if isinstance(caller, access.Refusal):
            headers = {"WWW-Authenticate": 'Bearer realm="tidegate"'} if caller.status == 401 else {}
            return problem(caller.status, caller.reason, caller.detail, headers=headers)
        if not access.may(caller, role):
            return problem(403, "role_too_low", f"found the role {caller.role}, expected {role}")
        return None

    def _caller(self, request: web.Request) -> access.Caller | access.Refusal:
        tokens = self._control.configuration.loaded.config.admin.tokens
        if self._tokens_of is None or self._tokens_of[0] is not tokens:
            known, missing = access.load_tokens(tokens, environ=self._environ)
            for sentence in missing:
                self._log.problem("an admin token lets nobody in", reason=sentence)
            self._tokens_of = (tokens, access.Access(known))
        return self._tokens_of[1].identify(
            authorization=request.headers.get("Authorization"),
            peer=str(((request.transport and request.transport.get_extra_info("peername")) or ("",))[0]),
            host=request.headers.get("Host", ""),
            today=datetime.now(UTC).date(),
        )

    def _metrics_path(self) -> str | None:
        metrics = self._control.configuration.loaded.config.observability.metrics
        return metrics.path if metrics.enabled else None

    # Handlers

    async def _livez(self, request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        code = 200 if readiness.is_ready(self._control) else 503
        if "verbose" in request.query and isinstance(self._caller(request), access.Caller):
            return web.Response(status=code, text=readiness.report(self._control))
        return web.Response(status=code, text="ok\n" if code == 200 else "not ready\n")

    async def _metrics(self, request: web.Request) -> web.Response:
        body, content_type = self._exposition.text(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _openapi(self, request: web.Request) -> web.Response:
        return as_json(openapi.document(self._metrics_path()))

    async def _status(self, request: web.Request) -> web.Response:
        return as_json(status(self._control))

    async def _explain(self, request: web.Request) -> web.Response:
        try:
            asked = msgspec.json.decode(await request.read(), type=ExplainRequest)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return problem(400, "malformed_body", f"found a body that is not what was asked for: {error}")
        snapshot = self._control.snapshot
        if snapshot is None:
            return problem(503, "starting", "found no snapshot yet, expected one within a second of the start")
        try:
            explanation = explain(
                snapshot,
                method=asked.method,
                url=asked.url,
                headers=list(asked.headers.items()),
                client_ip=asked.client_ip,
                country=country_of,
            )
        except RequestRefused as error:
            return problem(400, error.reason, error.detail)
        except ValueError as error:
            return problem(400, "malformed_url", f"found a URL that cannot be read: {error}")
        return as_json(explanation)


def problem(status_code: int, reason: str, detail: str, *, headers: Mapping[str, str] | None = None) -> web.Response:
    """The one way in which this API says no (RFC 9457, API.md)."""
    instance = secrets.token_hex(12)
    body = problem_document(status=status_code, reason=reason, detail=detail, instance=instance)
    return web.Response(
        status=status_code,
        body=body,
        content_type="application/problem+json",
        headers={"X-Request-Id": instance, "Cache-Control": "no-store", **(headers or {})},
    )


def as_json(value: Any) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value), content_type="application/json", headers={"Cache-Control": "no-store"}
    )


def make_app(admin: Admin) -> web.Application:
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.router.add_route("*", "/{path:.*}", admin.handle)
    return app


async def serve_admin(
    control: Control, listening: socket.socket, *, environ: Mapping[str, str], log: Log
) -> web.AppRunner:
    """Serve on a listening socket, which becomes the runner's; `cleanup()` ends it."""
    runner = web.AppRunner(
        make_app(Admin(control, environ=environ, log=log)),
        access_log=None,
        shutdown_timeout=2.0,
        keepalive_timeout=60.0,
    )
    await runner.setup()
    await web.SockSite(runner, listening, backlog=1024).start()
    return runner
