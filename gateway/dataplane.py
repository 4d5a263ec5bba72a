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
import contextlib
import logging
import os
import random
import socket
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Protocol

from pydantic import ValidationError

from config.country_database import DatabaseUnusable
from config.mesh_keys import KeysUnusable
from config.models import Config
from config.secrets import SecretUnavailable
from gateway.access_log import AccessLog
from gateway.admission.door import Door
from gateway.admission.published_keys import AGAIN_AFTER_S
from gateway.admission.table import Table
from gateway.clients import Clients
from gateway.core.audit import Record
from gateway.core.book import EndpointBook
from gateway.core.buffering import BufferLedger
from gateway.core.compiling import compile_routing
from gateway.core.debugging import DebugLedger
from gateway.core.endpoints import standing
from gateway.core.frames import GOING_AWAY
from gateway.core.mirroring import MirrorLedger
from gateway.core.plans import CompiledRouting
from gateway.core.region_shares import capacities
from gateway.core.replicas import Replicas
from gateway.core.sessions import SessionTally
from gateway.core.snapshot import RoutingSnapshot, build_snapshot
from gateway.core.spill import RegionLoads
from gateway.core.standing import observe
from gateway.core.steady_wall import SteadyWall
from gateway.core.timer_wheel import TimerWheel
from gateway.counts import Counts
from gateway.errors import PublicationRefused, TlsMaterialRefused
from gateway.messages import (
    Heartbeat,
    MirrorCount,
    Parts,
    Publication,
    Replicated,
    Report,
    SessionCount,
)
from gateway.node_memory import NodeMemory
from gateway.proxy.acceptor import Acceptor
from gateway.proxy.hopping import Hops
from gateway.proxy.lane import Lane
from gateway.proxy.late import LateWrites
from gateway.proxy.listening import ListenerSettings
from gateway.proxy.off_loop import OffLoop
from gateway.proxy.outcome import Outcome
from gateway.proxy.pool import Pool
from gateway.proxy.tracing import Spans, Tracer, tracer_of
from gateway.sources import Sources
from gateway.verdicts import Verdicts

TICK_S: Final = 0.1
STALENESS_CHECK_S: Final = 1.0
ACCEPT_TURNS: Final = 2
"""Turns of an event loop between its accept(2) and `connection_made`: one in uvloop, two in asyncio."""
_log = logging.getLogger("gateway.dataplane")


class Audit(Protocol):
    """Keeps records that survive this process (tidegate/node/audit_log.py)."""

    retention_s: float | None
    lost: int
    """Records that could not be written."""

    def write(self, record: Record) -> None: ...
    def close(self) -> None: ...


