"""May this order be given? And if so: into the journal, into the state store, in force.

    known target? -> said before? -> would it empty what residency or a route needs? -> journal -> row -> journal

The same order again changes nothing and is answered with how far it is. Everything refused is in the journal too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from health.core.drain import Order, Scope, Target
from health.core.drain_safety import refusals
from health.core.rows import Conflict, NotStorable, Row, StateError, Unavailable
from tidegate.node.operations import DRAIN, OVERRIDE, Override

if TYPE_CHECKING:
    from tidegate.node.control import Control

TRIES = 3
"""Against others who write the same row in the same moment."""


class OrderRefused(Exception):
    """`status` and `reason` are those of the problem document; `rules` the sentences of what stands against it."""

    def __init__(self, status: int, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason


class DrainAsked(msgspec.Struct, frozen=True):
    """What a person wants."""

    over_s: float = 0.0
    deadline_s: float | None = None
    reason: str = ""
    force: bool = False


async def drain(control: Control, target: Target, asked: DrainAsked, *, scope: Scope, author: str) -> bool:
    """Says whether anything changed by it. Raises `OrderRefused`."""
    _check_known(control, target)
    if asked.deadline_s is not None and asked.deadline_s < asked.over_s:
        detail = f"found a deadline of {asked.deadline_s:g} s, expected at least the {asked.over_s:g} s of `over`"
        raise OrderRefused(400, "malformed_body", detail)
    drains = control.operations.drains
    known = drains.orders().get((scope, target))
    if known is not None and known.action == "drain" and _is_same(known, asked):
        return False
    against = () if known is not None and known.action == "drain" else _against(control, target)
    decision = await control.journal.begin(
        "drain", str(target), author=author, why=asked.reason, evidence=_evidence(asked, scope, against)
    )
    if against and not asked.force:
        await control.journal.end(decision, "refused", "; ".join(against))
        raise OrderRefused(409, "drain_refused", "; ".join(against) + "; `force` drains it nevertheless")
    now = control.clock()

    def made(current: dict[str, Any] | None) -> Order:
        return Order(
            action="drain",
            over_s=asked.over_s,
            at=control.wall(),
            author=author,
            reason=asked.reason,
            start=drains.share(scope, target, now=now) if current is not None else 1.0,
            deadline_s=asked.deadline_s,
            forced=against,
            node=control.plan.node_id,
        )

    await _write(control, scope, DRAIN, str(target), made=made, decision=decision)
    return True


async def undrain(control: Control, target: Target, *, over_s: float, reason: str, scope: Scope, author: str) -> bool:
    """Raises `OrderRefused`; what is not drained is left as it is."""
    drains = control.operations.drains
    known = drains.orders().get((scope, target))
    if known is None or known.action == "undrain":
        return False
    decision = await control.journal.begin(
        "undrain", str(target), author=author, why=reason, evidence={"over_s": over_s, "scope": scope}
    )
    start = drains.share(scope, target, now=control.clock())
    order = Order("undrain", over_s, control.wall(), author, reason, start=start, node=control.plan.node_id)
    await _write(control, scope, DRAIN, str(target), made=lambda current: order, decision=decision)
    return True


async def override(
    control: Control,
    endpoint: str,
    state: Literal["up", "down", "clear"],
    *,
    reason: str,
    force: bool,
    scope: Scope,
    author: str,
) -> bool:
    """Say that an endpoint is up or down, whatever the probes say. Raises `OrderRefused`."""
    target = Target("endpoint", endpoint)
    _check_known(control, target)
    found = control.operations.override(endpoint)
    current = found[1] if found is not None and found[0] == scope else None
    if (current is None and state == "clear") or (
        current is not None and current.state == state and current.reason == reason
    ):
        return False
    against = _against(control, target) if state == "down" else ()
    decision = await control.journal.begin(
        "override",
        str(target),
        author=author,
        why=reason,
        evidence={"state": state, "scope": scope, "force": force, "against": list(against)},
    )
    if against and not force:
        await control.journal.end(decision, "refused", "; ".join(against))
        raise OrderRefused(409, "override_refused", "; ".join(against) + "; `force` does it nevertheless")
    if state == "clear":
        await _write(control, scope, OVERRIDE, endpoint, made=None, decision=decision)
    else:
        made = Override(state, control.wall(), author, reason, against, control.plan.node_id)
        await _write(control, scope, OVERRIDE, endpoint, made=lambda current: made, decision=decision)
    return True


def _is_same(order: Order, asked: DrainAsked) -> bool:
    return (order.over_s, order.deadline_s, order.reason) == (asked.over_s, asked.deadline_s, asked.reason)


def _evidence(asked: DrainAsked, scope: Scope, against: tuple[str, ...]) -> dict[str, Any]:
    return {**msgspec.to_builtins(asked), "scope": scope, "against": list(against)}


def _check_known(control: Control, target: Target) -> None:
    config = control.configuration.loaded.config
    known: dict[str, Any] = {
        "region": [region.id for region in config.regions],
        "service": [service.id for service in config.services],
        "endpoint": control.operations.endpoints(),
    }
    if target.id not in known[target.kind]:
        some = ", ".join(sorted(known[target.kind])[:5])
        raise OrderRefused(404, f"no_such_{target.kind}", f"found no {target.kind} {target.id[:200]}, expected {some}")


def _against(control: Control, target: Target) -> tuple[str, ...]:
    """What stands against taking it out."""
    operations, now = control.operations, control.clock()
    config = control.configuration.loaded.config
    verdicts = control.prober.endpoints()
    healthy = {one: verdicts[one].health != "down" if one in verdicts else True for one in operations.endpoints()}
    for endpoint in healthy:
        found = operations.override(endpoint)
        if found is not None:
            healthy[endpoint] = found[1].state == "up"

    def is_out(endpoint: str) -> bool:
        standing = operations.drains.standing(endpoint, now=now)
        is_standby = control.failing_over.standby(endpoint.split("/", 2)[1]) is not None
        return is_standby or (standing is not None and standing.is_draining)

    draining = {known.id for (_, known), order in operations.drains.orders().items() if order.action == "drain"}
    return refusals(
        config,
        target=target,
        healthy=healthy,
        out=is_out,
        region_is_out=lambda region: region in draining,
        now=control.wall(),
    )


async def _write(
    control: Control,
    scope: Scope,
    kind: str,
    key: str,
    *,
    made: Callable[[dict[str, Any] | None], Order | Override] | None,
    decision: Any,
) -> None:
    """Put the row that `made` makes of the one that is there, or delete it; then say in the journal what came of it."""
    store, journal = control.operations.store(scope), control.journal
    current = store.row(kind, key)
    try:
        for attempt in range(1, TRIES + 1):
            expected = current.version if current is not None else 0
            try:
                if made is None:
                    await store.delete(kind, key, expected=expected)
                else:
                    value = msgspec.to_builtins(made(current.value if current is not None else None))
                    await store.put(kind, key, value, expected=expected)
                break
            except Conflict as conflict:
                if attempt == TRIES:
                    raise
                current = _as_found(conflict)
    except NotStorable as error:
        await journal.end(decision, "failed", str(error))
        raise OrderRefused(400, "not_storable", str(error)) from error
    except Unavailable as error:
        await journal.end(decision, "unknown", str(error))
        detail = f"no majority agreed: {error}; with `local` it is done on this node alone"
        raise OrderRefused(503, "state_unavailable", detail) from error
    except StateError as error:
        await journal.end(decision, "failed", str(error))
        raise OrderRefused(409, "changed_meanwhile", str(error)) from error
    control.operations.refresh()
    control.operations.apply()
    await journal.end(decision, "done", "on this node only" if scope == "local" else "")


def _as_found(conflict: Conflict) -> Row | None:
    return conflict.current
