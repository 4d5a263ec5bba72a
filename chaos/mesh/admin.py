"""A node's own word, asked past all links: status, nodes, drains. One session for the whole mesh."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import aiohttp

from chaos.mesh.plan import ADMIN_TOKEN, NodePlan

LOOK_TIMEOUT_S, ORDER_TIMEOUT_S = 3.0, 20.0
"""An order is agreed on by a majority, over links that may be slow."""


class AdminSilent(Exception):
    """It does not answer, or not what was asked."""


class Admin:
    """All nodes' admin APIs."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def status(self, node: NodePlan) -> Mapping[str, Any]:
        return await self._asked("GET", f"{node.admin}/v1/status")

    async def nodes(self, node: NodePlan) -> Mapping[str, Any]:
        return await self._asked("GET", f"{node.admin}/v1/nodes")

    async def drain(self, node: NodePlan, endpoint: str, *, over: str, deadline: str) -> Mapping[str, Any]:
        body = {"over": over, "deadline": deadline, "reason": "chaos"}
        url = f"{node.admin}/v1/endpoints/{quote(endpoint)}/drain"
        return await self._asked("POST", url, timeout_s=ORDER_TIMEOUT_S, json=body)

    async def drained(self, node: NodePlan, endpoint: str) -> Mapping[str, Any]:
        return await self._asked("GET", f"{node.admin}/v1/endpoints/{quote(endpoint)}/drain")

    async def undrain(self, node: NodePlan, endpoint: str) -> Mapping[str, Any]:
        url = f"{node.admin}/v1/endpoints/{quote(endpoint)}/drain?over=0s"
        return await self._asked("DELETE", url, timeout_s=ORDER_TIMEOUT_S)

    async def evict(self, node: NodePlan, member: str) -> Mapping[str, Any]:
        body = {"member": member, "because": "chaos"}
        return await self._asked("POST", f"{node.admin}/v1/sync/evict", timeout_s=ORDER_TIMEOUT_S, json=body)

    async def _asked(
        self, method: str, url: str, *, timeout_s: float = LOOK_TIMEOUT_S, **arguments: Any
    ) -> Mapping[str, Any]:
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        try:
            async with self._session.request(method, url, headers=headers, timeout=timeout, **arguments) as answer:
                told: Mapping[str, Any] = await answer.json(content_type=None)
                if answer.status >= 400:
                    raise AdminSilent(f"{method} {url}: {answer.status} {told}")
                return told
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise AdminSilent(f"{method} {url}: {type(error).__name__}: {error}") from error
