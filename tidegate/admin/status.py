"""What a node says about itself: `GET /v1/status`, `tidegate status`, the demo and later the dashboard read it.

Times are RFC 3339 for people, except `since`, which is Unix seconds so that programs can compute with it.
"""

from __future__ import annotations

import os
from importlib import metadata
from typing import Any

from tidegate.admin import operating, readiness, sync
from tidegate.node import shared_limits
from tidegate.node.configuration import Configuration
from tidegate.node.control import Control
from tidegate.node.wall import written


def status(control: Control) -> dict[str, Any]:
    config = control.configuration.loaded.config
    rtts = control.prober.region_rtts()
    return {
        "node": control.plan.node_id,
        "region": config.node.region,
        "tidegate": metadata.version("tidegate"),
        "state": readiness.state(control),
        "degraded": control.degraded(),
        "version": control.snapshot.version if control.snapshot else None,
        "now": written(control.wall()),
        "started_at": written(control.started_at),
        "config": _config(control.configuration),
        "processes": _processes(control),
        "listeners": [{"name": listener.name, "bind": str(listener.bind)} for listener in config.listeners],
        "regions": [
            {
                "region": verdict.region,
                "health": verdict.health,
                "healthy": verdict.healthy,
                "total": verdict.total,
                "reason": verdict.reason,
                "since": verdict.since,
                "rtt_s": rtts.get(verdict.region),
            }
            for verdict in control.prober.regions().values()
        ],
        "region_rtts": dict(rtts),
        "services": [service.id for service in config.services],
        "service_health": operating.services(control),
        "routes": [route.id for route in config.routes],
        "endpoints": _endpoints(control),
        "primary": control.failing_over.primary(),
        "leadership": {
            "leader": control.leadership.leader,
            "epoch": control.leadership.epoch,
            "reason": control.leadership.reason,
            "frozen": control.state.frozen(),
        },
        "drains": operating.drained(control),
        "audit_records_lost": control.audit_lost(),
        "sync": _sync(control),
        "limits": shared_limits.standing(control),
        "names": [
            {
                "name": ledger.name.key,
                "standing": ledger.standing,
                "reason": ledger.reason,
                "since": ledger.since,
                "answered_at": ledger.answered_at,
                "servers": [{"host": one.host, "port": one.port, "name": one.name} for one in ledger.found],
            }
            for ledger in control.names.ledgers()
        ],
    }


def _sync(control: Control) -> dict[str, Any] | None:
    """How far regions are behind one another; None where this node keeps no data."""
    if not control.replicas.is_asked:
        return None
    return {"problem": control.replicas.problem or None, "regions": sync.regions(control)}


def _config(configuration: Configuration) -> dict[str, Any]:
    last = configuration.last_reload
    return {
        "file": str(configuration.loaded.file),
        "digest": configuration.loaded.digest,
        "source": "last_good" if configuration.degraded else "file",
        "accepted_at": written(configuration.accepted_at),
        "warnings": [str(warning) for warning in configuration.loaded.warnings],
        "last_reload": None
        if last is None
        else {"ok": last.ok, "changed": last.changed, "at": written(last.at), "problems": list(last.problems)},
    }


def _processes(control: Control) -> dict[str, Any]:
    sessions = control.publisher.sessions
    told = control.processes
    if told is None:
        # One process, or a supervisor that has not spoken yet: what the data planes said themselves.
        children: list[dict[str, Any]] = [
            {"role": "worker", "slot": slot, "pid": session.hello.pid, "restarts": 0, "ready": True}
            for slot, session in sorted(sessions.items())
        ]
        supervisor = None
    else:
        children = [
            {"role": child.role, "slot": child.slot, "pid": child.pid, "restarts": child.restarts, "ready": child.ready}
            for child in told.children
        ]
        supervisor = {"pid": told.supervisor_pid, "alive": not control.is_orphan}
    for child in children:
        session = sessions.get(child["slot"]) if child["role"] == "worker" else None
        report = session.report if session else None
        if report is not None:
            child |= {"version": report.version, "connections": report.connections, "in_flight": report.in_flight}
    return {"supervisor": supervisor, "control": os.getpid(), "children": children}


def _endpoints(control: Control) -> list[dict[str, Any]]:
    in_flight: dict[str, int] = {}
    for session in control.publisher.sessions.values():
        for count in session.report.endpoints if session.report else ():
            in_flight[count.endpoint] = in_flight.get(count.endpoint, 0) + count.in_flight
    endpoints = []
    for verdict in control.prober.endpoints().values():
        totals = control.totals.endpoints.get(verdict.endpoint)
        endpoints.append(
            {
                "endpoint": verdict.endpoint,
                "service": verdict.service,
                "region": verdict.region,
                "health": verdict.health,
                "reason": verdict.reason,
                "degraded": verdict.degraded,
                "since": verdict.since,
                "rtt_s": verdict.rtt_s,
                "in_flight": in_flight.get(verdict.endpoint, 0),
                "attempts": totals.attempts if totals else 0,
                "connect_failures": totals.connect_failures if totals else 0,
                "failures": totals.failures if totals else 0,
            }
        )
    return endpoints
