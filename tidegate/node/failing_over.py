"""Who leads among the regions? Votes given and counted, the plan for people, and what the leading node does alone.

    own probes ──vote, soft row──> all nodes ──ballots──> facts ──> machine (leader only) ──row `role/primary`, by epoch
                                                               └──> plan for whoever asks

The row moves the role: regions for disasters take traffic while they lead and not before. What each node sends its own
requests to otherwise follows what it reaches itself, and never waits for any of this.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from config.models import Config
from health.core.failover import (
    MANUAL,
    Ask,
    Candidate,
    DataLag,
    Facts,
    FailoverMachine,
    Plan,
    Promote,
    first_choice,
    plan,
)
from health.core.rows import Conflict, StaleEpoch, StateError, Unavailable, understood
from health.core.votes import MAX_AGE_S, WITNESS, Ballot, Vote, ballot
from health.core.watching import Watching
from tidegate.node.journal import Outcome
from tidegate.node.orders import OrderRefused

if TYPE_CHECKING:
    from tidegate.node.control import Control

ROLE, PRIMARY, VOTE = "role", "primary", "vote"
"""Kind and key of the row; kind of the soft rows, one a node."""


class Leading(msgspec.Struct, frozen=True):
    """The row: which region leads, since the last promotion."""

    region: str
    instead_of: str
    at: float
    author: str
    why: str
    node: str


class Said(msgspec.Struct, frozen=True):
    """A node's votes."""

    region: str
    votes: dict[str, tuple[str, str]]
    """By accused region: what it says, and what it saw."""


