"""Everything learnt about endpoints, services and regions, in one place, without the probing.

    reconcile(targets)  who is in the book; those who stay keep what was learnt
    observe(result)     one result of one endpoint; says, in sentences, which verdicts changed by it
    restore(saved)      what an earlier process knew

An endpoint's id names its service and region, so neither changes while it is in the book. `now` is wall time, which
people read; `steady` is a clock that never jumps, by which durations are measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from health.core.latency import Distance, region_rtt_s, smoothed
from health.core.probe import ProbeResult, ProbeTarget
from health.core.region import RegionChange, RegionLedger, RegionVerdict
from health.core.service import ServiceLedger, ServiceVerdict
from health.core.verdict import EndpointLedger, EndpointVerdict, Health


class Entry:
    """One endpoint."""

    __slots__ = ("ledger", "rtt_s", "target")

    def __init__(self, target: ProbeTarget, *, now: float) -> None:
        self.target = target
        self.ledger = EndpointLedger(target.settings, now=now)
        self.rtt_s: float | None = None


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a new list of targets changed, by endpoint id, for whoever does the probing."""

    gone: tuple[str, ...]
    new: tuple[str, ...]
    asked_anew: tuple[str, ...]
    """Something else is asked now, or elsewhere: an answer to the old question would mislead."""
    paced_anew: tuple[str, ...]
    """The same is asked, at another pace or with other thresholds."""
    sentences: tuple[str, ...]
    """Verdicts that changed with the endpoints that came and went."""


