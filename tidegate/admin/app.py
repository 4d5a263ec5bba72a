"""The admin API of one node: health, metrics, status, explain, the dashboard. JSON under /v1; all errors are problems.

request -> known path? -> may this caller? (access.py) -> handler -> answer
/livez /readyz /healthz need no token: what asks them is a kubelet, and it learns a word.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from aiohttp import web

from config.core.signing import Signer
from config.country_database import DatabaseUnusable
from config.mesh_keys import KeysUnusable, signing_keys
from config.models import ServerTls
from config.secrets import SecretUnavailable
from gateway.admission.door import Door
from gateway.core.debugging import FIELD, MAX_VALID_S, sealed
from gateway.core.explain import explain
from gateway.core.senders import Senders
from gateway.errors import RequestRefused
from gateway.locator import Source
from gateway.tls.server import files_of, load_server_side
from tidegate.admin import access, dashboard, openapi, operator_entries, readiness, sync
from tidegate.admin.answers import AUTHOR, ID, Entry, as_json, problem
from tidegate.admin.data import DataDesk
from tidegate.admin.events import Events
from tidegate.admin.metrics import Exposition
from tidegate.admin.paths import template_of
from tidegate.admin.scheduled_drill import ScheduledDrills
from tidegate.admin.status import status
from tidegate.admin.traffic import traffic
from tidegate.node import nodes
from tidegate.node.control import Control
from tidegate.node.data_operator import DataLine
from tidegate.node.logs import Log
from tidegate.node.renewal import Renewal, TlsSite
from tidegate.node.tasks import Tasks
from tidegate.node.wall import wall

MAX_BODY_BYTES = 64 * 1024
"""A request to explain has at most the head of a request in it."""


class ExplainRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/explain."""

    method: str
    url: str
    headers: dict[str, str] = {}
    client_ip: str = "127.0.0.1"


class PermitRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/explanations."""

    valid_s: float = 600.0


class Admin:
    """The handlers, over one control."""

    def __init__(self, control: Control, *, environ: Mapping[str, str], log: Log) -> None:
        self._control = control
        self._environ = environ
        self._log = log
        self._exposition = Exposition(control)
        self._events = Events(control)
        self._line = DataLine(Path(control.plan.data_dir))
        self._data = DataDesk(control, self._line)
        self._tokens_of: tuple[object, access.Access] | None = None

    def entries(self) -> dict[tuple[str, str], Entry]:
        """By method and path, as the configuration in force says."""
        known = {
            ("GET", "/livez"): Entry(self._livez, None),
            ("GET", "/readyz"): Entry(self._readyz, None),
            ("GET", "/healthz"): Entry(self._readyz, None),
            ("GET", "/openapi.json"): Entry(self._openapi, "viewer"),
            ("GET", "/v1/status"): Entry(self._status, "viewer"),
            ("GET", "/v1/nodes"): Entry(self._nodes, "viewer"),
            ("GET", "/v1/sync/lag"): Entry(self._lag, "viewer"),
            ("POST", "/v1/explain"): Entry(self._explain, "viewer"),
            ("GET", "/v1/traffic"): Entry(self._traffic, "viewer"),
            **dashboard.entries(),
            ("POST", "/v1/explanations"): Entry(self._permit, "operator"),
            ("GET", "/v1/explanations/{id}"): Entry(self._explanation, "viewer"),
            **operator_entries.entries(self._control, self._events),
            **self._data.entries(),
        }
        if (path := self._metrics_path()) is not None:
            known["GET", path] = Entry(self._metrics, "viewer")
        return known

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Any request. The table is looked up here, and not by aiohttp's router, because a reload may change it."""
        entries = self.entries()
        method = "GET" if request.method == "HEAD" else request.method
        template, request[ID] = template_of(request.path, (path for _, path in entries)) or (None, "")
        if template is None:
            return problem(404, "no_such_path", f"found no {request.path[:200]}, expected a path of /openapi.json")
        entry = entries.get((method, template))
        if entry is None:
            allowed = sorted(method for method, path in entries if path == template)
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
        request[AUTHOR] = caller.name
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

    async def close(self, _: web.Application) -> None:
        """With the app."""
        await self._line.close()

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

    async def _nodes(self, request: web.Request) -> web.Response:
        return as_json(nodes.listed(self._control))

    async def _lag(self, request: web.Request) -> web.Response:
        return as_json(sync.shown(self._control))

    async def _traffic(self, request: web.Request) -> web.Response:
        return as_json(traffic(self._control))

    async def _permit(self, request: web.Request) -> web.Response:
        """A field that makes requests explained, for a while."""
        try:
            asked = msgspec.json.decode(await request.read() or b"{}", type=PermitRequest)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return problem(400, "malformed_body", f"found a body that is not what was asked for: {error}")
        if not 1 <= asked.valid_s <= MAX_VALID_S:
            return problem(400, "malformed_body", f"found {asked.valid_s} s, expected 1 to {MAX_VALID_S:.0f}")
        config = self._control.configuration.loaded.config
        try:
            keys = await asyncio.to_thread(signing_keys, config, environ=self._environ)
        except (KeysUnusable, SecretUnavailable) as error:
            return problem(503, "no_keys", f"found no signing keys: {error}")
        until = self._control.wall() + asked.valid_s
        author = str(request[AUTHOR])
        self._log.info("a debug field was made", author=author, valid_s=asked.valid_s)
        return as_json({"name": FIELD, "value": sealed(Signer(keys), until=until, author=author), "until": until})

    async def _explanation(self, request: web.Request) -> web.Response:
        found = self._control.totals.explanations.get(request[ID])
        if found is None:
            detail = "found no such explanation, expected one of this node's latest; it comes a second after its answer"
            return problem(404, "no_such_explanation", detail)
        return as_json(found)

    async def _explain(self, request: web.Request) -> web.Response:
        try:
            asked = msgspec.json.decode(await request.read(), type=ExplainRequest)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return problem(400, "malformed_body", f"found a body that is not what was asked for: {error}")
        snapshot = self._control.snapshot
        if snapshot is None:
            return problem(503, "starting", "found no snapshot yet, expected one within a second of the start")
        door = Door(environ=self._environ, now=time.monotonic, wall=wall, table=self._control.limits)
        config = self._control.configuration.loaded.config
        await asyncio.to_thread(door.adopt, config)
        try:
            countries = await asyncio.to_thread(Source, config.geo.database)
            explanation = explain(
                replace(snapshot, locate=countries.place_of),
                method=asked.method,
                url=asked.url,
                headers=list(asked.headers.items()),
                client_ip=asked.client_ip,
                country=countries.country_of,
                senders=Senders.of(config),
                admission=door.explain,
                held=held_everywhere(self._control),
                notes=notes(self._control),
                wall=wall(),
            )
        except DatabaseUnusable as error:
            return problem(503, "no_countries", f"found a country database that cannot be used: {error}")
        except RequestRefused as error:
            return problem(400, error.reason, error.detail)
        except ValueError as error:
            return problem(400, "malformed_url", f"found a URL that cannot be read: {error}")
        return as_json(explanation)


