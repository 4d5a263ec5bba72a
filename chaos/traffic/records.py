"""Writers of the data API: every write has an operation id, and is sent until somebody says that it is done.

    first try    at the client's own region
    later ones   there, and after two in vain in the next region, with the same id: done twice it must be one event

Whatever is still open when the run ends is sent once more to all permitted regions (`finish`), and if nobody answers
then, it is unknown.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

import aiohttp

from chaos.mesh.plan import COLLECTIONS, ENVIRONMENT, PUBLIC, client_side
from chaos.traffic.history import Attempt, History, Operation
from chaos.traffic.pace import stopped_within
from chaos.traffic.sending import Got, send
from config.core.signing import Signer
from sync.core.contexts import open_context

AGAIN_AFTER_S = 0.4
DONE = frozenset({200, 201, 202, 204})
NEVER = frozenset({400, 404, 409, 412, 413, 421, 422})
"""Answers that mean: not done, and asking again will not help."""
MOVE_AFTER = 2
"""Tries in one region before the next is asked."""

_signer = Signer([ENVIRONMENT["CHAOS_SIGNING_KEY"].encode()])


def vector_of(headers: Mapping[str, str]) -> Mapping[str, int]:
    """What the store had seen of the key, from the context that its answer carries: the mesh's key is ours."""
    context = open_context(headers.get("Tidegate-Context", ""), _signer)
    return {} if context is None else context.vector


def gateway_of(region: str) -> str:
    """As clients reach it, over a link."""
    return f"http://{client_side(region)}:{PUBLIC}"


class Writer:
    """Sends operations of one client until they are done, and keeps the record."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        history: History,
        *,
        home: str,
        gateway: Callable[[str], str] = gateway_of,
        again_after_s: float = AGAIN_AFTER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`gateway`: the URL of a region's."""
        self._session = session
        self._history = history
        self._home = home
        self._gateway = gateway
        self._again_after_s = again_after_s
        self._clock = clock

    async def once(self, operation: Operation, region: str, *, headers: Mapping[str, str] | None = None) -> Got:
        """One sending; what it means for the operation is kept."""
        began = self._clock()
        url = f"{self._gateway(region)}/data/v1/{operation.collection}/{operation.key}"
        sent = {"Tidegate-Op-Id": operation.op_id, "Content-Type": "text/plain", **(headers or {})}
        body = None if operation.value is None else operation.value.encode()
        method = "DELETE" if operation.value is None else "PUT"
        got = await send(self._session, method, url, body=body, headers=sent)
        operation.attempts.append(Attempt(region, began, self._clock(), got.status, got.reason))
        if got.status in DONE and operation.acknowledged_at is None:
            operation.acknowledged_at = self._clock()
            operation.vector = vector_of(got.headers)
        elif got.status in NEVER and operation.acknowledged_at is None:
            operation.refused = f"{got.status} {got.reason}"
        return got

    async def until_done(
        self, operation: Operation, stopping: asyncio.Event, *, headers: Mapping[str, str] | None = None
    ) -> Got:
        """The last answer. Gives up when it is refused, or time to stop."""
        self._history.operations.append(operation)
        regions = self._route(operation.collection)
        tries = 0
        while True:
            got = await self.once(operation, regions[tries // MOVE_AFTER % len(regions)], headers=headers)
            tries += 1
            if operation.acknowledged_at is not None or operation.refused is not None:
                return got
            if await stopped_within(stopping, self._again_after_s):
                return got

    async def finish(self, operations: Sequence[Operation]) -> None:
        """What is still open, once more, wherever it may be kept."""
        for operation in operations:
            for region in self._route(operation.collection):
                if operation.acknowledged_at is None and operation.refused is None:
                    await self.once(operation, region)

    def _route(self, collection: str) -> list[str]:
        permitted = COLLECTIONS[collection]
        home = [region for region in permitted if region == self._home]
        return [*home, *(region for region in permitted if region != self._home)]
