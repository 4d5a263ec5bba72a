"""A data API for a test: a real store in a folder, served on a real Unix socket, and a client of it.

async with DataApi(tmp_path) as api:
    answer = await api.put("notes", "k", b"v")
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from config.core.signing import Signer
from sync.api.front import Front
from sync.api.records import Confirm, Records
from sync.api.server import DataServer
from sync.core.plans import CollectionPlan
from sync.sqlite.opening import open_store
from sync.sqlite.store import SqliteStore
from tests.harness.replicas import plan
from tidegate.node.data_room import alone

SIGNER = Signer([b"k" * 32])
MAX_VALUE = 100_000


@dataclass(frozen=True)
class Answer:
    """What a client got."""

    status: int
    headers: Any
    body: bytes

    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def reason(self) -> str:
        assert self.headers["Content-Type"] == "application/problem+json", self.body
        found: str = self.json()["reason"]
        return found


class DataApi:
    """Collections: notes (siblings), settings (last_write_wins), forms (manual), abroad (not kept here)."""

    def __init__(self, folder: Path, *, confirm: Confirm = alone, regions: tuple[str, ...] = ("eu",)) -> None:
        self.plans: dict[str, CollectionPlan] = {
            "notes": plan("vector_clock", name="notes", max_siblings=3, regions=regions),
            "settings": plan("last_write_wins", name="settings", residency_class="settings", regions=regions),
            "forms": plan("manual", name="forms", residency_class="form", regions=regions),
            "abroad": plan("manual", name="abroad", residency_class="abroad", is_here=False, regions=("us",)),
        }
        self._folder = folder
        self._confirm = confirm
        self.now = 1_700_000_000.0
        self.reports: list[Any] = []
        self.path = ""
        self.store: SqliteStore
        self.records: Records
        self.server: DataServer
        self.session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        self.store = open_store(
            self._folder / "sync",
            region="eu",
            plans=self.plans,
            data_keys=[b"k"],
            max_skew_s=0.5,
            max_conflict_bytes=1 << 20,
            report=lambda *said, **facts: None,
        )
        self.records = Records(
            self.store,
            self.plans,
            signer=SIGNER,
            confirm=self._confirm,
            wall=lambda: self.now,
            max_value=MAX_VALUE,
            ack_timeout_s=0.05,
        )
        self.server = DataServer(self.records, report=lambda *said, **facts: self.reports.append((said, facts)))
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.path = str(self._folder / "s")
        await asyncio.to_thread(Path(self.path).unlink, missing_ok=True)  # of a life before
        listener.bind(self.path)
        listener.listen()
        self._front = Front(self.server)
        await self._front.start(listener)
        self.session = aiohttp.ClientSession(connector=aiohttp.UnixConnector(self.path))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.session.close()
        await self._front.close(grace_s=0.1)
        await self.store.close()
        await asyncio.sleep(0)

    async def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Header names are written with underscores."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"http://data/data/v1/{path}"
        async with self.session.request(method, url, data=body, headers=fields) as response:
            return Answer(response.status, response.headers, await response.read())

    async def put(self, collection: str, key: str, body: bytes, **headers: str) -> Answer:
        headers.setdefault("Content_Type", "text/plain")
        return await self.ask("PUT", f"{collection}/{key}", body, **headers)

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, None, **headers)
