"""What the play itself asks of the nodes: records through a gateway, as an application, and orders, as an operator.

A client that has an operation id may ask again until somebody says done: the node that saw it before answers as it did
then. So a write that is acknowledged was made once, however often it was sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

import aiohttp

from tidegate.demo.setting import Plan
from tidegate.demo.waiting import until

ANSWER_WITHIN = aiohttp.ClientTimeout(total=5.0)
WRITTEN_WITHIN_S = 15.0
WRITTEN = frozenset({200, 201, 202})


class Told(NamedTuple):
    """One answer; status 0: there was none."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        return json.loads(self.body)


NOBODY = Told(0, b"", {})


class Asking:
    """A client of every node of a plan."""

    def __init__(self, planned: Plan, *, token: str) -> None:
        self._plan = planned
        self._token = token
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=ANSWER_WITHIN)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def record(self, region: str, method: str, name: str, value: bytes | None = None, **headers: str) -> Told:
        """`name`: collection/key. Underscores in header names are hyphens."""
        url = f"http://{self._plan.node(region).public}/data/v1/{name}"
        return await self._ask(method, url, value, {key.replace("_", "-"): text for key, text in headers.items()})

    async def write(self, region: str, name: str, value: bytes, *, op_id: str) -> Told:
        """Ask until it is acknowledged; raise `NotInTimeError` when nobody does in time."""
        told = NOBODY

        async def is_written() -> bool:
            nonlocal told
            told = await self.record(region, "PUT", name, value, Tidegate_Op_Id=op_id)
            return told.status in WRITTEN

        await until(is_written, within_s=WRITTEN_WITHIN_S, what=f"{region} to acknowledge {name}")
        return told

    async def order(self, region: str, method: str, path: str, body: Mapping[str, object] | None = None) -> Told:
        """Of the admin API of a region's node."""
        url = f"http://{self._plan.node(region).admin}{path}"
        data = None if body is None else json.dumps(body).encode()
        return await self._ask(method, url, data, {"Authorization": f"Bearer {self._token}"})

    async def _ask(self, method: str, url: str, data: bytes | None, headers: Mapping[str, str]) -> Told:
        try:
            async with self._session.request(method, url, data=data, headers=headers) as answer:
                return Told(answer.status, await answer.read(), answer.headers)
        except (aiohttp.ClientError, TimeoutError):
            return NOBODY
