"""Who asks for what, where, and what do they believe afterwards? Clients of one region that go to another's in need.

Pages of three services, a session that sticks, and data: writes with operation ids, repeated elsewhere when nobody
answered; reads with session tokens. What is sent and told is the truth that the checks judge by.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.core import reasons
from gateway.core.head import parse_request_head
from health.core.session_token import SessionToken, seal
from sync.core.dots import Dot, VersionVector, joined
from sync.core.op_ids import OpId
from sync.core.versions import EMPTY
from sync.core.writes import Write
from tests.simulation.excuses import has
from tests.simulation.history import Asked, Seen
from tests.simulation.regions.configured import BOUND, PREFERENCE, REGIONS, SIGNER
from tests.simulation.regions.data import Told
from tests.simulation.regions.gateway import Answered
from tests.simulation.regions.wire import Unanswered

if TYPE_CHECKING:
    from tests.simulation.regions.world import World

CLASSES = {"notes": "note", "profiles": "profile", "ledger": "entry"}
PATIENCE_S = 6.0
A_SECOND = 5.0
"""Requests of each client, about."""
NEVER = {reasons.ENDPOINT_GONE, reasons.COOKIE_REFUSED, reasons.COOKIE_MISSING, reasons.REGION_NOT_ALLOWED}
"""Why no session moves here: no server is taken away, and all nodes know all keys."""
_COOKIE = re.compile(rb"tidegate_session=([^;]+)")


class Client:
    """One of them."""

    def __init__(self, world: World, name: str, home: str) -> None:
        self._world = world
        self._name = name
        self.home = home
        self._rng = random.Random(f"{world.seed} {name}")
        self._count = 0
        self._sequence = 0
        self._cookie, self._server = b"", ""
        """Of a session that sticks, and where it is."""
        self._sessions: dict[str, VersionVector] = {}
        self._contexts: dict[tuple[str, str], VersionVector] = {}
        self._stamp = 0

    async def live(self) -> None:
        while not self._world.is_over:
            await asyncio.sleep(self._rng.expovariate(A_SECOND))
            kind = self._rng.random()
            if kind < 0.4:
                await self.page(self._rng.choice(["web", "web", "me", "app"]))
            elif kind < 0.6:
                await self.read(self._rng.choice(list(CLASSES)), f"key{self._rng.randint(1, 4)}")
            else:
                await self.write(self._rng.choice([*CLASSES, "ledger"]), f"key{self._rng.randint(1, 4)}")

    # Asking

    async def ask(self, region: str, method: str, path: str, fields: str = "", body: bytes = b"") -> Answered | None:
        """None where nobody answered."""
        self._count += 1
        token = f"{self._name}.{self._count}"
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        raw = f"{method} {path} HTTP/1.1\r\nHost: h\r\n{length}{fields}\r\n".encode("latin-1")
        head = parse_request_head(raw)
        world = self._world
        world.history.methods[token] = method
        if path == "/me/x":
            world.history.demanded[token] = dict(self._sessions.get("profiles", {}))
        try:
            answered = await world.around.wire.call(
                region,
                region,
                lambda: world.nodes[region].ask(head, token, body),
                timeout_s=PATIENCE_S,
                what=f"{method} {path}",
            )
        except Unanswered:
            self._count_status(path, 0)
            return None
        self._count_status(path, answered.status)
        if answered.status == 200 and answered.endpoint:
            world.history.answered[token] = answered.endpoint
        return answered

    def _count_status(self, path: str, status: int) -> None:
        kind = path.removeprefix("/data/v1").split("/")[1]
        statuses = self._world.statuses
        statuses[kind, status] = statuses.get((kind, status), 0) + 1

    def _region(self, stream: str = "") -> str:
        if stream == "profiles":
            return self.home if self.home in BOUND and self._rng.random() < 0.7 else self._rng.choice(BOUND)
        return self.home if self._rng.random() < 0.7 else self._rng.choice(REGIONS)

    # Pages

    async def page(self, service: str) -> None:
        region = self._region()
        method = "POST" if self._rng.random() < 0.3 else "GET"
        fields = f"{PREFERENCE}: {self._rng.choice(REGIONS)}\r\n" if self._rng.random() < 0.3 else ""
        if service == "app" and self._cookie:
            fields += f"Cookie: tidegate_session={self._cookie.decode()}\r\n"
        if service == "me":
            fields += self._token("profiles")
        answered = await self.ask(region, method, f"/{service}/x", fields)
        if answered is None:
            return
        if answered.status == 308:
            elsewhere = answered.location.removeprefix("https://").partition(".")[0]
            await self.ask(elsewhere, method, f"/{service}/x", fields)
        if service == "app":
            self._stay(answered)

    def _stay(self, answered: Answered) -> None:
        """A session stays with its server, or there is a reason that there can be."""
        outcome, _, why = answered.session.partition(": ")
        has_moved = outcome == reasons.SESSION_KEPT and answered.endpoint != self._server
        if self._cookie and (has_moved or why in NEVER):
            self._world.history.unstuck.append(
                f"the session of {self._name} was at {self._server} and was answered by {answered.endpoint}: "
                f"{answered.session}"
            )
        found = _COOKIE.search(answered.set_cookie)
        if found is not None:
            self._cookie, self._server = found[1], answered.endpoint

    def _token(self, stream: str) -> str:
        """The field that says what this client has seen of it."""
        session = self._sessions.get(stream, {})
        if not session:
            return ""
        token = SessionToken(CLASSES[stream], self._stamp, {stream: dict(session)})
        return f"Tidegate-Session: {seal(token, SIGNER)}\r\n"

    # Data

    async def write(self, stream: str, key: str) -> None:
        self._sequence += 1
        is_delete = self._rng.random() < 0.15
        context = self._contexts.get((stream, key)) if self._rng.random() < 0.6 else None
        value = None if is_delete else f"{stream} {self._name} {self._sequence}".encode()
        asked = Asked(self._name, self._sequence, stream, key, value, context)
        self._world.history.asked.append(asked)
        for _ in range(self._rng.randint(1, 4)):
            if await self._try(asked, self._region(stream)):
                return
            await asyncio.sleep(self._rng.uniform(0.05, 0.8))

    async def write_in(self, region: str, stream: str, key: str) -> None:
        """Once, there."""
        self._sequence += 1
        value = f"{stream} {self._name} {self._sequence}".encode()
        asked = Asked(self._name, self._sequence, stream, key, value, None)
        self._world.history.asked.append(asked)
        await self._try(asked, region)

    async def _try(self, asked: Asked, region: str) -> bool:
        """Whether it has been answered for good."""
        write = Write(
            stream=asked.stream,
            key=asked.key,
            kind="delete" if asked.value is None else "put",
            value=asked.value or b"",
            content_type="text/plain" if asked.value is not None else "",
            context=asked.context,
            seen_hlc=self._stamp,
            op_id=OpId(asked.client, asked.sequence),
            request=hashlib.sha256(repr((asked.key, asked.value, asked.context)).encode()).digest()[:16],
        )
        method = "DELETE" if asked.value is None else "PUT"
        path = f"/data/v1/{asked.stream}/{asked.key}"
        answered = await self.ask(region, method, path, "", msgspec.msgpack.encode(write))
        if answered is None:
            return False
        if answered.status != 200:
            if asked.outcome != "ok" and answered.status in {404, 409, 412}:
                asked.outcome = "fail"
            return answered.status in {404, 409, 412}
        self._told(asked, msgspec.msgpack.decode(answered.body, type=Told))
        return self._rng.random() < 0.9  # now and then it has not heard the answer

    def _told(self, asked: Asked, told: Told) -> None:
        dot: Dot = (told.origin, told.seq)
        asked.outcome = "ok"
        asked.dots.append(dot)
        self._stamp = max(self._stamp, told.hlc)
        self._sessions[asked.stream] = joined(self._sessions.get(asked.stream, {}), {told.origin: told.seq})
        if told.durability == "global":
            asked.reached = "global"
            asked.holders_when_told = frozenset(
                node.region for node in self._world.mesh.nodes.values() if has(node.disk, asked.stream, dot)
            )

    async def read(self, stream: str, key: str) -> None:
        world = self._world
        region = self._region(stream)
        session = dict(self._sessions.get(stream, {}))
        answered = await self.ask(region, "GET", f"/data/v1/{stream}/{key}", self._token(stream))
        if answered is None or answered.read is None:
            return
        if any((stream, key) == (name, lost) for _, name, lost in world.lost_sectors):
            return  # what a rotten disk shows, and who takes a snapshot of it, until it is repaired
        found = answered.read
        state = found.record.state if found.record is not None else EMPTY
        bodies: Any = found.record.bodies if found.record is not None else ()
        values = tuple(body.value for body in bodies if body.value is not None)
        world.history.seen.append(Seen(self._name, region, stream, key, state, values, session, dict(found.applied)))
        self._contexts[stream, key] = state.context
        self._sessions[stream] = joined(session, found.applied)
        self._stamp = max(self._stamp, state.hlc())
