"""The rows of the figure table, of one run. A figure that a run cannot give is None, never 0."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chaos.checking import auditing, budget, causality, data, gateway, leadership, sticky
from chaos.checking.promises import Facts
from chaos.traffic.history import History, within

Figures = Mapping[str, float | None]

ROWS: Mapping[str, tuple[str, str]] = {
    "writes": ("1 writes asked", "{:.0f}"),
    "writes_ok": ("1 writes acknowledged", "{:.0f}"),
    "writes_refused": ("1 writes refused", "{:.0f}"),
    "writes_unknown": ("1 writes whose fate nobody told", "{:.0f}"),
    "lost": ("2 acknowledged writes lost", "{:.0f}"),
    "lost_bound": ("2 upper bound of their share, at 95 %", "{:.2%}"),
    "phantoms": ("3 phantoms", "{:.0f}"),
    "resurrected": ("4, 7 sessions that went back", "{:.0f}"),
    "repeated": ("5 duplicates applied", "{:.0f}"),
    "divergent": ("6 divergent keys at the end", "{:.0f}"),
    "causal": ("7 causal anomalies", "{:.0f}"),
    "conflicts": ("8 races lost and recorded", "{:.0f}"),
    "visible_p50": ("9 seen in another region, p50 s", "{:.2f}"),
    "visible_p95": ("9 seen in another region, p95 s", "{:.2f}"),
    "visible_max": ("9 seen in another region, max s", "{:.2f}"),
    "settle_s": ("11 until all is well again, s", "{:.1f}"),
    "converge_s": ("11 until all regions hold the same, s", "{:.1f}"),
    "write_ok": ("12 writes acknowledged at the first try, during", "{:.1%}"),
    "write_gap_s": ("12 longest gap without one, s", "{:.1f}"),
    "read_failed": ("12 idempotent requests failed, during", "{:.2%}"),
    "read_gap_s": ("12 longest gap without an answer, s", "{:.1f}"),
    "post_failed": ("12 other requests failed, during", "{:.2%}"),
    "socket_lost": ("12 WebSocket messages lost", "{:.0f}"),
    "leader_gap_s": ("14 longest time without a leader, s", "{:.1f}"),
    "two_leaders": ("14 epochs with two leaders", "{:.0f}"),
    "leaks": ("15 residency leaks", "{:.0f}"),
    "memory_mib": ("17 memory of the three nodes, MiB", "{:.0f}"),
    "disk_kib": ("17 growth of a node's disk, KiB", "{:.0f}"),
    "over_limit": ("limits exceeded by, requests", "{:.0f}"),
    "over_shared_limit": ("limit of all nodes exceeded by, requests", "{:.0f}"),
    "sticky_moved": ("sessions that moved, their endpoint gone", "{:.0f}"),
    "sticky_doubted": ("... though nothing was done to it: late, or called down", "{:.0f}"),
    "sticky_astray": ("... without a reason", "{:.0f}"),
    "crossings": ("requests across a border", "{:.0f}"),
    "unrecorded": ("... of which the audit log lacks", "{:.0f}"),
    "requests": ("n: requests", "{:.0f}"),
}
"""Each with its name, numbered as the design numbers them, and how it is written."""


def figures(history: History, facts: Facts) -> dict[str, float | None]:
    """Of one run, by the names in ROWS."""
    during = within(history.exchanges, history.fault_span())
    repeatable, other = budget.of_requests(during, idempotent=True), budget.of_requests(during, idempotent=False)
    writes = budget.of_writes(history.operations, history.fault_span())
    acknowledged = sum(1 for _ in history.acknowledged())
    took = sorted(one.took_s for one in history.sights if one.took_s is not None)
    kept = sticky.sessions(history, facts.gone)
    refused = sum(one.refused is not None for one in history.operations)
    found: dict[str, float | None] = {
        "writes": len(history.operations),
        "writes_ok": acknowledged,
        "writes_refused": refused,
        "writes_unknown": len(history.operations) - acknowledged - refused,
        "lost": _count(data.lost(history)),
        "lost_bound": 3 / acknowledged if acknowledged else None,
        "phantoms": _count(data.phantoms(history)),
        "resurrected": _count(data.sessions(history)),
        "repeated": _count(data.repeated(history)),
        "divergent": _count(data.divergence(history)),
        "causal": _count(causality.violations(history)),
        "conflicts": len({value for keys in history.losers.values() for values in keys.values() for value in values}),
        "visible_p50": quantile(took, 0.5),
        "visible_p95": quantile(took, 0.95),
        "visible_max": took[-1] if took else None,
        "settle_s": facts.settle_s,
        "converge_s": facts.converge_s,
        "write_ok": 1 - writes.share if writes.asked else None,
        "write_gap_s": writes.longest_gap_s if writes.asked else None,
        "read_failed": repeatable.share if repeatable.asked else None,
        "read_gap_s": repeatable.longest_gap_s if repeatable.asked else None,
        "post_failed": other.share if other.asked else None,
        "socket_lost": budget.spread(history).failed,
        "leader_gap_s": leadership.longest_without(history),
        "two_leaders": _count(leadership.two_leaders(history)),
        "leaks": _count(data.leaks(history)),
        "memory_mib": sum(one.memory_bytes for one in facts.after.values()) / (1 << 20),
        "disk_kib": facts.most_grown() / (1 << 10),
        "over_limit": max(gateway.over_limit(history).values()),
        "over_shared_limit": gateway.over_shared_limit(history),
        "sticky_moved": kept.moved,
        "sticky_doubted": kept.doubted,
        "sticky_astray": len(kept.astray),
        "crossings": sum(auditing.crossings(history).values()),
        "unrecorded": _count(auditing.unrecorded(history)),
        "requests": len(history.exchanges),
    }
    return found


def quantile(ordered: list[float], share: float) -> float | None:
    """Nearest rank; None of nothing."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def _count(found: Iterable[str]) -> int:
    return len(list(found))
