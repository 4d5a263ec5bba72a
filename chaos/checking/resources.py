"""Does a node hold after a fault what it held before? Memory, descriptors, threads, connections; and on its disk no
more than what it was given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from chaos.mesh.plan import COLLECTIONS, KEPT_OPERATIONS
from chaos.mesh.processes import Held
from chaos.traffic.history import Churn
from sync.sqlite.schema import CACHE_KIB
from sync.sqlite.store import READERS

DESCRIPTOR_SLACK = 16
"""Pooled connections to endpoints, peers and databases that were not open at the time of the first look."""
THREAD_SLACK = 8
"""Executors start threads when there is work, up to a bound, and keep them."""

HALF_CLOSED_SLACK = 2
"""Pooled to Redis; one that was cut is closed when its turn comes, within seconds."""
DISK_SLACK_BYTES = 1 << 20
"""Files grow in steps."""
WAL_MOST_BYTES = 24 << 20
"""A write-ahead log is folded in when it has 16 MiB, or a little later while somebody reads."""
CUT_SLACK = 2_000
"""Operations since the log was last cut."""
BYTES_A_WRITE = 4 << 10
"""Of a value of a few dozen bytes: with its log, its key's state, its operation id, and indexes over them."""
CLASSES = len(set(COLLECTIONS.values()))
"""Of residency: each has a database of its own."""
BYTES_A_REQUEST = 1 << 10
"""An audit record for each attempt across a border."""


def overgrown(before: Mapping[str, Held], after: Mapping[str, Held], *, writes: int, requests: int) -> Iterator[str]:
    """C12: what a node keeps on its disk is in proportion to what it was asked to keep."""
    most = DISK_SLACK_BYTES + writes * BYTES_A_WRITE + requests * BYTES_A_REQUEST
    for region, was in before.items():
        grown = after[region].disk_bytes - was.disk_bytes
        if grown > most:
            yield f"{region}: {grown >> 10} KiB more on its disk"
        if after[region].wal_bytes > WAL_MOST_BYTES:
            yield f"{region}: a write-ahead log of {after[region].wal_bytes >> 20} MiB"


def uncut(churns: Sequence[Churn]) -> Iterator[str]:
    """C12: a log holds no more than readers may still ask for, however much is written while a region is dead."""
    for one in churns:
        if one.written < KEPT_OPERATIONS + 5 * CUT_SLACK:
            yield f"{one.region}: only {one.written:,} operations were written, so nothing is shown"
        if one.rows > KEPT_OPERATIONS + CUT_SLACK:
            yield f"{one.region}: {one.rows:,} operations in the log after {one.written:,} were written"


def not_back(before: Mapping[str, Held], after: Mapping[str, Held], *, memory_mib: int) -> Iterator[str]:
    """By region: what is above where it was, and by how much. `memory_mib`: what a node may have more of, beside what
    the process of its data may keep in the databases' caches."""
    for region, was in before.items():
        now = after[region]
        if now.processes < was.processes:
            yield f"{region}: {now.processes} processes, {was.processes} before"
        grown = now.memory_bytes - was.memory_bytes
        cached = min(_grown(was, now).get("sync", 0), cacheable(now.database_bytes) - cacheable(was.database_bytes))
        if grown - max(0, cached) > memory_mib << 20:
            yield f"{region}: {grown >> 20} MiB more memory ({_by_role(was, now)})"
        if now.descriptors > was.descriptors + DESCRIPTOR_SLACK:
            yield f"{region}: {now.descriptors} descriptors, {was.descriptors} before"
        if now.threads > was.threads + THREAD_SLACK:
            yield f"{region}: {now.threads} threads, {was.threads} before"
        if now.in_flight:
            yield f"{region}: {now.in_flight} requests in flight though nobody asks"
        if now.half_closed > was.half_closed + HALF_CLOSED_SLACK:
            yield f"{region}: {now.half_closed} connections whose other end is gone, {was.half_closed} before"
        if now.connections:
            yield f"{region}: {now.connections} client connections though no client is there"


def cacheable(database_bytes: int) -> int:
    """Bytes of databases of this size that SQLite's caches hold at most. Each connection has its own: the writer, and
    the readers (the lanes and the loop) with a quarter of that."""
    most = CLASSES * CACHE_KIB << 10
    return min(database_bytes, most) + (READERS + 1) * min(database_bytes, most // 4)


def _grown(was: Held, now: Held) -> dict[str, int]:
    """By role; a process that was started anew begins with little."""
    return {role: now.memory_by_role[role] - was.memory_by_role.get(role, 0) for role in now.memory_by_role}


def _by_role(was: Held, now: Held) -> str:
    """Where memory went."""
    grown = sorted(_grown(was, now).items())
    return ", ".join(f"{role} {size // (1 << 20):+} MiB" for role, size in grown) or "nobody says where"
