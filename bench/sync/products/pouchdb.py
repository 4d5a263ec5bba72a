"""PouchDB behind express-pouchdb: two servers, B follows A by continuous replication; clients speak CouchDB's HTTP."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import msgspec

from bench.sync.client import Refused, Side
from bench.sync.documents import Document
from bench.sync.http import Connection
from bench.sync.products.product import Pair, Region, Through
from tests.harness.node import ports
from tidegate.demo.waiting import until

HERE = Path("bench/sync/pouchdb")
INSTALLED = Path(".tools/bench-sync")
INSTALL_WITHIN_S = 180
CREATED = 201


class PouchDB:
    name = "PouchDB"
    settings = (
        "`express-pouchdb` on LevelDB, `replicate(A, B, {live, retry, batch_size: 500})` in B's process; LevelDB is "
        "not told to sync, so an acknowledged write can be lost with the machine; batches by `_bulk_docs`"
    )
    observed = "the continuous `_changes` feed of B"
    share = 0.05

    def missing(self) -> str | None:
        return installed()

    def version(self) -> str:
        pinned = json.loads((HERE / "package.json").read_text())["dependencies"]
        node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
        return ", ".join(f"{name} {version}" for name, version in pinned.items()) + f", Node.js {node}"

    @asynccontextmanager
    async def pair(self, folder: Path, through: Through) -> AsyncIterator[Pair]:
        at_a, at_b = ports(2)
        a = _launch(folder / "a", at_a)
        try:
            await _answers(at_a)
            b = _launch(folder / "b", at_b, f"http://127.0.0.1:{through(at_a)}/documents")
            try:
                await _answers(at_b)
                yield Pair(Region(Side("pouchdb", at_a), a.pid), Region(Side("pouchdb", at_b), b.pid))
            finally:
                _end(b)
        finally:
            _end(a)


def installed() -> str | None:
    """Installs what package-lock.json pins, once; otherwise a sentence that says why it could not."""
    pinned = (HERE / "package-lock.json").read_bytes()
    if (INSTALLED / "made-from").exists() and (INSTALLED / "made-from").read_bytes() == pinned:
        return None
    if shutil.which("npm") is None:
        return "cannot be installed: there is no npm"
    INSTALLED.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, INSTALLED / name)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(
            command, cwd=INSTALLED, capture_output=True, text=True, timeout=INSTALL_WITHIN_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"cannot be installed: npm took longer than {INSTALL_WITHIN_S} s"
    if done.returncode != 0:
        return f"cannot be installed: {done.stderr.strip().splitlines()[0] if done.stderr.strip() else 'npm failed'}"
    (INSTALLED / "made-from").write_bytes(pinned)
    return None


def _launch(folder: Path, port: int, *source: str) -> subprocess.Popen[bytes]:
    folder.mkdir()
    command = ["node", str(HERE / "server.js"), str(folder), str(port), *source]
    environment = {**os.environ, "BENCH_MODULES": str(INSTALLED.resolve()), "NODE_NO_WARNINGS": "1"}
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


async def _answers(port: int) -> None:
    async def is_there() -> bool:
        connection = Connection(port)
        try:
            await connection.open()
            return (await connection.ask("GET", "/documents"))[0] == 200
        except OSError:
            return False
        finally:
            await connection.close()

    await until(is_there, within_s=60, what="PouchDB answers")


class _Change(msgspec.Struct):
    id: str


class _State(msgspec.Struct):
    update_seq: int


class _Written(msgspec.Struct):
    ok: bool = False


class _Row(msgspec.Struct):
    id: str
    doc: dict[str, int | str]


class _Rows(msgspec.Struct):
    rows: list[_Row]


_change = msgspec.json.Decoder(_Change)
_state = msgspec.json.Decoder(_State)
_written = msgspec.json.Decoder(list[_Written])
_rows = msgspec.json.Decoder(_Rows)


class PouchClient:
    def __init__(self, port: int) -> None:
        self._http = Connection(port)

    async def open(self) -> None:
        await self._http.open()

    async def put(self, document: Document) -> None:
        status, body = await self._http.ask("PUT", f"/documents/{document.key}", document.value)
        if status != CREATED:
            raise Refused(f"found {status} {body[:200]!r}, expected 201")

    async def put_many(self, documents: Sequence[Document]) -> None:
        docs = b",".join(b'{"_id":"%b",%b' % (key.encode(), value[1:]) for key, value in documents)
        status, body = await self._http.ask("POST", "/documents/_bulk_docs", b'{"docs":[' + docs + b"]}")
        if status != CREATED or not all(one.ok for one in _written.decode(body)):
            raise Refused(f"found {status} {body[:200]!r}, expected 201 and all written")

    async def present(self, keys: Sequence[str]) -> Collection[str]:
        return [key for key in keys if (await self._http.ask("GET", f"/documents/{key}"))[0] == 200]

    async def watch(self, keys: Sequence[str], since: str) -> AsyncIterator[Collection[str]]:
        unseen = set(keys)
        yield ()
        async for line in self._http.lines(f"/documents/_changes?feed=continuous&since={since}&heartbeat=5000"):
            if line.startswith(b'{"id"') and (key := _change.decode(line).id) in unseen:
                unseen.discard(key)
                yield (key,)
                if not unseen:
                    return

    async def mark(self) -> str:
        return str(_state.decode((await self._http.ask("GET", "/documents"))[1]).update_seq)

    async def read_back(self, run: str, keys: Sequence[str]) -> AsyncIterator[tuple[str, bytes]]:
        between = f"startkey={quote(json.dumps(f'{run}-'))}&endkey={quote(json.dumps(f'{run}.'))}"
        status, body = await self._http.ask("GET", f"/documents/_all_docs?include_docs=true&{between}")
        if status != 200:
            raise Refused(f"found {status} {body[:200]!r}, expected all documents")
        for row in _rows.decode(body).rows:
            kept = {name: value for name, value in row.doc.items() if not name.startswith("_")}
            yield row.id, json.dumps(kept, separators=(",", ":")).encode()

    async def close(self) -> None:
        await self._http.close()