class FailingOver:
    """One node's part in it."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self.machine = FailoverMachine()
        self.asked: str | None = None
        """What the machine wants a person to decide."""
        self._led_in: int | None = None
        self._watching = Watching()

    # Who leads

    def primary(self) -> str:
        config = self._control.configuration.loaded.config
        leading = self.leading()
        known = {region.id for region in config.regions}
        return leading.region if leading is not None and leading.region in known else first_choice(config)

    def leading(self) -> Leading | None:
        """The last promotion, if there was one."""
        row = self._control.state.row(ROLE, PRIMARY)
        found, _ = understood([] if row is None else [row], Leading)
        return found[0][1] if found else None

    def standby(self, region: str) -> str | None:
        """Why a region takes no traffic though it is well: it is there for disasters, and none has come."""
        config = self._control.configuration.loaded.config
        role = next((one.role for one in config.regions if one.id == region), None)
        if role != "disaster_recovery" or region == self.primary():
            return None
        return f"region {region} is for disaster recovery and has not been promoted"

    # Votes

    def watch(self) -> None:
        """Look at the regions, and say what this node has to say of each."""
        control = self._control
        config, now = control.configuration.loaded.config, control.clock()
        timeout_s = (config.failover or MANUAL).detection.timeout
        votes = self._watching.votes(control.prober.regions(), timeout_s=timeout_s, now=now)
        said = msgspec.to_builtins(Said(config.node.region or "", votes))
        control.state.announce(VOTE, control.plan.node_id, said, ttl_s=MAX_AGE_S)

    def ballots(self) -> dict[str, Ballot]:
        """By region, of all."""
        config = self._control.configuration.loaded.config
        votes, asked = list(self._votes()), voters(config)
        kind = (config.failover or MANUAL).quorum.kind
        return {
            region.id: ballot(region.id, votes, voters=asked, kind=kind, witness=WITNESS) for region in config.regions
        }

    def _votes(self) -> list[Vote]:
        found = []
        for row in self._control.state.soft(VOTE):
            try:
                said = msgspec.convert(row.value, Said)
                found += [
                    msgspec.convert(
                        {"voter": said.region, "node": row.key, "accused": accused, "says": says, "evidence": evidence}
                        | {"age_s": row.age_s},
                        Vote,
                    )
                    for accused, (says, evidence) in said.votes.items()
                ]
            except msgspec.ValidationError:
                continue  # of a newer program, which says it in a way that this one does not understand
        return found

    # What may be done

    def facts(self) -> Facts:
        control, now = self._control, self._control.clock()
        primary = self.primary()
        down = {name: found.sentence for name, found in self.ballots().items() if found.is_down}
        orders = control.operations.drains.orders()
        return Facts(
            primary=primary,
            down=down,
            reachable=[name for name, one in control.prober.regions().items() if one.health in ("up", "degraded")],
            well_for_s=self._watching.well_for_s(now=now),
            drained=[
                target.id for (scope, target), order in orders.items() if order.action == "drain" and scope == "all"
            ],
            lags=self._lags(primary, is_down=primary in down) if control.replicas.is_asked else {},
            no_promotion=control.leadership.no_promotion,
        )

    def _lags(self, primary: str, *, is_down: bool) -> dict[str, DataLag]:
        regions = self._control.configuration.loaded.config.regions
        found = {}
        for region in regions:
            if region.id != primary:
                lag = self._control.replicas.lag(region.id, of=primary, is_down=is_down)
                found[region.id] = DataLag(lag.seconds, lag.why)
        return found

    def plan(self, to: str | None = None) -> Plan:
        return plan(self._control.configuration.loaded.config, self.facts(), to=to)

    async def order(self, to: str | None, *, reason: str, force: bool, author: str) -> bool:
        """A person's promotion; says whether anything changed. Raises `OrderRefused`; the journal has that too."""
        facts = self.facts()
        known = [region.id for region in self._control.configuration.loaded.config.regions]
        if to is not None and to not in known:
            raise OrderRefused(404, "no_such_region", f"found no region {to[:200]}, expected {', '.join(known)}")
        if to == facts.primary:
            return False
        found = plan(self._control.configuration.loaded.config, facts, to=to)
        try:
            candidate, epoch = self._fit(found, force=force)
        except OrderRefused as refused:
            await self._refused(found, str(refused), reason, author, force=force)
            raise
        evidence = {
            "would_lose": candidate.would_lose,
            "overruled": list(candidate.forcible),
            "votes": facts.down.get(facts.primary),
        }
        try:
            await self._promote(candidate.region, facts.primary, reason, author, epoch=epoch, evidence=evidence)
        except Unavailable as error:
            raise OrderRefused(503, "state_unavailable", f"no majority agreed: {error}") from error
        except StateError as error:
            raise OrderRefused(409, "changed_meanwhile", str(error)) from error
        return True

    def _fit(self, found: Plan, *, force: bool) -> tuple[Candidate, int]:
        """Who follows by a person's word, and the epoch to act in. Raises `OrderRefused`."""
        candidate = found.candidate(found.to)
        if candidate is None:
            raise OrderRefused(409, "no_candidate", "no region may follow without force; name one, and see the plan")
        against = candidate.objections + (() if force else candidate.forcible)
        if against:
            hint = "" if candidate.objections else "; `force` does it nevertheless"
            raise OrderRefused(409, "failover_refused", f"{candidate.region}: {'; '.join(against)}{hint}")
        epoch = self._control.leadership.epoch
        if epoch is None:
            leader = self._control.leadership.leader
            detail = f"only the leading node acts: {'ask ' + leader if leader else self._control.leadership.reason}"
            raise OrderRefused(409, "not_leader", detail)
        return candidate, epoch

    async def _refused(self, found: Plan, detail: str, why: str, author: str, *, force: bool) -> None:
        """A row like every decision, with what stood against each region."""
        journal = self._control.journal
        against = {one.region: [*one.objections, *one.forcible] for one in found.candidates}
        decision = await journal.begin(
            "promote",
            "regions" if found.to is None else f"region/{found.to}",
            author=author,
            why=why,
            evidence={"instead_of": found.primary, "force": force, "against": against},
            epoch=self._control.leadership.epoch,
        )
        await journal.end(decision, "refused", detail)

    async def _promote(
        self, region: str, instead_of: str, why: str, author: str, *, epoch: int, evidence: dict[str, Any]
    ) -> None:
        """Raises `StateError`, after saying so in the journal."""
        control = self._control
        decision = await control.journal.begin(
            "promote", f"region/{region}", author=author, why=why, evidence=evidence, epoch=epoch
        )
        row = control.state.row(ROLE, PRIMARY)
        value = msgspec.to_builtins(Leading(region, instead_of, control.wall(), author, why, control.plan.node_id))
        try:
            await control.state.put(ROLE, PRIMARY, value, expected=row.version if row else 0, epoch=epoch)
        except StateError as error:
            outcome: Outcome = "failed" if isinstance(error, Conflict | StaleEpoch) else "unknown"
            await control.journal.end(decision, outcome, str(error))
            raise
        self.machine.succeeded()
        self.asked = None
        control.operations.apply()
        await control.journal.end(decision, "done", f"{region} leads instead of {instead_of}")

    # Time

    async def run(self) -> None:
        """Vote, and act if this node leads, for ever."""
        while True:
            self.watch()
            await self.act()
            config = self._control.configuration.loaded.config
            await asyncio.sleep((config.failover or MANUAL).detection.interval)

    async def act(self) -> None:
        """One look, as the leader."""
        control = self._control
        epoch, config = control.leadership.epoch, control.configuration.loaded.config
        if epoch is None:
            self.asked = None
            return
        if epoch != self._led_in:
            self._led_in, self.machine = epoch, FailoverMachine()
        facts = self.facts()
        command = self.machine.step(config, facts, now=control.clock())
        if isinstance(command, Ask):
            self.asked = command.why
            control.log.warning("failover asks a person", reason=command.why, epoch=epoch)
            decision = await control.journal.begin(
                "ask", f"region/{facts.primary}", author="leader", why=command.why, epoch=epoch
            )
            await control.journal.end(decision, "done", "waits for a person")
        elif isinstance(command, Promote):
            evidence = {"attempt": command.attempt, "votes": written(self.ballots()[command.instead_of])}
            try:
                await self._promote(
                    command.region, command.instead_of, command.why, "leader", epoch=epoch, evidence=evidence
                )
            except StateError as error:
                control.log.problem("a promotion was not carried out", reason=str(error), attempt=command.attempt)
                self.machine.failed(config, now=control.clock())
        elif facts.primary not in facts.down:
            self.asked = None


def voters(config: Config) -> set[str]:
    """The regions that have nodes, as the file says, and never as this node happens to hear: who hears nobody would be
    a majority of one. Nodes that share their state need no `peers`; where no region names any, all may have nodes."""
    named = {region.id for region in config.regions if region.peers}
    if not named and config.stores.state.kind != "embedded":
        return {region.id for region in config.regions}
    return named | {config.node.region}


def written(found: Ballot) -> dict[str, Any]:
    """A ballot, as people read it and rows keep it."""
    return {
        "is_down": found.is_down,
        "sentence": found.sentence,
        "votes": [
            {"voter": one.voter, "node": one.node, "says": one.says, "evidence": one.evidence, "age_s": one.age_s}
            for one in found.votes
        ],
    }
