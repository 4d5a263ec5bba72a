"""The state of a mesh: rows agreed on by a majority of acceptors, with a copy on every node.

    put --> compare-and-set on a majority --> agreed --> this node's copy (a file)
                                                             ^ poll, once a second and at every hint: what others wrote

Copies are ordered by a row's version, which only a majority gives out. Without a majority nothing is decided, and what
was decided stays in force: the copy is there, also after a restart.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

import msgspec

from health.core.rows import (
    FORMAT,
    MAX_EPOCH,
    Row,
    SoftRow,
    StateError,
    Trouble,
    Unavailable,
    checked,
    next_row,
)
from health.quorum.quorum import Quorum
from health.state.embedded import EmbeddedStore
from health.state.soft import SoftBook

POLL_S = 1.0


class Kept(msgspec.Struct, frozen=True):
    """A row's register: the row, and by which act it came to be, so that a retry knows its own work."""

    row: Row
    by: str


class AgreedStore:
    """A `StateStore` over a `Quorum`."""

    def __init__(
        self, quorum: Quorum, copy: EmbeddedStore, *, unique: Callable[[], str] = lambda: secrets.token_hex(8)
    ) -> None:
        """`unique` names an act: never twice the same."""
        self._quorum = quorum
        self._unique = unique
        self._copy = copy
        self._contained: dict[str, Trouble] = {}
        self._known: dict[str, Any] = {}
        self._hint = asyncio.Event()
        self._is_heard = False

    @property
    def soft_book(self) -> SoftBook:
        return self._copy.soft_book

    def rows(self, kind: str) -> tuple[Row, ...]:
        return self._copy.rows(kind)

    def row(self, kind: str, key: str) -> Row | None:
        return self._copy.row(kind, key)

    async def fresh(self, kind: str, key: str) -> Row | None:
        value = await self._quorum.change(_register(kind, key), lambda current: current)
        if value is None:
            return None
        row = _read(value)
        if isinstance(row, str):
            raise Unavailable(f"state row {kind}/{key}: {row}")
        await self._copy.adopt([row])
        return row if row.value is not None else None

    async def put(
        self, kind: str, key: str, value: dict[str, Any], *, expected: int | None, epoch: int | None = None
    ) -> Row:
        return await self._write(kind, key, value, expected=expected, epoch=epoch)

    async def delete(self, kind: str, key: str, *, expected: int | None, epoch: int | None = None) -> None:
        if expected or await self.fresh(kind, key) is not None:
            await self._write(kind, key, None, expected=expected, epoch=epoch)

    async def _write(
        self, kind: str, key: str, value: dict[str, Any] | None, *, expected: int | None, epoch: int | None
    ) -> Row:
        checked(kind, key, value, epoch)
        by = self._unique()

        def change(current: Any) -> Any:
            known = None if current is None else _kept(current)
            if isinstance(known, str):
                raise Unavailable(f"state row {kind}/{key}: {known}")
            if known is not None and known.by == by:
                return current
            row = next_row(known.row if known else None, kind, key, value, expected=expected, epoch=epoch)
            return msgspec.to_builtins(Kept(row, by))

        agreed = _read(await self._quorum.change(_register(kind, key), change, epoch=epoch))
        if isinstance(agreed, str):
            raise Unavailable(f"state row {kind}/{key}: {agreed}")
        await self._copy.adopt([agreed])
        return agreed

    async def raise_fence(self, epoch: int) -> None:
        await self._quorum.fence(epoch)

    @property
    def revision(self) -> int:
        return self._copy.revision

    async def changed(self, since: int) -> int:
        return await self._copy.changed(since)

    def announce(self, kind: str, key: str, value: dict[str, Any], *, ttl_s: float) -> None:
        self._copy.announce(kind, key, value, ttl_s=ttl_s)

    def withdraw(self, kind: str, key: str) -> None:
        self._copy.withdraw(kind, key)

    def soft(self, kind: str) -> tuple[SoftRow, ...]:
        return self._copy.soft(kind)

    def frozen(self) -> str | None:
        trouble = self._quorum.trouble()
        if trouble is None and not self._is_heard:
            trouble = "no majority of the acceptors answered the last time"
        return trouble or self._copy.frozen()

    def troubles(self) -> tuple[Trouble, ...]:
        return (*self._copy.troubles(), *self._contained.values())

    # Hearing what others decided

    def hint(self) -> None:
        """Something is new, somebody says."""
        self._hint.set()

    async def run(self) -> None:
        """Polls for as long as it runs."""
        while True:
            await self.catch_up()
            self._hint.clear()
            try:
                async with asyncio.timeout(POLL_S):
                    await self._hint.wait()
            except TimeoutError:
                continue

    async def listen(self) -> None:
        """Takes the acceptors' own hints, for as long as it runs."""
        await self._quorum.listen(self.hint)

    async def catch_up(self) -> None:
        """Once."""
        self._is_heard = await self._quorum.poll()
        news: list[Row] = []
        for register, value in self._quorum.learned.items():
            if not register.startswith(_PREFIX) or self._known.get(register) is value:
                continue
            self._known[register] = value
            row = _read(value)
            if isinstance(row, str):
                _, kind, key = (*register.split(" ", 2), "", "")[:3]
                self._contained[register] = Trouble(kind, key, row)
            else:
                self._contained.pop(register, None)
                news.append(row)
        if news:
            try:
                await self._copy.adopt(news)
            except StateError:
                self._known.clear()  # the disk; again at the next poll

    async def close(self) -> None:
        await self._quorum.close()
        await self._copy.close()


_PREFIX = "row "


def _register(kind: str, key: str) -> str:
    """Neither has a space in it."""
    return f"{_PREFIX}{kind} {key}"


def _kept(value: Any) -> Kept | str:
    try:
        kept = msgspec.convert(value, Kept)
    except msgspec.ValidationError as error:
        return f"found what is not understood: {error}"
    row = kept.row
    if row.format > FORMAT:
        return f"found format {row.format}, expected at most {FORMAT}: a newer version wrote it"
    if row.version < 1 or not 0 <= row.epoch <= MAX_EPOCH:
        return f"found version {row.version} and epoch {row.epoch}, expected sane ones"
    return kept


def _read(value: Any) -> Row | str:
    kept = _kept(value)
    return kept if isinstance(kept, str) else kept.row
