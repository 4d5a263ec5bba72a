"""May this request go on? A data plane's door: asked after a route has matched, before anything is chosen or sent.

    admit ──> None            at once, in nearly all cases
         ├──> Answer          refused
         └──> coroutine       something must be waited for: the connection holds the request meanwhile

What is learnt (verified passwords, keys read) outlives a reload that does not touch it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Protocol

from config.models import Config
from gateway.admission.authenticators import (
    Found,
    Outcome,
    unavailable,
)
from gateway.admission.counters import Counters
from gateway.admission.overload import Overload
from gateway.admission.published_keys import AGAIN_AFTER_S, Spawn
from gateway.admission.registry import Registry
from gateway.admission.shared_stores import SharedStores
from gateway.admission.table import Table
from gateway.admission.tenant_counts import TenantCounts
from gateway.core import reasons
from gateway.core.admission import AdmissionPlan, replace_fields
from gateway.core.client_keys import key_of, value_of
from gateway.core.data_service import actor_line
from gateway.core.gcra import left
from gateway.core.head import RequestHead
from gateway.core.limits import LimitPlan, over_limit
from gateway.core.principal import NOBODY, Principal
from gateway.core.problems import Answer
from gateway.core.shedding import NAMES, Shedding, Targets
from gateway.core.tenancy import Tenancy, TenantPlan
from gateway.messages import AdmissionGauges

Waits = tuple[tuple[LimitPlan, float], ...]
Verdict = Answer | Coroutine[Any, Any, Answer | None] | None

BROKEN: Final = Answer(
    500, reasons.INTERNAL_ERROR, "the gateway failed to decide on this request", "proxy_internal_error"
)

_log = logging.getLogger("gateway.admission")


class Visitor(Protocol):
    """Whoever asks (gateway/proxy/peer.py)."""

    client_ip: str
    identity: bytes

    def country(self) -> str | None: ...


class Door:
    """One data plane's, used on its event loop only."""

    def __init__(
        self,
        *,
        environ: Mapping[str, str],
        now: Callable[[], float],
        wall: Callable[[], float],
        table: Table | None = None,
        workers: int = 1,
        loop: asyncio.AbstractEventLoop | None = None,
        spawn: Spawn | None = None,
        keys_again_after_s: float = AGAIN_AFTER_S,
    ) -> None:
        """Without `loop` and `spawn`, for explanations only: files are read once, nothing is watched.

        `table` is what the node's workers count in together; `now` is monotonic.
        """
        self.in_flight = 0
        """Requests that are being forwarded; tunnels are none."""
        self.shedding: Shedding | None = None
        self.counters = Counters(table or Table(), workers=workers)
        self._shared = SharedStores(environ=environ, now=now, workers=workers, spawn=spawn)
        self.counters.stores, self.counters.sharers = self._shared.by_scope, self._shared.sharers
        self.tenants = TenantCounts()
        self._now = now
        self._workers = workers
        self._loop = loop
        self._overload: Overload | None = None
        self._registry = Registry(
            environ=environ, now=now, wall=wall, spawn=spawn, keys_again_after_s=keys_again_after_s
        )

    def adopt(self, config: Config) -> None:
        """`config` is in force."""
        self._registry.adopt(config)
        self._adopt_overload(config)
        self._shared.adopt(config)

    def gauges(self) -> AdmissionGauges:
        """How it stands now."""
        table = self.counters.table
        return AdmissionGauges(
            shed_level=self.shedding.level if self.shedding is not None else 0,
            stores=self._shared.problems(),
            overflowed=table.overflowed + self._shared.overflowed(),
            unlocked=table.unlocked,
        )

    def _adopt_overload(self, config: Config) -> None:
        asked = config.overload
        targets = (
            Targets(max(1, asked.max_requests // self._workers), asked.target_delay, asked.memory) if asked else None
        )
        if targets == (self.shedding.targets if self.shedding else None):
            return  # what was learnt of the load stays
        if self._overload is not None:
            self._overload.stop()
            self._overload = None
        self.shedding = Shedding(targets, now=self._now()) if targets is not None else None
        if self.shedding is not None and self._loop is not None:
            self._overload = Overload(self.shedding, self._loop)

    async def close(self) -> None:
        await self._shared.close()
        await self._registry.close()
        if self._overload is not None:
            self._overload.stop()

    def explain(
        self, plan: AdmissionPlan, head: RequestHead, visitor: Visitor
    ) -> tuple[list[dict[str, str]], Answer | None]:
        """What each policy says of this request, and the refusal if one does. Nothing is spent or waited for."""
        said: list[dict[str, str]] = []
        principal = NOBODY
        refusal: Answer | None = None
        if plan.access is not None:
            refusal = plan.access.refuses(visitor.client_ip, visitor.country)
            said.append(_said("access", refusal, "its address and country may come"))
        if plan.authentication is not None and refusal is None:
            found = self._authenticate(plan, head, visitor)
            name = f"authentication {plan.authentication.kind}"
            if isinstance(found, Coroutine):
                found.close()
                said.append({"name": name, "outcome": "unknown", "reason": "what it shows would have to be verified"})
            elif isinstance(found, Answer):
                refusal = found
                said.append(_said(name, refusal, ""))
            else:
                principal = found
                said.append(_said(name, None, f"it is {found.name or 'known'}"))
        if plan.permissions is not None and refusal is None:
            refusal = plan.permissions.refuses(head.method, head.path)
            said.append(_said("permissions", refusal, "its collection and method are granted"))
        if refusal is None:
            refusal = self._explain_quotas(plan, principal, head, visitor, said)
        return said, refusal

    def _explain_quotas(
        self, plan: AdmissionPlan, principal: Principal, head: RequestHead, visitor: Visitor, said: list[dict[str, str]]
    ) -> Answer | None:
        rank = plan.importance
        asked = [(limit, self._key(plan, limit, principal, head, visitor)) for limit in plan.limits]
        if plan.tenancy is not None:
            tenant, key = self._tenant(plan, plan.tenancy, principal, head, visitor)
            rank = rank if tenant.importance is None else tenant.importance
            if tenant.limit is not None:
                asked.insert(0, (tenant.limit, key))
        refusal: Answer | None = None
        for limit, key in asked:
            if limit.scope != "node" and limit.scope not in self.counters.stores:
                reason = "nodes count it together, which only data planes know"
                said.append({"name": f"limit {limit.id} ({limit.scope})", "outcome": "unknown", "reason": reason})
                continue
            now = self._now()
            taken = self.counters.take(limit, key, now, limit.max_wait_s, spend=False)
            refusal = over_limit(limit, taken.wait_s) if taken.wait_s > limit.max_wait_s else None
            there = f"{left(taken.tat, now, limit.quota)} of {limit.quota.burst} left"
            waits = f"it would wait {taken.wait_s:.3f} s" if taken.wait_s else there
            said.append(_said(f"limit {limit.id} ({limit.scope})", refusal, waits))
            if refusal is not None:
                return refusal
        if self.shedding is not None:
            refusal = self.shedding.refuses(rank, self.in_flight)
            said.append(_said("overload", refusal, f"there is room for {NAMES[rank]} requests"))
        return refusal

    # -- one request

    def admit(self, plan: AdmissionPlan, head: RequestHead, peer: Visitor) -> Verdict:
        """Decide, or say what must be waited for. May change which fields of `head` are forwarded."""
        if plan.access is not None:
            refusal = plan.access.refuses(peer.client_ip, peer.country)
            if refusal is not None:
                return refusal
        principal = NOBODY
        if plan.authentication is not None:
            found = self._authenticate(plan, head, peer)
            if isinstance(found, Principal):
                principal = found
            elif isinstance(found, Answer):
                return found
            else:
                return self._once_known(found, plan, head, peer)
        return self._known(plan, principal, head, peer)

    def _authenticate(self, plan: AdmissionPlan, head: RequestHead, visitor: Visitor) -> Outcome:
        authenticator = self._registry.by_route.get(plan.route)
        if authenticator is None:
            return unavailable(f"route {plan.route} asks for a proof that this node cannot check")
        return authenticator.authenticate(head, visitor.identity)

    async def _once_known(
        self, waiting: Coroutine[Any, Any, Found], plan: AdmissionPlan, head: RequestHead, peer: Visitor
    ) -> Answer | None:
        try:
            found = await waiting
            if isinstance(found, Answer):
                return found
            verdict = self._known(plan, found, head, peer)
            return await verdict if isinstance(verdict, Coroutine) else verdict
        except Exception:  # noqa: BLE001 - the border: whatever fails, the client gets an answer
            _log.exception("admission to route %s failed", plan.route)
            return BROKEN

    def _known(self, plan: AdmissionPlan, principal: Principal, head: RequestHead, peer: Visitor) -> Verdict:
        """It is known who asks."""
        if plan.permissions is not None:
            refusal = plan.permissions.refuses(head.method, head.path)
            if refusal is not None:
                return refusal
        if plan.stripped or principal.fields:
            fields = principal.fields + actor_line(principal.name) if plan.names_actor else principal.fields
            head.forwarded_fields = replace_fields(head.forwarded_fields, plan.stripped, fields)
        if plan.tenancy is None and not plan.limits:
            return self._room(plan.importance, "")
        return self._count(plan, principal, head, peer)

    def _count(self, plan: AdmissionPlan, principal: Principal, head: RequestHead, peer: Visitor) -> Verdict:
        """It may come, if not too often."""
        rank = plan.importance
        label = ""
        if plan.tenancy is not None:
            tenant, key = self._tenant(plan, plan.tenancy, principal, head, peer)
            label = tenant.label
            if tenant.importance is not None:
                rank = tenant.importance
            if tenant.limit is not None:
                taken = self.counters.take(tenant.limit, key, self._now(), 0.0)
                if taken.wait_s:
                    self.tenants.add(label, "limited")
                    return over_limit(tenant.limit, taken.wait_s)
        if plan.limits:
            refusal, waits = self._limit(plan, principal, head, peer)
            if refusal is not None:
                if label:
                    self.tenants.add(label, "limited")
                return refusal
            if waits:
                return self._once_time_has_passed(waits, rank, label)
        return self._room(rank, label)

    def _room(self, rank: int, label: str) -> Answer | None:
        """Whether there is room for one more, and the count of its tenant."""
        if self.shedding is not None:
            refusal = self.shedding.refuses(rank, self.in_flight)
            if refusal is not None:
                if label:
                    self.tenants.add(label, "shed")
                return refusal
        if label:
            self.tenants.add(label, "admitted")
        return None

    def _limit(
        self, plan: AdmissionPlan, principal: Principal, head: RequestHead, peer: Visitor
    ) -> tuple[Answer | None, Waits]:
        """One token of each limit, in their order; what an earlier one gave is spent when a later one refuses."""
        waits: Waits = ()
        for limit in plan.limits:
            key = self._key(plan, limit, principal, head, peer)
            if not limit.max_wait_s:
                taken = self.counters.take(limit, key, self._now(), 0.0)
                if taken.wait_s:
                    return over_limit(limit, taken.wait_s), ()
                continue
            is_full = self.counters.is_full(limit)
            max_wait_s = 0.0 if is_full else limit.max_wait_s
            taken = self.counters.take(limit, key, self._now(), max_wait_s)
            if taken.wait_s > max_wait_s:
                return over_limit(limit, taken.wait_s, queue_full=is_full), ()
            if taken.wait_s:
                waits = (*waits, (limit, taken.wait_s))
        return None, waits

    async def _once_time_has_passed(self, waits: Waits, rank: int, label: str) -> Answer | None:
        """A request that a limit delays: it has its token, and goes when the token comes."""
        for limit, _ in waits:
            self.counters.begin_wait(limit)
        try:
            await asyncio.sleep(max(wait_s for _, wait_s in waits))
        finally:
            for limit, _ in waits:
                self.counters.end_wait(limit)
        return self._room(rank, label)

    def _key(
        self, plan: AdmissionPlan, limit: LimitPlan, principal: Principal, head: RequestHead, visitor: Visitor
    ) -> bytes:
        return key_of(limit.prefix, limit.parts, head, visitor.client_ip, principal, plan.key)

    def _tenant(
        self, plan: AdmissionPlan, tenancy: Tenancy, principal: Principal, head: RequestHead, visitor: Visitor
    ) -> tuple[TenantPlan, bytes]:
        """Whose request it is, and what their requests are counted by."""
        value = value_of(tenancy.part, head, visitor.client_ip, principal, plan.key)
        tenant = tenancy.plan_of(value.decode("utf-8", "replace"))
        return tenant, (tenant.limit.prefix if tenant.limit is not None else b"") + value


def _said(name: str, refusal: Answer | None, otherwise: str) -> dict[str, str]:
    """A policy's line in an explanation."""
    if refusal is None:
        return {"name": name, "outcome": "passed", "reason": otherwise}
    return {"name": name, "outcome": "refused", "reason": f"{refusal.reason}: {refusal.detail}"}
