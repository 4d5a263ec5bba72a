"""HTTP through the gateways: requests that may be repeated and such that may not, free, bound to a place, and limited
by one node or by all together.

Every request has a token that occurs once, in its path and a header; the backend that executes it writes it down, and
its answer repeats it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping

import aiohttp

from chaos.mesh.backend import TOKEN
from chaos.mesh.plan import PUBLIC, client_side
from chaos.traffic.history import Exchange, History
from chaos.traffic.pace import Pace
from chaos.traffic.sending import Got, new_session, send
from tidegate.demo.traffic import Errand

ERRANDS = (
    Errand("app", "GET", 4),
    Errand("app", "PUT", 2),
    Errand("app", "POST", 2),
    Errand("bound", "GET", 2),
    Errand("bound", "POST", 1),
)
RATE = 8.0
LIMITED_RATE = 16.0
"""Of the limited route's clients, in each region: more than it lets pass."""
SHARED_RATE = 6.0
"""Of those of the route that all nodes limit together: in all regions together more than it lets pass."""


class Requests:
    """The HTTP clients of one region."""

    def __init__(
        self,
        region: str,
        history: History,
        *,
        run: str,
        rng: random.Random,
        counts_together: bool = True,
        rate: float = RATE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`counts_together`: whether there is a route that all nodes limit together."""
        self._region = region
        self._history = history
        self._run = run
        self._rng = rng
        self._clock = clock
        self._paces = {"errands": Pace(rate, rng=rng, clock=clock), "limited": Pace(LIMITED_RATE, rng=rng, clock=clock)}
        if counts_together:
            self._paces["shared"] = Pace(SHARED_RATE, rng=rng, clock=clock)

    @property
    def held_back(self) -> list[float]:
        return [at for pace in self._paces.values() for at in pace.held_back]

    async def run(self, stopping: asyncio.Event) -> None:
        async with new_session() as session, asyncio.TaskGroup() as group:

            async def errand(number: int) -> None:
                one = self._rng.choices(ERRANDS, weights=[errand.share for errand in ERRANDS])[0]
                await self._ask(session, one.route, one.method, f"{self._run}-{self._region}-{number}")

            for name, pace in self._paces.items():

                async def limited(number: int, route: str = name) -> None:
                    await self._ask(session, route, "GET", f"{self._run}-{self._region}-{route}-{number}")

                group.create_task(pace.run(errand if name == "errands" else limited, stopping))

    async def _ask(self, session: aiohttp.ClientSession, route: str, method: str, token: str) -> None:
        await ask(session, self._history, self._region, route=route, method=method, token=token, clock=self._clock)


async def ask(
    session: aiohttp.ClientSession,
    history: History,
    region: str,
    *,
    route: str,
    method: str,
    token: str,
    clock: Callable[[], float],
    client: str = "",
    headers: Mapping[str, str] | None = None,
) -> Got:
    """One request of a region's gateway, kept on record."""
    began = clock()
    body = None if method == "GET" else f"what {token} holds".encode()
    url = f"http://{client_side(region)}:{PUBLIC}/{route}/{token}"
    got = await send(session, method, url, body=body, headers={TOKEN: token, **(headers or {})})
    told = got.json() if got.status == 200 else {}
    facts = told if isinstance(told, dict) else {}
    history.exchanges.append(
        Exchange(
            route=route,
            region=region,
            method=method,
            token=token,
            began=began,
            ended=clock(),
            status=got.status,
            backend=facts.get("backend"),
            echoed=facts.get("token"),
            reason=got.reason,
            request_id=got.headers.get("X-Request-Id", ""),
            client=client,
        )
    )
    return got
