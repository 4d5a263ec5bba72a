"""What has been learnt of each endpoint? The book outlives every snapshot and every reload.

Entries are keyed by endpoint id (service, region, host and port), never by weight or position, so that a re-weighted
endpoint is the same one. Only endpoints that no snapshot names any more are struck out, and only once they are idle.
Whatever opens or closes the gate for an endpoint counts `epoch` up: who stands in which tier is worked out anew then
(gateway/core/standing.py), and not for every request.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from gateway.core.breaker import Breaker, BreakerPolicy
from gateway.core.ejections import Ejections, OutlierPolicy
from gateway.core.latencies import PeakEwma
from gateway.core.maglev import table_of

if TYPE_CHECKING:
    from gateway.core.standing import Standing


class EndpointLoad:
    """One endpoint as this worker has seen it."""

    __slots__ = (
        "answers",
        "attempts",
        "breaker",
        "came_up_at",
        "connect_failures",
        "ejected_until",
        "errors",
        "errors_in_row",
        "failures",
        "in_flight",
        "is_unreachable",
        "last_failure_at",
        "latency",
        "outliers",
        "streams",
        "trial_after_s",
        "trial_at",
        "utilisation",
        "utilisation_at",
        "was_out",
    )

    def __init__(self) -> None:
        self.in_flight = 0
        self.streams = 0
        """Tunnels, of `in_flight`."""
        self.attempts = 0
        self.connect_failures = 0
        self.failures = 0
        self.answers = 0
        self.errors = 0
        """Answers of 500 and above."""
        self.errors_in_row = 0
        """Such answers, and failures, since the last good answer."""
        self.last_failure_at: float | None = None
        """Monotonic seconds."""
        self.is_unreachable = False
        """The last attempt to connect failed: nothing but trial requests until one is answered."""
        self.trial_at = 0.0
        self.trial_after_s = 0.0
        self.ejected_until = 0.0
        self.came_up_at: float | None = None
        """When it last came back from where the gate was closed."""
        self.was_out = False
        self.breaker: Breaker | None = None
        self.outliers: Ejections | None = None
        self.latency: PeakEwma | None = None
        self.utilisation = 0.0
        """As it reported last, 1 for full."""
        self.utilisation_at: float | None = None


class Rotation:
    """Whose turn it is in one region of one service."""

    __slots__ = ("turn",)

    def __init__(self) -> None:
        self.turn = -1


class EndpointBook:
    """Every endpoint's load, and every pool's rotation."""

    def __init__(self) -> None:
        self.loads: dict[str, EndpointLoad] = {}
        self.rotations: dict[str, Rotation] = {}
        self.epoch = 0
        self.standings: dict[str, Standing] = {}
        """By pool id, as worked out last."""
        self.sizes: dict[str, int] = {}
        """Endpoints of each service."""
        self.ejected: dict[str, float] = {}
        """Whom control has ejected, and until when."""
        self._outliers: dict[str, Ejections] = {}
        self._tables: dict[str, tuple[tuple[tuple[str, int], ...], array[int]]] = {}

    def load(self, endpoint_id: str) -> EndpointLoad:
        """The entry of one endpoint, a fresh one where there is none yet."""
        load = self.loads.get(endpoint_id)
        if load is None:
            load = self.loads[endpoint_id] = EndpointLoad()
        return load

    def rotation(self, pool_id: str) -> Rotation:
        """The rotation of one pool, `<service>/<region>`."""
        rotation = self.rotations.get(pool_id)
        if rotation is None:
            rotation = self.rotations[pool_id] = Rotation()
        return rotation

    def adopt(
        self,
        service: str,
        endpoint_ids: Collection[str],
        *,
        breaker: BreakerPolicy | None,
        outliers: OutlierPolicy | None,
        takes_latency: bool,
        now: float,
    ) -> None:
        """A service's policies, new or changed. Endpoints that join a service already known start slowly."""
        joins_later = bool(self.sizes.get(service))
        self.sizes[service] = len(endpoint_ids)
        if outliers is None:
            self._outliers.pop(service, None)
        elif service in self._outliers:
            self._outliers[service].policy = outliers
        else:
            self._outliers[service] = Ejections(outliers)
        for endpoint_id in endpoint_ids:
            if endpoint_id not in self.loads:
                self.load(endpoint_id).was_out = joins_later
            load = self.loads[endpoint_id]
            load.outliers = self._outliers.get(service)
            if load.outliers is None:
                load.ejected_until = 0.0
            if breaker is None:
                load.breaker = None
            elif load.breaker is None:
                load.breaker = Breaker(breaker, now=now)
            else:
                load.breaker.adopt(breaker, now=now)
            if not takes_latency:
                load.latency = None
            elif load.latency is None:
                load.latency = PeakEwma()
        self.epoch += 1

    def eject(self, ejected: Mapping[str, float]) -> None:
        """Whom control has ejected: the whole list, with when each may serve again."""
        if ejected != self.ejected:
            self.ejected = dict(ejected)
            self.epoch += 1

    def ejected_until(self, endpoint_id: str, load: EndpointLoad) -> float:
        return max(load.ejected_until, self.ejected.get(endpoint_id, 0.0)) if self.ejected else load.ejected_until

    def held_s(self, load: EndpointLoad, endpoint_id: str, now: float) -> float:
        """For how long it is held back still, as far as time alone decides."""
        until = self.ejected_until(endpoint_id, load)
        if load.breaker is not None and not load.breaker.is_closed:
            until = max(until, load.breaker.open_until)
        if load.is_unreachable:
            until = max(until, load.trial_at)
        return max(0.0, until - now)

    def table(self, name: str, members: Iterable[tuple[str, int]]) -> array[int]:
        """The hash table of a tier, made once for the same endpoints and weights."""
        key = tuple(members)
        known = self._tables.get(name)
        if known is None or known[0] != key:
            known = self._tables[name] = (key, table_of([each[0] for each in key], [each[1] for each in key]))
        return known[1]

    def forget_all_but(self, endpoint_ids: Collection[str]) -> list[str]:
        """Strike out idle endpoints that are not named; returns their ids."""
        gone = [key for key, load in self.loads.items() if key not in endpoint_ids and not load.in_flight]
        for key in gone:
            del self.loads[key]
        for outliers in self._outliers.values():
            outliers.keep_only(set(self.loads))
        return gone

    def forget_services_but(self, services: Collection[str]) -> None:
        """Pools, tables and policies of services that no configuration names any more."""
        for service in [name for name in self.sizes if name not in services]:
            del self.sizes[service]
            self._outliers.pop(service, None)
        for kept in (self.standings, self.rotations, self._tables):
            for key in [name for name in kept if name.partition("/")[0] not in services]:
                del kept[key]