def held_everywhere(control: Control) -> dict[str, str]:
    """Why, for each endpoint that every serving data plane holds back now."""
    planes = len(control.serving())
    return {
        endpoint: f"{counts[0].held}: for {max(count.held_s for count in counts):.1f} s more, on all data planes"
        for endpoint, counts in control.held_back().items()
        if len(counts) >= planes
    }


def notes(control: Control) -> dict[str, str]:
    """What else the data planes know: held back by some of them, or started a short while ago."""
    planes = len(control.serving())
    said = {
        endpoint: f"{counts[0].held} on {len(counts)} of {planes} data planes"
        for endpoint, counts in control.held_back().items()
        if len(counts) < planes
    }
    for endpoint, share in control.starting().items():
        said[endpoint] = f"slow_start: {share:.0%} of its weight"
    return said


def make_app(admin: Admin) -> web.Application:
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.router.add_route("*", "/{path:.*}", admin.handle)
    app.on_cleanup.append(admin.close)
    return app


class AdminServer:
    """The app on its listening socket, under the TLS of the configuration in force."""

    def __init__(self, control: Control, listening: socket.socket, *, environ: Mapping[str, str], log: Log) -> None:
        self._control = control
        self._runner = web.AppRunner(
            make_app(Admin(control, environ=environ, log=log)),
            access_log=None,
            shutdown_timeout=2.0,
            keepalive_timeout=60.0,
        )
        self._site = TlsSite(self._runner, listening, backlog=1024)
        self._renewal = Renewal(
            "admin API",
            files=lambda: () if (tls := self._tls()) is None else files_of(tls),
            renew=self.show,
            log=log,
            settings=self._tls,
        )

    async def open(self) -> None:
        """Raises `TlsMaterialRefused`."""
        await self._runner.setup()
        await self.show()

    async def show(self) -> None:
        """What the files say now. Raises `TlsMaterialRefused`."""
        tls = self._tls()
        side = None if tls is None else await asyncio.to_thread(load_server_side, tls)
        await self._site.show(None if side is None else side.context)

    async def renew(self) -> None:
        """Certificates that change, until cancelled."""
        await self._renewal.run()

    async def cleanup(self) -> None:
        await self._site.close()

    def _tls(self) -> ServerTls | None:
        return self._control.configuration.loaded.config.admin.tls


async def serve_admin(
    control: Control, listening: socket.socket, *, environ: Mapping[str, str], log: Log, tasks: Tasks
) -> AdminServer:
    """Serve on a listening socket, which becomes the server's; `cleanup()` ends it. Raises `TlsMaterialRefused`."""
    server = AdminServer(control, listening, environ=environ, log=log)
    await server.open()
    tasks.keep("admin certificates", server.renew)
    tasks.keep("scheduled drills", ScheduledDrills(control).run)
    return server
