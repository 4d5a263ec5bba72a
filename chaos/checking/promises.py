"""One run judged: each promise kept or broken, with what was found in numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from chaos.checking import auditing, budget, causality, data, gateway, leadership, resources, sticky
from chaos.experiment import Bounds
from chaos.mesh.processes import Held
from chaos.traffic.history import Churn, Gone, History, Survival, within
from tidegate.demo.promises import Promise

SHOWN = 3
LEAST_REQUESTS = 30
"""Fewer show nothing."""


@dataclass(frozen=True)
class Facts:
    """What was measured around the history."""

    settle_s: float | None
    """None: not in time."""
    converge_s: float | None
    before: Mapping[str, Held]
    after: Mapping[str, Held]
    held_back: int = 0
    unsettled: str = ""
    marks_at_home: int = 0
    """Files of a home region in which the mark of personal data was found: the search can find it."""
    drained: Sequence[tuple[str, float, float]] = field(default_factory=tuple)
    gone: Sequence[Gone] = field(default_factory=tuple)
    survivals: Sequence[Survival] = field(default_factory=tuple)
    churns: Sequence[Churn] = field(default_factory=tuple)

    def most_grown(self) -> int:
        """Bytes, on the disk of the node where that is most."""
        return max((self.after[region].disk_bytes - was.disk_bytes for region, was in self.before.items()), default=0)


def judged(history: History, facts: Facts, bounds: Bounds) -> tuple[Promise, ...]:
    """All of them, gateway first."""
    return (
        *_of_gateway(history, facts, bounds),
        *_of_data(history, facts, bounds),
        *_of_audit(history),
        *_of_nodes(history, facts, bounds),
    )


def _of_gateway(history: History, facts: Facts, bounds: Bounds) -> Iterator[Promise]:
    answered = sum(one.is_served for one in history.exchanges)
    frames = len(history.echoes)
    posts = sum(one.method == "POST" for one in history.exchanges)
    bound = sum(one.route == "bound" for one in history.exchanges)
    yield none_of(
        "no answer reaches another client", gateway.mixed(history), f"{answered:,} answers, {frames:,} messages"
    )
    yield none_of("nothing is executed twice that may not be", gateway.executed_twice(history), f"{posts:,} requests")
    yield none_of("every answer is of who says so", gateway.executed_nowhere(history), f"{answered:,} answers")
    yield none_of("nothing leaves the regions it is bound to", gateway.at_forbidden_region(history), f"{bound:,} bound")
    if facts.drained:
        what = f"{len(facts.drained)} drained"
        yield none_of(
            "nothing reaches an endpoint whose drain has ended", gateway.after_drain(history, facts.drained), what
        )
    during = within(history.exchanges, history.fault_span())
    seen = budget.of_requests(during, idempotent=True)
    yield Promise(
        f"at most {bounds.failed_idempotent:.1%} of the requests that may be repeated fail during the fault",
        seen.asked >= LEAST_REQUESTS and seen.share <= bounds.failed_idempotent,
        f"{seen.failed} of {seen.asked}{_because(seen.reasons)}",
    )
    yield Promise(
        f"no region is without an answer for longer than {bounds.longest_gap_s:.1f} s",
        seen.asked >= LEAST_REQUESTS and seen.longest_gap_s <= bounds.longest_gap_s,
        f"{seen.longest_gap_s:.2f} s",
    )
    if bounds.hit is not None:
        others = [one for one in during if one.region != bounds.hit and one.is_idempotent]
        lost = [f"{one.token}: {one.status} {one.reason}" for one in others if budget.failed(one)]
        yield none_of(f"no client outside {bounds.hit} has a request fail", lost, f"{len(others)} requests")
    yield from _of_limits(history, bounds)
    kept = sticky.sessions(history, facts.gone)
    yield none_of(
        "a session stays with its endpoint unless that was gone",
        kept.astray if kept.answers else ["no session was there"],
        f"{kept.answers:,} answers to {kept.clients} sessions, {kept.moved} moved{_doubted(kept.doubted)}",
    )


def _of_limits(history: History, bounds: Bounds) -> Iterator[Promise]:
    asked = sum(one.route == "limited" for one in history.exchanges)
    within_s = bounds.limits_within_s
    excess = max(gateway.over_limit(history, within_s=within_s).values())
    yield Promise(
        f"limits are exceeded by at most {bounds.over_limit}", excess <= bounds.over_limit, f"{excess} of {asked:,}"
    )
    together = gateway.over_shared_limit(history, within_s=within_s)
    if together is not None:
        asked = sum(one.route == "shared" for one in history.exchanges)
        yield Promise(
            f"a limit of all nodes is exceeded by at most {bounds.over_shared_limit}",
            together <= bounds.over_shared_limit,
            f"{together} of {asked:,}",
        )


def _doubted(count: int) -> str:
    return f", {count} of them though nothing was done to their endpoint" if count else ""


def _of_data(history: History, facts: Facts, bounds: Bounds) -> Iterator[Promise]:
    acknowledged = sum(1 for _ in history.acknowledged())
    standing = sum(
        len(kept.values) for region in history.final.values() for keys in region.values() for kept in keys.values()
    )
    writes = f"{acknowledged:,} writes"
    yield none_of(
        "C1: no acknowledged write is lost", data.lost(history) if acknowledged else ["none acknowledged"], writes
    )
    yield none_of("every region answers the final read", history.unread, f"{len(history.final)} regions")
    yield none_of("C2: nothing is read that nobody wrote", data.phantoms(history), f"{standing:,} values")
    yield none_of("C3: all regions hold the same in the end", data.divergence(history), f"{standing:,} values")
    looks = f"{len(history.reads) + len(history.glances):,} reads"
    yield none_of("C4: nothing is seen beside what it replaced, or after it", causality.violations(history), looks)
    yield none_of("C5, C6: no session goes back", data.sessions(history), f"{len(history.reads):,} reads")
    yield none_of("C7: what is sent twice is done once", data.repeated(history), writes)
    leaks = [*data.leaks(history)]
    if not facts.marks_at_home:
        leaks.append("the mark was not even found at home, so nothing is shown")
    yield none_of("C8: personal data stays at home", leaks, f"{history.searched_files} files searched")
    yield _in_time("C9: all regions hold the same", facts.converge_s, bounds.converge_within_s)
    if facts.survivals or bounds.kills_upon_ack:
        gone = [*data.forgotten(facts.survivals)]
        if len(facts.survivals) < bounds.kills_upon_ack:
            gone.append(f"fewer than {bounds.kills_upon_ack} kills, so nothing is shown")
        yield none_of(
            "C10: what was acknowledged outlives a kill -9 the moment after", gone, f"{len(facts.survivals)} kills"
        )


def _of_audit(history: History) -> Iterator[Promise]:
    crossed = f"{sum(auditing.crossings(history).values()):,} requests across borders"
    found = [*auditing.unrecorded(history), *auditing.invented(history), *auditing.refusals_unrecorded(history)]
    yield none_of("C13: what crosses a border is recorded once, and so is what may not", found, crossed)
    yield none_of("C13: audit logs are as they were written", history.audit_faults, f"{len(history.records):,} records")


def _of_nodes(history: History, facts: Facts, bounds: Bounds) -> Iterator[Promise]:
    claims = f"{len(history.claims):,} looks"
    yield none_of("C11: one leader an epoch", leadership.two_leaders(history), claims)
    yield none_of("C11: epochs only grow", leadership.epochs_back(history), claims)
    yield _in_time("every node says that all is well", facts.settle_s, bounds.settle_within_s, facts.unsettled)
    yield none_of(
        "nodes hold what they held before",
        resources.not_back(facts.before, facts.after, memory_mib=bounds.memory_mib),
        described(facts.after),
    )
    if facts.churns or bounds.churns:
        found = [*resources.uncut(facts.churns)]
        if len(facts.churns) < bounds.churns:
            found.append(f"fewer than {bounds.churns} logs, so nothing is shown")
        sizes = ", ".join(f"{one.rows:,} of {one.written:,}" for one in facts.churns)
        yield none_of("C12: logs are cut, whoever is dead", found, f"{sizes} operations kept")
    churned = sum(one.written for one in facts.churns)
    operations, requests = len(history.operations) + churned, len(history.exchanges)
    yield none_of(
        "C12: disks grow by no more than what was written",
        resources.overgrown(facts.before, facts.after, writes=operations, requests=requests),
        f"{operations:,} writes, {requests:,} requests, at most {facts.most_grown() >> 10:,} KiB",
    )
    yield Promise("the clients could keep their pace", not facts.held_back, f"{facts.held_back} held back")


def none_of(text: str, found: Iterable[str], looked_at: str) -> Promise:
    """Kept when nothing was found."""
    wrong = list(found)
    if not wrong:
        return Promise(text, is_kept=True, found=looked_at)
    more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return Promise(text, is_kept=False, found=f"{len(wrong)} of {looked_at}: {'; '.join(wrong[:SHOWN])}{more}")


def described(held: Mapping[str, Held]) -> str:
    """All nodes together."""
    memory = sum(one.memory_bytes for one in held.values()) >> 20
    descriptors = sum(one.descriptors for one in held.values())
    return f"{memory} MiB, {descriptors} descriptors"


def _in_time(what: str, took_s: float | None, bound_s: float, why: str = "") -> Promise:
    text = f"{what} within {bound_s:.0f} s"
    if took_s is None:
        return Promise(text, is_kept=False, found=f"not in time{f': {why}' if why else ''}")
    return Promise(text, is_kept=took_s <= bound_s, found=f"{took_s:.1f} s")


def _because(reasons: Sequence[tuple[str, int]]) -> str:
    return f" ({', '.join(f'{count} {reason}' for reason, count in reasons)})" if reasons else ""
