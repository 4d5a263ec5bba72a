"""A client that is offline during the fault: it queues what it writes, and uploads the queue when it is back.

Uploaded twice, to two regions at once, as a program does that lost the answer to its first try: each operation must
have happened once.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp

from chaos.mesh.plan import PUBLIC, client_side
from chaos.traffic.history import Attempt, History, Operation
from chaos.traffic.records import DONE, NEVER
from chaos.traffic.sending import send

QUEUED = 25
TRIES = 20
AGAIN_AFTER_S = 0.5


class Offline:
    """One client and its queue."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        history: History,
        *,
        run: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._history = history
        self._clock = clock
        name = f"{run}-offline"
        self.queue = [
            Operation(f"{name}:{number}", "notes", f"{run}/offline/{number % 5}", f"{name}:{number} 0 plain", "heap")
            for number in range(1, QUEUED + 1)
        ]

    async def upload(self, regions: Sequence[str]) -> None:
        """To the regions at the same time, to each until it has answered."""
        self._history.operations += self.queue
        async with asyncio.TaskGroup() as group:
            for region in regions:
                group.create_task(self._upload(region))

    async def _upload(self, region: str) -> None:
        url = f"http://{client_side(region)}:{PUBLIC}/data/v1/batch"
        body = _encoded(self.queue)
        for _ in range(TRIES):
            began = self._clock()
            got = await send(self._session, "POST", url, body=body, headers={"Content-Type": "application/json"})
            if got.status == 200:
                self._read(region, began, got.json())
                return
            for operation in self.queue:
                operation.attempts.append(Attempt(region, began, self._clock(), got.status, got.reason))
            await asyncio.sleep(AGAIN_AFTER_S)

    def _read(self, region: str, began: float, told: Any) -> None:
        results = {result["op_id"]: result for result in told["results"]}
        for operation in self.queue:
            status = results[operation.op_id]["status"]
            reason = results[operation.op_id].get("problem", {}).get("reason")
            operation.attempts.append(Attempt(region, began, self._clock(), status, reason))
            if status in DONE and operation.acknowledged_at is None:
                operation.acknowledged_at = self._clock()
            elif status in NEVER and operation.acknowledged_at is None:
                operation.refused = f"{status} {reason}"


def _encoded(queue: Sequence[Operation]) -> bytes:
    return json.dumps(
        {
            "operations": [
                {
                    "op_id": one.op_id,
                    "method": "PUT",
                    "collection": one.collection,
                    "key": one.key,
                    "content_type": "text/plain",
                    "value_base64": base64.b64encode((one.value or "").encode()).decode(),
                }
                for one in queue
            ]
        }
    ).encode()