class DataPlane:
    """Made on the running event loop, and used only there."""

    _config: Config | None = None
    logs_access = True
    tracer: Tracer | None = None
    _audit_lost_told = 0
    _parts: Mapping[str, float] = MappingProxyType({})
    steady_wall: Callable[[], float]

    def __init__(
        self,
        *,
        node_id: str,
        access_log: Callable[[bytes], None],
        rng: random.Random,
        wall: Callable[[], float],
        now: Callable[[], float] | None = None,
        workers: int = 1,
        environ: Mapping[str, str] = os.environ,
        memory: NodeMemory | None = None,
        audit: Audit | None = None,
        spans: Spans | None = None,
        keys_again_after_s: float = AGAIN_AFTER_S,
    ) -> None:
        """`access_log` takes one line a request; `wall` is Unix time, for people to read; `now` is monotonic,
        the loop's own unless given; `workers` share the node.

        `environ` holds what references to secrets name; `memory` is what the workers know together; `audit` keeps what
        residency refused and what crossed a border; `spans` takes traces away; `keys_again_after_s` after a fetch of
        an issuer's keys, a token by an unknown one may cause the next.
        """
        self.loop = asyncio.get_running_loop()
        self.now = now or self.loop.time
        self.node_id = node_id
        self.workers = max(1, workers)
        self.rng = rng
        self.snapshot: RoutingSnapshot | None = None
        self.is_draining = False
        self.wheel = TimerWheel(now=self.now(), tick_s=TICK_S)
        self.late = LateWrites(self.loop)
        self.pool = Pool(lambda service: self.lane(service).freed())
        self.off_loop = OffLoop(self.loop)
        self.book = EndpointBook()
        self.debug = DebugLedger()
        self._memory = memory = memory or NodeMemory.alone()
        self.hops = Hops(node_id=node_id, wall=wall, rng=rng, seen=memory.seen)
        self.buffers = BufferLedger(workers=self.workers)
        self.mirrors = MirrorLedger(workers=self.workers)
        self.sessions = SessionTally()
        self.wall, self.steady_wall = wall, SteadyWall(wall, self.now)
        self.log: Callable[[Outcome], None] = AccessLog(access_log, node_id=node_id, now=self.now, wall=wall).add
        self._audit, self._spans = audit, spans
        self._counts = Counts()
        self._region_loads = RegionLoads({}, now=self.now())
        self._replicas, self._data_moved = Replicas(), asyncio.Event()
        self._failed_conditions: dict[str, int] = {}
        self._lanes: dict[str, Lane] = {}
        self._listeners: dict[str, ListenerSettings] = {}
        self._acceptors: list[Acceptor] = []
        self.clients = Clients(self.loop, rng=rng)
        self._tasks: set[asyncio.Task[None]] = set()
        self._sources = Sources(self._on_files_changed, spawn=self.spawn, environ=environ)
        self._verdicts = Verdicts(now=self.now())
        self._request_prefix = b"%016x-" % rng.getrandbits(64)
        self._requests_begun = 0
        self.door = self._make_door(environ, memory.limits, keys_again_after_s)
        self._timer = self.loop.call_later(TICK_S, self._tick)
        self._next_staleness_check = self.now() + STALENESS_CHECK_S

    def _make_door(self, environ: Mapping[str, str], table: Table, keys_again_after_s: float) -> Door:
        return Door(
            environ=environ,
            now=self.now,
            table=table,
            workers=self.workers,
            loop=self.loop,
            spawn=self.spawn,
            wall=self.wall,
            keys_again_after_s=keys_again_after_s,
        )

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
        now = self.now()
        names = {name.id for service in routing.services.values() for name in service.names}
        self._verdicts.hear(message, names=names, now=now)
        self.book.eject({name: now + left_s for name, left_s in message.ejected.items()})
        overdue = {name for name, state in message.operator.items() if state.is_overdue and self._is_busy(name)}
        self._swap(routing, version=message.version, rtts=message.region_rtts)
        if overdue:
            self.clients.cut(overdue, GOING_AWAY, "what it is connected to is drained, and its deadline has passed")

    def heartbeat(self, message: Heartbeat) -> None:
        """The verdicts published last are still being checked."""
        self._verdicts.confirm(self.now())

    def replicated(self, message: Replicated) -> None:
        """How far the data is now; whoever waits for it looks again."""
        self._replicas.hear(message.applied, message.lags, now=self.now())
        moved, self._data_moved = self._data_moved, asyncio.Event()
        moved.set()

    def share(self, message: Parts) -> None:
        """What of each region's capacity is this node's."""
        self._parts = message.parts
        if self._config is not None:
            self._region_loads.adopt(capacities(self._config, self._parts, workers=self.workers))

    async def data_moves(self, *, within_s: float) -> None:
        """Until something is told of the data, or time is up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._data_moved.wait()

    def _compile(self, text: str, digest: str) -> CompiledRouting:
        try:
            config = Config.model_validate_json(text)
            loaded = self._sources.load(config)
            routing = compile_routing(
                config,
                digest=digest,
                now=self.wall(),
                upstream_tls=loaded.material.services,
                signer=loaded.keys.signer,
                workers=self.workers,
            )
        except (
            ValidationError,
            ValueError,
            TlsMaterialRefused,
            KeysUnusable,
            SecretUnavailable,
            DatabaseUnusable,
        ) as error:
            raise PublicationRefused(f"a configuration that does not compile: {error}") from error
        self._config = config
        self._sources.adopt(config, loaded)
        self.door.adopt(config)
        self._region_loads.adopt(capacities(config, self._parts, workers=self.workers))
        if self._audit is not None and config.residency.audit is not None:
            self._audit.retention_s = config.residency.audit.retention
        self.logs_access = config.observability.access_log.enabled
        self.tracer = tracer_of(config, self._spans, bits=self.rng.getrandbits, now=self.now, wall=self.wall)
        for listener in config.listeners:
            known = self._listeners.get(listener.name)
            fresh = ListenerSettings(
                listener,
                node_id=self.node_id,
                workers=self.workers,
                tls=loaded.material.listeners.get(listener.name),
                locate=self._sources.countries.country_of,
                country_header=config.geo.country_header,
            )
            if known is None:
                self._listeners[listener.name] = fresh
            else:
                known.adopt(fresh)
        for acceptor in self._acceptors:
            if not acceptor.fits():
                self.spawn(acceptor.open(), "reopen listener")
        return routing

    def _on_files_changed(self) -> None:
        """New handshakes and new upstream connections go by what the files say now; open ones keep what they have."""
        material = self._sources.material
        for name, settings in self._listeners.items():
            settings.tls = material.listeners.get(name)
        self._compile_again()

    def _compile_again(self) -> None:
        """The same configuration, where what else it depends on has changed: certificates, keys, the calendar."""
        config, snapshot = self._config, self.snapshot
        if snapshot is not None and config is not None:
            routing = compile_routing(
                config,
                digest=snapshot.routing.config_digest,
                now=self.wall(),
                upstream_tls=self._sources.material.services,
                signer=self._sources.signer,
                workers=self.workers,
            )
            self._swap(routing, version=snapshot.version)

    def _swap(self, routing: CompiledRouting, *, version: int, rtts: dict[str, float] | None = None) -> None:
        previous = self.snapshot
        snapshot = build_snapshot(
            routing,
            version=version,
            endpoints=self._verdicts.states,
            region_rtts=rtts if rtts is not None else previous.region_rtts if previous else {},
            previous=previous,
            verdict_age_s=self._verdicts.age_s(self.now()),
            operator=self._verdicts.orders,
            resolved=self._verdicts.resolved,
            loads=self._region_loads,
            replicas=self._replicas,
            locate=self._sources.countries.place_of,
            failed_conditions=self._failed_conditions,
        )
        self.snapshot = snapshot
        if previous is None or previous.routing is not routing or previous.resolved != snapshot.resolved:
            self._adopt_services(routing)
            self._forget_removed_endpoints(routing)
        now = self.now()
        for pools in snapshot.pools.values():
            for pool in pools.values():
                observe(pool, self.book, now)

    def _adopt_services(self, routing: CompiledRouting) -> None:
        for service in routing.services.values():
            self.lane(service.id).adopt(service, workers=self.workers, now=self.now())
            self.book.adopt(
                service.id,
                [each.id for each in standing(service.endpoints, service.names, self._verdicts.resolved)],
                breaker=service.policies.breaker,
                outliers=service.policies.outliers,
                takes_latency=service.policies.takes_latency,
                now=self.now(),
            )

    def _forget_removed_endpoints(self, routing: CompiledRouting) -> None:
        services = routing.services.values()
        known = {
            endpoint.id
            for service in services
            for endpoint in standing(service.endpoints, service.names, self._verdicts.resolved)
        }
        gone = self.book.forget_all_but(known)
        self.book.forget_services_but(routing.services)
        self._counts.forget(gone)
        for endpoint_id in gone:
            self.pool.close_endpoint(endpoint_id)
        for service in [name for name, lane in self._lanes.items() if name not in routing.services and lane.is_idle]:
            self._lanes.pop(service).leave()
            self.pool.forget(service)

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
        for _ in range(ACCEPT_TURNS):
            await asyncio.sleep(0)  # what was accepted by then becomes a client that is waited for
        cut = await self.clients.drain(grace_s)
        if self._audit is not None:
            self._audit.close()
        if self._spans is not None:
            await self._spans.close()
        self.mirrors.drop_all()
        self.pool.close_all()
        self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        self.off_loop.close()
        await self.door.close()
        return cut

    def _is_busy(self, endpoint: str) -> bool:
        load = self.book.loads.get(endpoint)
        return load is not None and load.in_flight > 0

    # -- what the connections need (gateway/proxy/ports.py)

    def lane(self, service: str) -> Lane:
        lane = self._lanes.get(service)
        if lane is None:
            bulkhead = self.pool.bulkhead(service)
            lane = self._lanes[service] = Lane(
                bulkhead,
                call_soon=self.loop.call_soon,
                now=self.now(),
                places=self._memory.places,
                make_room=partial(self.pool.make_room, service),
            )
        return lane

    def next_request_id(self) -> bytes:
        """Unique for as long as 64 random bits and a count are."""
        self._requests_begun += 1
        return self._request_prefix + b"%x" % self._requests_begun

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Start what must wait; its failure is logged, for it is a defect of ours."""
        task = self.loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)
        return task

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("task %s failed", task.get_name(), exc_info=error)

    def count(self, route: str, region: str, status: int, reason: str, started_at: float) -> None:
        self._counts.add(route, region, status, reason, self.now() - started_at)

    def record(self, outcome: Outcome) -> None:
        self.count(outcome.route, outcome.region, outcome.status, outcome.reason, outcome.started_at)
        if self.logs_access:
            self.log(outcome)

    def audit(self, record: Record) -> None:
        if self._audit is not None:
            self._audit.write(record)

    def trial_passed(self, endpoint_id: str) -> None:
        """An endpoint whose down verdict had gone stale has answered: it serves until someone says otherwise."""
        if self.snapshot is not None and self._verdicts.pass_trial(endpoint_id):
            self._swap(self.snapshot.routing, version=self.snapshot.version)

    def report(self) -> Report:
        """Counts since the last call, and gauges as they are now."""
        level, sessions = self.sessions.take()
        explanations, debug_refused = self.debug.take()
        return Report(
            version=self.version,
            connections=len(self.clients),
            in_flight=sum(load.in_flight for load in self.book.loads.values()),
            routes=self._counts.take_routes(),
            endpoints=self._counts.take_endpoints(self.book, self.now()),
            tenants=self.door.tenants.take(),
            mirrors=[MirrorCount(*key, count) for key, count in self.mirrors.take().items()],
            admission=self.door.gauges(),
            countries_built_at=self._sources.countries.built_at,
            failed_conditions=self._take_failed_conditions(),
            audit_lost=self._take_audit_lost(),
            services=[lane.take(name) for name, lane in self._lanes.items() if lane.has_news],
            demands=self._region_loads.demands(),
            sessions=sessions,
            sessions_level=level,
            session_counts=[SessionCount(*key, count) for key, count in self.sessions.take_counts().items()],
            explanations=explanations,
            debug_refused=debug_refused,
            spans_dropped=self._spans.take_dropped() if self._spans is not None else 0,
        )

    def _take_failed_conditions(self) -> dict[str, int]:
        failed = dict(self._failed_conditions)
        self._failed_conditions.clear()  # the snapshots of this data plane count in this very dictionary
        return failed

    def _take_audit_lost(self) -> int:
        before, self._audit_lost_told = self._audit_lost_told, self._audit.lost if self._audit is not None else 0
        return self._audit_lost_told - before

    # -- time

    def _tick(self) -> None:
        self._timer = self.loop.call_later(TICK_S, self._tick)
        now = self.now()
        self.wheel.advance(now)
        for lane in list(self._lanes.values()):
            lane.look(now)
        if now >= self._next_staleness_check:
            self._next_staleness_check = now + STALENESS_CHECK_S
            self._admit_trials(now)
        self._region_loads.advance(now)
        self._replicas.advance(now)
        if self.snapshot is not None and self.wall() >= self.snapshot.routing.valid_until:
            self._compile_again()

    def _admit_trials(self, now: float) -> None:
        """Rebuild when a down verdict has just gone stale: its endpoint then moves from passed over to trial."""
        snapshot = self.snapshot
        if snapshot is None or self._verdicts.age_s(now) < STALENESS_CHECK_S * 2:
            return
        if any(pool.passed_over for pools in snapshot.pools.values() for pool in pools.values()):
            self._swap(snapshot.routing, version=snapshot.version)