class Book:
    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._regions: dict[str, RegionLedger] = {}
        self._services: dict[str, ServiceLedger] = {}
        self._saved: Mapping[str, EndpointVerdict] = {}

    def reconcile(self, targets: Sequence[ProbeTarget], *, now: float, steady: float) -> Reconciled:
        wanted = {target.endpoint: target for target in targets}
        gone = [endpoint for endpoint in self._entries if endpoint not in wanted]
        new = [endpoint for endpoint in wanted if endpoint not in self._entries]
        for endpoint in gone:
            entry = self._entries.pop(endpoint)
            self._move(entry.target, entry.ledger.health, None)
        for endpoint in new:
            self._adopt(wanted[endpoint], now=now)
        asked_anew, paced_anew = [], []
        for target in wanted.values():
            before = self._entries[target.endpoint].target
            if _question(before) != _question(target):
                asked_anew.append(target.endpoint)
            elif before.settings != target.settings:
                paced_anew.append(target.endpoint)
            self._retarget(target, is_asked_anew=_question(before) != _question(target))
        self._saved = {}
        self._regions = {name: region for name, region in self._regions.items() if not region.is_empty}
        self._services = {name: service for name, service in self._services.items() if not service.is_empty}
        sentences = self._settle(self._services.values(), self._regions.values(), now=now, steady=steady)
        return Reconciled(tuple(gone), tuple(new), tuple(asked_anew), tuple(paced_anew), sentences)

    def restore(self, saved: Mapping[str, EndpointVerdict], *, now: float, steady: float) -> bool:
        """For the untested ones in the book and for those that the next `reconcile` brings; says if any changed."""
        self._saved = saved
        resumed = [self._resume(entry, now=now) for entry in self._entries.values()]
        self._settle(self._services.values(), self._regions.values(), now=now, steady=steady)
        return any(resumed)

    def observe(self, endpoint: str, result: ProbeResult, *, now: float, steady: float) -> tuple[str, ...]:
        entry = self._entries[endpoint]
        if result.rtt_s is not None:
            entry.rtt_s = smoothed(entry.rtt_s, result.rtt_s)
        before = entry.ledger.health
        if not entry.ledger.observe(result, now=now, steady=steady):
            return ()
        service, region = self._move(entry.target, before, entry.ledger.health)
        sentence = f"endpoint {endpoint} is {entry.ledger.health}: {entry.ledger.reason}"
        return (sentence, *self._settle([service], [region], now=now, steady=steady))

    def is_in_doubt(self, endpoint: str) -> bool:
        """Whether its last result did not say what its verdict says."""
        return self._entries[endpoint].ledger.is_in_doubt

    def endpoints(self, *, steady: float) -> dict[str, EndpointVerdict]:
        return {
            endpoint: entry.ledger.verdict(entry.target, rtt_s=entry.rtt_s, steady=steady)
            for endpoint, entry in self._entries.items()
        }

    def regions(self, *, steady: float) -> dict[str, RegionVerdict]:
        return {name: region.verdict(steady=steady) for name, region in self._regions.items()}

    def services(self) -> dict[str, ServiceVerdict]:
        """A service that has no endpoint is not named."""
        return {name: service.verdict() for name, service in self._services.items()}

    def region_rtts(self) -> dict[str, float]:
        """Seconds by region; a region never measured is not named."""
        distances: dict[str, list[Distance]] = {}
        for entry in self._entries.values():
            if entry.rtt_s is not None:
                is_handshake = entry.target.settings.protocol == "tcp"
                distance = Distance(entry.ledger.health == "down", is_handshake, entry.rtt_s)
                distances.setdefault(entry.target.region, []).append(distance)
        found = {region: region_rtt_s(of_region) for region, of_region in distances.items()}
        return {region: rtt_s for region, rtt_s in found.items() if rtt_s is not None}

    def history(self, endpoint: str) -> tuple[ProbeResult, ...]:
        """The latest results, oldest first. Raises KeyError for an endpoint that is not in the book."""
        return tuple(self._entries[endpoint].ledger.history)

    def region_changes(self, region: str) -> tuple[RegionChange, ...]:
        """The latest changes of a region's health, oldest first. Raises KeyError for a region without endpoints."""
        return tuple(self._regions[region].changes)

    def _adopt(self, target: ProbeTarget, *, now: float) -> None:
        entry = self._entries[target.endpoint] = Entry(target, now=now)
        self._regions.setdefault(target.region, RegionLedger(target.region, now=now))
        self._services.setdefault(target.service, ServiceLedger(target.service, now=now))
        self._move(target, None, "untested")
        self._resume(entry, now=now)

    def _retarget(self, target: ProbeTarget, *, is_asked_anew: bool) -> None:
        entry = self._entries[target.endpoint]
        if is_asked_anew:
            entry.ledger.forget_counts()
            entry.rtt_s = None
        entry.target = target
        entry.ledger.settings = target.settings
        self._regions[target.region].minimum_capacity = target.minimum_capacity
        self._services[target.service].minimum_capacity[target.region] = target.minimum_capacity

    def _resume(self, entry: Entry, *, now: float) -> bool:
        saved = self._saved.get(entry.target.endpoint)
        if saved is None or not entry.ledger.resume(saved, now=now):
            return False
        entry.rtt_s = saved.rtt_s
        self._move(entry.target, "untested", entry.ledger.health)
        return True

    def _move(
        self, target: ProbeTarget, before: Health | None, after: Health | None
    ) -> tuple[ServiceLedger, RegionLedger]:
        """Both count it; they are judged by `_settle`."""
        service, region = self._services[target.service], self._regions[target.region]
        service.move(target.region, before, after)
        region.move(before, after)
        return service, region

    def _settle(
        self, services: Iterable[ServiceLedger], regions: Iterable[RegionLedger], *, now: float, steady: float
    ) -> tuple[str, ...]:
        served = [service.verdict() for service in services if service.settle(now=now)]
        changed = [region.verdict(steady=steady) for region in regions if region.settle(now=now, steady=steady)]
        return (
            *(f"service {verdict.service} is {verdict.health}: {verdict.reason}" for verdict in served),
            *(f"region {verdict.region} is {verdict.health}: {verdict.reason}" for verdict in changed),
        )


def _question(target: ProbeTarget) -> tuple[object, ...]:
    """What is asked, and of whom, apart from how often: answers to two questions are not counted together."""
    settings = target.settings
    return (
        *(target.host, target.port),
        *(settings.protocol, settings.path, settings.host, settings.expected_status, settings.expected_body),
        settings.grpc_service,
    )
