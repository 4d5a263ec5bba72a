"""What has a run left behind? Final reads, the backends' logs, audit logs, and the files of a region that may not hold
everything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from chaos.mesh import audit
from chaos.mesh.mesh import Mesh
from chaos.mesh.plan import FORBIDDEN, HOME, REGIONS
from chaos.traffic import final
from chaos.traffic.history import Arrival, History, Kept
from chaos.traffic.sending import new_session
from chaos.traffic.writers import canary
from tidegate.demo.waiting import NotInTimeError, until

READ_WITHIN_S = 30.0


async def gather(history: History, mesh: Mesh, run: str) -> None:
    """All of it, into the history: losers, shared keys one by one, the backends' logs, the forbidden region's files.

    A feed tells a version under every name that it has; only who reads the key sees whether it is one.
    """
    async with new_session() as session:
        for region in REGIONS:
            await _read_region(session, history, region, run)
    history.arrivals = [
        one for region in REGIONS for one in arrivals(mesh.directory / f"{region}.jsonl") if one.token.startswith(run)
    ]
    for region in REGIONS:
        log = audit.read(mesh.nodes[region].data_dir)
        history.records += log.records
        history.audit_faults += [f"{region}: {fault}" for fault in log.faults]
    files = [*_files(mesh, FORBIDDEN)]
    history.searched_files = len(files)
    history.canaries_found = found_in(files, canary(run).encode())


async def _read_region(session: aiohttp.ClientSession, history: History, region: str, run: str) -> None:
    """Until the region has answered all of it; what it did not answer in the end is on record."""
    why: list[str] = []

    async def is_read() -> bool:
        try:
            history.losers[region] = await final.losers(session, region, run)
            for collection, keys in history.final.get(region, {}).items():
                wanted = [key for key, kept in keys.items() if is_to_be_read(key.removeprefix(f"{run}/"), kept)]
                keys.update(await final.readings(session, region, collection, wanted))
        except final.NotReadable as refused:
            why[:] = [str(refused)]
            return False
        return True

    try:
        await until(is_read, within_s=READ_WITHIN_S, every_s=0.5, what="the final read")
    except NotInTimeError:
        history.unread += why


def is_to_be_read(key: str, kept: Kept) -> bool:
    """Shared keys, and those of which a feed told a version under two names: a chain's write, sent to two regions."""
    return not key.startswith(("chain/", "sight/")) or len(set(kept.values)) < len(kept.values)


def arrivals(log: Path) -> Iterator[Arrival]:
    """A backend's log. The last line may be half there: its writer was killed."""
    for line in log.read_text().splitlines() if log.exists() else ():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        yield Arrival(
            *(told[name] for name in ("at", "backend", "region", "from", "method", "path", "token", "request_id"))
        )


def found_in(files: list[Path], mark: bytes) -> list[str]:
    """Those of the files that hold it."""
    found = []
    for file in files:
        try:
            if mark in file.read_bytes():
                found.append(file.name)
        except OSError:
            continue  # a write-ahead log that was folded in meanwhile
    return found


def _files(mesh: Mesh, region: str) -> Iterator[Path]:
    """Everything that a region's node and databases have written."""
    for place in (
        mesh.nodes[region].data_dir,
        *(mesh.directory / f"{kind}-{region}" for kind in ("redis", "postgres")),
    ):
        yield from (path for path in place.rglob("*") if path.is_file())
    yield mesh.directory / f"node-{region}.log"


def marks_at_home(mesh: Mesh, run: str) -> int:
    """Files of a region that may hold personal data which do."""
    return len(found_in([*_files(mesh, HOME[0])], canary(run).encode()))
