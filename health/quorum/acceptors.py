"""Somebody who answers as an acceptor: one with a memory at hand, or a peer that has one.

    request -> load what it is about -> react (pure) -> swap, if anything changes -> answer
                     ^------------------- somebody else changed it meanwhile ------+

A memory that cannot be read begins anew under another incarnation: it is re-admitted by the others. One that a newer
version wrote is left alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Protocol

import msgspec

from health.core.acceptor import FORMAT, Answer, Meta, Register, Request, needs_all, react, register_of
from health.peering.client import PeerClient, PeerRefused, PeerUnreachable
from health.quorum.cells import Cells, CellsUnavailable

TRIES = 10
"""Against others who change the same memory at the same moment: a few nodes, each for some milliseconds."""
PATH = "/peer/v1/acceptor"


class Silent(Exception):
    """No answer; whether the request was acted on is not known."""


class Acceptor(Protocol):
    async def ask(self, request: Request, *, timeout_s: float) -> Answer:
        """Raises `Silent`."""
        ...

    async def listen(self, hint: Callable[[], None]) -> None:
        """As `Cells.listen`."""
        ...

    async def close(self) -> None: ...


class StoredAcceptor:
    """Pure acceptor over a memory."""

    def __init__(self, cells: Cells, *, fresh: Callable[[], str] = lambda: secrets.token_hex(8)) -> None:
        """`fresh` names a memory that begins: never twice the same."""
        self._cells = cells
        self._fresh = fresh

    async def ask(self, request: Request, *, timeout_s: float = 5.0) -> Answer:
        try:
            for _ in range(TRIES):
                answer = await self._try(request)
                if answer is not None:
                    return answer
        except CellsUnavailable as error:
            raise Silent(str(error)) from error
        raise Silent(f"found others changing it {TRIES} times in a row")

    async def _try(self, request: Request) -> Answer | None:
        held = await self._cells.load(register_of(request), everything=needs_all(request))
        fresh = self._fresh()
        try:
            meta = msgspec.json.decode(held.meta, type=Meta) if held.meta is not None else None
            registers = {name: msgspec.json.decode(one, type=Register) for name, one in held.registers.items()}
        except (msgspec.DecodeError, UnicodeDecodeError):
            # Its memory is damaged, which is to say lost: all of it.
            held = await self._cells.load(None, everything=True)
            await self._cells.swap(held.meta, msgspec.json.encode(Meta(fresh)), dict.fromkeys(held.registers))
            return None
        if meta is None:
            await self._cells.swap(None, msgspec.json.encode(Meta(fresh)), {})
            return None
        if meta.format > FORMAT:
            raise Silent(f"found a memory of format {meta.format}, expected at most {FORMAT}")
        reaction = react(meta, registers, request, fresh=fresh)
        if reaction.meta is None:
            return reaction.answer
        changes = {
            name: None if register is None else msgspec.json.encode(register)
            for name, register in reaction.changes.items()
        }
        is_swapped = await self._cells.swap(held.meta, msgspec.json.encode(reaction.meta), changes)
        return reaction.answer if is_swapped else None

    async def listen(self, hint: Callable[[], None]) -> None:
        await self._cells.listen(hint)

    async def close(self) -> None:
        await self._cells.close()


class PeerAcceptor:
    """The acceptor of another node, over the peer channel."""

    def __init__(self, client: PeerClient, url: str) -> None:
        self._client = client
        self._url = url

    async def ask(self, request: Request, *, timeout_s: float) -> Answer:
        try:
            _, content = await self._client.call(
                self._url, "POST", PATH, msgspec.json.encode(request), timeout_s=timeout_s
            )
            answer: Answer = msgspec.json.decode(content, type=Answer)
        except (PeerUnreachable, PeerRefused) as error:
            raise Silent(str(error)) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Silent(f"{self._url}: found an answer that is not understood: {error}") from error
        return answer

    async def listen(self, hint: Callable[[], None]) -> None:
        """Peers tell by gossip."""

    async def close(self) -> None:
        """The client is the node's."""
