"""A region is dead and given up, and more is written than a log keeps: does what is forgotten keep up with it (C12)?

    killed ── churned ── evicted ── compared, settled ── logs are cut ── started again, and back by a snapshot

How much a log holds is counted in its file, past the node.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from chaos.faults import Fault
from chaos.mesh.mesh import Mesh
from chaos.mesh.plan import KEPT_OPERATIONS, PUBLIC, REGIONS, address
from chaos.orders import agreed
from chaos.traffic.history import Churn
from chaos.traffic.sending import new_session, send
from tidegate.demo.waiting import NotInTimeError, until

COLLECTION, CLASS = "settings", "setting"
BATCHES, A_BATCH, KEYS = 260, 500, 250
"""130,000 operations on 250 keys."""
AT_A_TIME_S = 0.2
EVICTED_WITHIN_S = 120.0
"""A member that was heard a minute ago is not evicted."""
CUT_WITHIN_S = 240.0
"""What goes has been settled before: some rounds of half a minute."""


def churned(dead: str) -> Fault:
    """All of it; in force when logs are cut."""

    @asynccontextmanager
    async def fault(mesh: Mesh) -> AsyncIterator[None]:
        alive = [region for region in REGIONS if region != dead]
        await asyncio.to_thread(mesh.kill, f"node {dead}")
        try:
            written = await _churn(alive[0])
            for region in alive:
                node = mesh.nodes[region]
                order = lambda node=node: mesh.admin.evict(node, dead)  # noqa: E731
                await agreed(order, f"the eviction of {dead} in {region}", within_s=EVICTED_WITHIN_S)
            files = {region: mesh.nodes[region].data_dir / "sync" / f"{CLASS}.db" for region in alive}
            await _cut(files)
            mesh.churns.extend(Churn(region, written, rows(file)) for region, file in files.items())
            yield
        finally:
            mesh.start_again(f"node {dead}")

    return fault


async def _churn(region: str) -> int:
    """Operations that were done; the last of each key is a delete."""
    done = 0
    async with new_session() as session:
        for number in range(1, BATCHES + 1):
            url = f"http://{address(region)}:{PUBLIC}/data/v1/batch"
            got = await send(session, "POST", url, body=_batch(number), headers={"Content-Type": "application/json"})
            done += A_BATCH if got.status == 200 else 0
            await asyncio.sleep(AT_A_TIME_S)
    return done


def _batch(number: int) -> bytes:
    first = (number - 1) * A_BATCH
    value = base64.b64encode(f"churn {number}".encode()).decode()
    put = {"method": "PUT", "content_type": "text/plain", "value_base64": value}
    what = {"method": "DELETE"} if number == BATCHES else put
    operations = [
        {**what, "op_id": f"churn:{first + place}", "collection": COLLECTION, "key": f"churn/{place % KEYS}"}
        for place in range(1, A_BATCH + 1)
    ]
    return json.dumps({"operations": operations}).encode()


async def _cut(files: dict[str, Path]) -> None:
    """Waits until they are; that they are not is judged."""
    with contextlib.suppress(NotInTimeError):
        await until(
            lambda: max(map(rows, files.values())) <= KEPT_OPERATIONS + A_BATCH,
            within_s=CUT_WITHIN_S,
            every_s=2.0,
            what="logs that are cut",
        )


def rows(file: Path) -> int:
    """Operations in the log of a store's file."""
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10.0)) as connection:
        found: int = connection.execute("SELECT count(*) FROM log").fetchone()[0]
    return found
