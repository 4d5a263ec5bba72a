"""Clients with a cookie: which endpoint has their session, through their own gateway and now and then through another?

The cookie is the gateway's own, kept and sent back as a browser does. One request at a time, so that every answer was
asked for with what the answer before had said.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from http.cookies import SimpleCookie

from chaos.mesh.plan import REGIONS
from chaos.traffic.history import History
from chaos.traffic.pace import stopped_within
from chaos.traffic.requests import ask
from chaos.traffic.sending import new_session

EVERY_S = 0.5
AWAY_EVERY = 5
"""Each fifth request of a client that travels goes through another region's gateway."""


class Jar:
    """What the mesh has given a client, of the kind that `Cookie` sends back."""

    def __init__(self) -> None:
        self._cookies: dict[str, str] = {}

    def take(self, set_cookie: str | None) -> None:
        """From an answer's `Set-Cookie`."""
        self._cookies |= {name: morsel.value for name, morsel in SimpleCookie(set_cookie or "").items()}

    def headers(self) -> dict[str, str]:
        """To a request."""
        sent = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        return {"Cookie": sent} if sent else {}


class Visitor:
    """One client."""

    def __init__(
        self,
        region: str,
        name: str,
        history: History,
        *,
        rng: random.Random,
        travels: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._home = region
        self._name = name
        self._history = history
        self._rng = rng
        self._travels = travels
        self._clock = clock

    async def run(self, stopping: asyncio.Event) -> None:
        jar, number = Jar(), 0
        async with new_session() as session:
            while not await stopped_within(stopping, EVERY_S):
                number += 1
                got = await ask(
                    session,
                    self._history,
                    self._gateway(number),
                    route="kept",
                    method="GET",
                    token=f"{self._name}-{number}",
                    clock=self._clock,
                    client=self._name,
                    headers=jar.headers(),
                )
                jar.take(got.headers.get("Set-Cookie"))

    def _gateway(self, number: int) -> str:
        if not self._travels or number % AWAY_EVERY:
            return self._home
        return self._rng.choice([region for region in REGIONS if region != self._home])
