"""Does the name in the DNS point to where it should? The leading node looks, and moves it.

    facts ──core/pointing──> wanted region ──journal──> RFC 2136 update with our epoch ──> row `dns/<name>` ──journal
    new leader               writes its epoch beside the name first: from then on an older one's update fails there
    now and then             what stands in the zone is read again; what somebody else put there is put right

The row says where the name points and from which region it was moved away, so the next leader goes on from there.
Needs the extra `dns`, which is why health/dns_failover.py is imported late. No failure here holds up a promotion.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from config.models.failover import Failover, FailoverDns
from config.secrets import SecretUnavailable, resolve
from health.core.failover import MANUAL, Facts
from health.core.pointing import target, wanted
from health.core.rows import StateError, understood

if TYPE_CHECKING:
    from health.dns_failover import Pointer
    from tidegate.node.control import Control

KIND = "dns"
LOOK_AGAIN_S = 60.0
"""What stands in the zone is read again so often."""


class Standing(msgspec.Struct, frozen=True):
    """The row: where the name points."""

    region: str
    targets: tuple[str, ...]
    moved_from: str | None
    """The leading region, while the name points to another that stands in for it."""
    at: float
    why: str
    node: str


class Pointing:
    """One node's part in it."""

    def __init__(self, control: Control, *, environ: Mapping[str, str]) -> None:
        self._control = control
        self._environ = environ
        self.problem: str | None = None
        """Why the name could not be moved the last time."""
        self._epoch: int | None = None
        """Under which everything in the zone was last found as it should be."""
        self._look_again_at = 0.0
        self._failures = 0
        self._not_before = 0.0

    # What people ask

    def standing(self) -> Standing | None:
        """None where the name was never moved, or no name is configured."""
        options = self._options()
        row = None if options is None else self._control.state.row(KIND, _full_name(options))
        found, _ = understood([] if row is None else [row], Standing)
        return found[0][1] if found else None

    def shown(self, leading: str) -> dict[str, Any] | None:
        """For the plan: where the name points, and where it would if `leading` led."""
        options = self._options()
        if options is None:
            return None
        now, config = self.standing(), self._control.configuration.loaded.config
        where = target(config, leading)
        return {
            "name": _full_name(options),
            "region": None if now is None else now.region,
            "targets": [] if now is None else list(now.targets),
            "moved_from": None if now is None else now.moved_from,
            "since": None if now is None else now.at,
            "would": {"region": leading, "targets": [] if where is None else [where], "ttl_s": options.ttl},
            "problem": self.problem,
        }

    # Time

    async def run(self) -> None:
        """Look and act for as long as this node leads, for ever."""
        while True:
            await self.act()
            await asyncio.sleep((self._settings() or MANUAL).detection.interval)

    async def act(self) -> None:
        """One look, as the leader."""
        control, options = self._control, self._options()
        epoch = control.leadership.epoch
        if options is None or epoch is None:
            self.problem, self._epoch = None, None
            return
        facts, now = control.failing_over.facts(), control.clock()
        before = self.standing()
        moved_from = None if before is None else before.moved_from
        found = wanted(control.configuration.loaded.config, facts, moved_from=moved_from)
        region = found.region or (before.region if before is not None else None)
        if region is None or now < self._not_before:
            return
        is_settled = before is not None and before.region == region and self._epoch == epoch
        if is_settled and now < self._look_again_at:
            return
        moved_from = None if region == facts.primary else facts.primary
        await self._point(options, region, found.why, facts, moved_from=moved_from, epoch=epoch)

    async def _point(
        self, options: FailoverDns, region: str, why: str, facts: Facts, *, moved_from: str | None, epoch: int
    ) -> None:
        from health import dns_failover  # noqa: PLC0415 - needs the extra `dns`

        control = self._control
        where = target(control.configuration.loaded.config, region)
        if where is None:
            return
        decision = None
        try:
            pointer = self._pointer(options)
            targets = dns_failover.texts(pointer, [where])
            stands, recorded = await dns_failover.pointed(pointer)
            if stands != targets:
                evidence = {"from": list(stands), "to": list(targets), "recorded_epoch": recorded}
                evidence["down"] = facts.down.get(moved_from or "")
                decision = await control.journal.begin(
                    "point", f"dns/{_full_name(options)}", author="leader", why=why, evidence=evidence, epoch=epoch
                )
            if stands != targets or recorded != epoch:
                await dns_failover.point(pointer, [where], epoch=epoch)
            await self._remember(options, region, targets, moved_from, why, epoch=epoch)
        except (dns_failover.DnsFailed, SecretUnavailable, StateError, ValueError) as error:
            self._failed(str(error))
            if decision is not None:
                is_refused = isinstance(error, dns_failover.StaleEpoch)
                await control.journal.end(decision, "refused" if is_refused else "unknown", str(error))
            return
        self._succeeded(epoch)
        if decision is not None:
            await control.journal.end(decision, "done", f"{_full_name(options)} points to {region} ({where})")

    async def _remember(
        self,
        options: FailoverDns,
        region: str,
        targets: Sequence[str],
        moved_from: str | None,
        why: str,
        *,
        epoch: int,
    ) -> None:
        """Raises StateError; the name points there already then, and the next look writes it down."""
        control, before = self._control, self.standing()
        if before is not None and (before.region, before.targets, before.moved_from) == (
            region,
            tuple(targets),
            moved_from,
        ):
            return
        row = control.state.row(KIND, _full_name(options))
        standing = Standing(region, tuple(targets), moved_from, control.wall(), why, control.plan.node_id)
        value: dict[str, Any] = msgspec.to_builtins(standing)
        await control.state.put(KIND, _full_name(options), value, expected=row.version if row else 0, epoch=epoch)

    def _pointer(self, options: FailoverDns) -> Pointer:
        from health.dns_failover import Key, Pointer  # noqa: PLC0415 - needs the extra `dns`

        key, tsig = None, options.tsig
        if tsig is not None:
            secret = resolve(tsig.secret, environ=self._environ).decode("ascii", "replace")
            key = Key(tsig.name, tsig.algorithm, secret)
        return Pointer(options.server, options.port, options.zone, options.name, options.ttl, key)

    def _succeeded(self, epoch: int) -> None:
        now = self._control.clock()
        self.problem, self._failures, self._not_before = None, 0, now
        self._epoch, self._look_again_at = epoch, now + LOOK_AGAIN_S

    def _failed(self, why: str) -> None:
        """Again after a while that grows."""
        if why != self.problem:
            self._control.log.problem("the name in the DNS could not be moved", reason=why)
        backoff = (self._settings() or MANUAL).backoff
        wait_s = min(backoff.max, backoff.initial * backoff.factor**self._failures)
        self.problem, self._failures = why, min(self._failures + 1, 64)
        self._not_before = self._control.clock() + wait_s

    def _settings(self) -> Failover | None:
        return self._control.configuration.loaded.config.failover

    def _options(self) -> FailoverDns | None:
        settings = self._settings()
        return None if settings is None else settings.dns


def _full_name(options: FailoverDns) -> str:
    zone = options.zone.rstrip(".")
    return zone if options.name == "@" else f"{options.name}.{zone}"
