"""The data plane of one worker: listeners, the snapshot in force, and what it counts.

    publish(message)  ──>  RoutingSnapshot, swapped in one assignment; a request keeps the one it started with
    listen(...)       ──>  connections, each a ClientConnection (gateway/proxy/client.py)
    report()          ──>  what the control process hears
    drain(...)        ──>  no new connections, `Connection: close` on answers, an end when all are done

It needs nothing but its last snapshot: with everything else gone it keeps serving. Verdicts that nobody confirms any
more grow stale, and a down verdict that is stale admits trial requests (gateway/core/gate.py).
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from config.models import Config
from gateway.core.book import EndpointBook
from gateway.core.durations import Durations
from gateway.core.retries import RetryBudget
from gateway.core.snapshot import CompiledRouting, RoutingSnapshot, build_snapshot, compile_routing
from gateway.core.timer_wheel import TimerWheel
from gateway.counts import Counts
from gateway.errors import PublicationRefused, TlsMaterialRefused
from gateway.messages import EndpointState, Heartbeat, Publication, Report
from gateway.proxy.acceptor import Acceptor
from gateway.proxy.listening import ListenerSettings
from gateway.proxy.outcome import Outcome, access_line
from gateway.proxy.pool import Pool
from gateway.proxy.roles import Client
from gateway.tls.keeper import Keeper

TICK_S: Final = 0.1
STALENESS_CHECK_S: Final = 1.0
IDLE_GRACE_S: Final = 1.0
"""In a drain, an idle connection may still bring one request, which is answered with `Connection: close`; one that is
closed at the very moment its client writes would lose it."""

_log = logging.getLogger("gateway.dataplane")


class DataPlane:
    """Made on the running event loop, and used only there."""

    def __init__(
        self,
        *,
        node_id: str,
        access_log: Callable[[bytes], None],
        rng: random.Random,
        wall: Callable[[], float],
        workers: int = 1,
    ) -> None:
        """`access_log` takes one line a request; `wall` is Unix time, for people to read; `workers` share the node."""
        self.loop = asyncio.get_running_loop()
        self.now: Callable[[], float] = self.loop.time
        self.node_id = node_id
        self.workers = max(1, workers)
        self.rng = rng
        self.snapshot: RoutingSnapshot | None = None
        self.is_draining = False
        self.wheel = TimerWheel(now=self.now(), tick_s=TICK_S)
        self.pool = Pool()
        self.book = EndpointBook()
        self._wall = wall
        self._access_log = access_log
        self.logs_access = True
        self._counts = Counts()
        self._budgets: dict[str, RetryBudget] = {}
        self._durations: dict[str, Durations] = {}
        self._listeners: dict[str, ListenerSettings] = {}
        self._acceptors: list[Acceptor] = []
        self._clients: set[Client] = set()
        self.handshakes = 0
        self._tls = Keeper(self._on_certificates_changed)
        self._watches_certificates = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_flight_ended = asyncio.Event()
        self._config: Config | None = None
        self._states: dict[str, EndpointState] = {}
        self._trials_passed: set[str] = set()
        self._confirmed_at = self.now()
        self._request_prefix = b"%016x-" % rng.getrandbits(64)
        self._requests_begun = 0
        self._stamp_second = -1
        self._stamp = ""
        self._timer = self.loop.call_later(TICK_S, self._tick)
        self._next_staleness_check = self.now() + STALENESS_CHECK_S

    # -- what the control process says

    @property
    def version(self) -> int | None:
        """Of the snapshot in force."""
        return self.snapshot.version if self.snapshot else None

    @property
    def config_digest(self) -> str | None:
        """Of the configuration in force."""
        return self.snapshot.routing.config_digest if self.snapshot else None

    def publish(self, message: Publication) -> None:
        """Compile and swap. Raises `PublicationRefused`, and keeps what it has, where that cannot be done."""
        if message.config_digest == self.config_digest and self.snapshot is not None:
            routing = self.snapshot.routing
        elif message.config is None:
            raise PublicationRefused("a publication without the configuration that it is about")
        else:
            routing = self._compile(message.config, message.config_digest)
        self._confirmed_at = self.now()
        self._states = dict(message.endpoints)
        self._trials_passed.clear()
        self._swap(routing, version=message.version, rtts=message.region_rtts)

    def heartbeat(self, message: Heartbeat) -> None:
        """The verdicts published last are still being checked."""
        self._confirmed_at = self.now()

    def _compile(self, text: str, digest: str) -> CompiledRouting:
        try:
            config = Config.model_validate_json(text)
            material = self._tls.load(config)
            routing = compile_routing(config, digest=digest, now=self._wall(), upstream_tls=material.services)
        except (ValidationError, ValueError, TlsMaterialRefused) as error:
            raise PublicationRefused(f"a configuration that does not compile: {error}") from error
        self._config = config
        self._tls.adopt(config, material)
        if material.files and not self._watches_certificates:
            self._watches_certificates = True
            self.spawn(self._tls.run(), "certificate files")
        self.logs_access = config.observability.access_log.enabled
        for listener in config.listeners:
            known = self._listeners.get(listener.name)
            fresh = ListenerSettings(
                listener, node_id=self.node_id, workers=self.workers, tls=material.listeners.get(listener.name)
            )
            if known is None:
                self._listeners[listener.name] = fresh
            else:
                known.adopt(fresh)
        for acceptor in self._acceptors:
            if not acceptor.fits():
                self.spawn(acceptor.open(), "reopen listener")
        return routing

    def _on_certificates_changed(self) -> None:
        """New handshakes and new upstream connections go by what the files say now; open ones keep what they have."""
        material, config, snapshot = self._tls.material, self._config, self.snapshot
        for name, settings in self._listeners.items():
            settings.tls = material.listeners.get(name)
        if snapshot is not None and config is not None:
            digest, services = snapshot.routing.config_digest, material.services
            routing = compile_routing(config, digest=digest, now=self._wall(), upstream_tls=services)
            self._swap(routing, version=snapshot.version)

    def _swap(self, routing: CompiledRouting, *, version: int, rtts: dict[str, float] | None = None) -> None:
        previous = self.snapshot
        states = self._states
        if self._trials_passed:
            passed = {name: EndpointState("untested", "a trial request passed") for name in self._trials_passed}
            states = {**states, **passed}
        snapshot = build_snapshot(
            routing,
            version=version,
            endpoints=states,
            region_rtts=rtts if rtts is not None else previous.region_rtts if previous else {},
            previous_order=previous.latency_order if previous else (),
            verdict_age_s=self.now() - self._confirmed_at,
        )
        self.snapshot = snapshot
        if previous is None or previous.routing is not routing:
            self._forget_removed_endpoints(routing)

    def _forget_removed_endpoints(self, routing: CompiledRouting) -> None:
        known = {endpoint.id for service in routing.services.values() for endpoint in service.endpoints}
        gone = self.book.forget_all_but(known)
        self._counts.forget(gone)
        for endpoint_id in gone:
            self.pool.close_endpoint(endpoint_id)
        for service in [name for name in self._budgets if name not in routing.services]:
            del self._budgets[service]
            self._durations.pop(service, None)

    # -- listening and draining

    async def listen(self, listener: str, sock: socket.socket) -> Acceptor:
        """Accept from a listening socket, which becomes this data plane's own: pass a duplicate."""
        settings = self._listeners.get(listener)
        if settings is None:
            raise PublicationRefused(f"listener {listener!r} is in no configuration published so far")
        acceptor = Acceptor(self, settings, sock)
        await acceptor.open()
        self._acceptors.append(acceptor)
        return acceptor

    async def drain(self, grace_s: float) -> int:
        """Stop accepting, finish what is in flight, close. Returns the requests cut off when `grace_s` was over."""
        await asyncio.sleep(0)  # one turn of the loop: what waits in the accept queue is accepted first
        self.is_draining = True
        for acceptor in self._acceptors:
            acceptor.close()
        deadline = self.now() + grace_s
        self.loop.call_later(min(IDLE_GRACE_S, grace_s), self._close_idle)
        while (self._clients or self.handshakes) and self.now() < deadline:
            self._in_flight_ended.clear()
            try:
                async with asyncio.timeout(deadline - self.now()):
                    await self._in_flight_ended.wait()
            except TimeoutError:
                break
        cut = sum(1 for client in self._clients if not client.is_idle)
        for client in list(self._clients):
            client.abort()
        self.pool.close_all()
        self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        return cut

    def _close_idle(self) -> None:
        for client in list(self._clients):
            if client.is_idle:
                client.close()

    # -- what the connections need (gateway/proxy/ports.py)

    def budget(self, service: str) -> RetryBudget:
        budget = self._budgets.get(service)
        if budget is None:
            budget = self._budgets[service] = RetryBudget(now=self.now())
        return budget

    def durations(self, service: str) -> Durations:
        durations = self._durations.get(service)
        if durations is None:
            durations = self._durations[service] = Durations()
        return durations

    def next_request_id(self) -> bytes:
        """Unique for as long as 64 random bits and a count are."""
        self._requests_begun += 1
        return self._request_prefix + b"%x" % self._requests_begun

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Start what must wait; its failure is logged, for it is a defect of ours."""
        task = self.loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("task %s failed", task.get_name(), exc_info=error)

    def add_client(self, client: Client) -> None:
        self._clients.add(client)

    def remove_client(self, client: Client) -> None:
        self._clients.discard(client)
        if not self._clients:
            self._in_flight_ended.set()

    def handshake_ended(self) -> None:
        if not self._clients:
            self._in_flight_ended.set()

    def count(self, route: str, region: str, status: int, reason: str, started_at: float) -> None:
        self._counts.add(route, region, status, reason, self.now() - started_at)

    def record(self, outcome: Outcome) -> None:
        self.count(outcome.route, outcome.region, outcome.status, outcome.reason, outcome.started_at)
        if self.logs_access:
            self.log(outcome)

    def log(self, outcome: Outcome) -> None:
        duration_s = self.now() - outcome.started_at
        self._access_log(access_line(outcome, node_id=self.node_id, stamp=self._time_stamp(), duration_s=duration_s))

    def trial_passed(self, endpoint_id: str) -> None:
        """An endpoint whose down verdict had gone stale has answered: it serves until someone says otherwise."""
        if self.snapshot is not None and endpoint_id not in self._trials_passed:
            self._trials_passed.add(endpoint_id)
            self._swap(self.snapshot.routing, version=self.snapshot.version)

    def report(self) -> Report:
        """Counts since the last call, and gauges as they are now."""
        return Report(
            version=self.version,
            connections=len(self._clients),
            in_flight=sum(load.in_flight for load in self.book.loads.values()),
            routes=self._counts.take_routes(),
            endpoints=self._counts.take_endpoints(self.book),
        )

    # -- time

    def _tick(self) -> None:
        self._timer = self.loop.call_later(TICK_S, self._tick)
        now = self.now()
        self.wheel.advance(now)
        if now >= self._next_staleness_check:
            self._next_staleness_check = now + STALENESS_CHECK_S
            self._admit_trials(now)

    def _admit_trials(self, now: float) -> None:
        """Rebuild when a down verdict has just gone stale: its endpoint then moves from passed over to trial."""
        snapshot = self.snapshot
        if snapshot is None or now - self._confirmed_at < STALENESS_CHECK_S * 2:
            return
        if any(pool.passed_over for pools in snapshot.pools.values() for pool in pools.values()):
            self._swap(snapshot.routing, version=snapshot.version)

    def _time_stamp(self) -> str:
        wall = self._wall()
        second = int(wall)
        if second != self._stamp_second:
            self._stamp_second = second
            self._stamp = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._stamp}.{int((wall - second) * 1000):03d}Z"
