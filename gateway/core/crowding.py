"""What is a request told that found no room at its service, or whose turn did not come?"""

from __future__ import annotations

from typing import Any, Final

from gateway.core import reasons
from gateway.core.bulkhead import Bulkhead
from gateway.core.plans import ServicePlan
from gateway.core.problems import Answer

RETRY_AFTER_S: Final = 1
"""A queue of requests is a matter of seconds."""


def no_room(service: ServicePlan, bulkhead: Bulkhead[Any]) -> Answer:
    """Too many wait already."""
    detail = f"{bulkhead.max_pending} requests already wait for service {service.id}: {_what_lacks(bulkhead)}"
    return _answer(reasons.UPSTREAM_PENDING_LIMIT, detail)


def no_turn(service: ServicePlan, bulkhead: Bulkhead[Any]) -> Answer:
    """It has waited as long as a connection may take."""
    detail = f"no turn at service {service.id} within {service.connect_timeout_s:g} s: {_what_lacks(bulkhead)}"
    return _answer(reasons.PENDING_TIMEOUT, detail)


def _what_lacks(bulkhead: Bulkhead[Any]) -> str:
    if bulkhead.may_connect():
        return f"{bulkhead.limit} of its requests may be under way at a time"
    return f"all {bulkhead.max_connections} connections that it may have are in use"


def _answer(reason: str, detail: str) -> Answer:
    return Answer(503, reason, detail, "connection_limit_reached", retry_after_s=RETRY_AFTER_S)
