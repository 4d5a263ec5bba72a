"""Acceptors in real files that can be cut off, for a quorum in one process."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from health.core.acceptor import Answer, Request
from health.quorum.acceptors import Acceptor, Silent, StoredAcceptor
from health.quorum.quorum import Quorum
from health.quorum.sqlite import SqliteCells


class Switched:
    """An acceptor with a switch on its wire."""

    def __init__(self, acceptor: Acceptor) -> None:
        self._acceptor = acceptor
        self.is_cut = False

    async def ask(self, request: Request, *, timeout_s: float) -> Answer:
        if self.is_cut:
            raise Silent("cut off")
        return await self._acceptor.ask(request, timeout_s=timeout_s)

    async def listen(self, hint: Callable[[], None]) -> None: ...

    async def close(self) -> None: ...


class Files:
    """Three acceptors, and as many quorums over them as asked for."""

    def __init__(self, folder: Path, names: str = "abc") -> None:
        self.folder = folder
        self.stored = {name: StoredAcceptor(SqliteCells(folder / f"{name}.sqlite")) for name in names}

    def wires(self, names: str | None = None) -> dict[str, Switched]:
        return {name: Switched(one) for name, one in self.stored.items() if names is None or name in names}

    def quorum(self, wires: dict[str, Switched], run: str = "n/1") -> Quorum:
        return Quorum(wires, run=run, rng=random.Random(run))

    async def close(self) -> None:
        for one in self.stored.values():
            await one.close()


async def settled(quorum: Quorum, *, may_change: bool = False) -> None:
    """Until the set is as it is configured."""
    for _ in range(100):
        await quorum.look_around(may_change=may_change)
        view = quorum.view
        if quorum.trouble() is None and view is not None and set(view.members) == set(quorum.names):
            return
    raise AssertionError(quorum.trouble() or quorum.view)
