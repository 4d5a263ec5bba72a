"""What was decided, by whom and why, and what came of it? Append-only, on this node's disk, and shown to the others.

    begin  ──line, flushed──>  the act itself  ──>  end  ──line, flushed──>  a row for the other nodes
       └──────record──────>  audit log, chained (audit_log.py)  <──record──────┘

Written before the act, so that no kill can leave an act without its line; one whose end was never written reads as
`interrupted`. A line that a crash cut short is passed over. The rows reuse their keys: the state store holds each
node's latest. The files here are of bounded size, for looking up; the audit log is kept as long as it says.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from health.core.rows import StateError, understood
from health.state.store import StateStore
from tidegate.node.logs import Log

if TYPE_CHECKING:
    from gateway.dataplane import Audit

Outcome = Literal["begun", "done", "refused", "failed", "unknown", "interrupted"]
"""`unknown`: no majority answered; it may have happened."""
KIND = "decision"
KEPT = 1000
"""In memory, to be asked for."""
SHARED = 200
"""Rows a node has in the state store."""


class Lines(Protocol):
    """Where lines are kept (journal_files.py)."""

    def append(self, line: bytes) -> None:
        """On a line of its own, and durable. Raises OSError."""
        ...

    def read(self) -> Iterable[bytes]:
        """The latest ones, oldest first. Raises OSError."""
        ...


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line."""

    id: str
    seq: int
    at: float
    """Wall seconds."""
    node: str
    what: str
    """drain, undrain, override, failover, ..."""
    target: str
    author: str
    why: str
    outcome: Outcome
    detail: str = ""
    """What came of it, in a sentence."""
    evidence: dict[str, Any] = {}
    epoch: int | None = None
    """Of the leader that acted; None when a person did."""


class Journal:
    """One node's. Use it on one event loop; `load` before anything else."""

    def __init__(
        self, lines: Lines, *, audit: Audit, node: str, state: StateStore, wall: Callable[[], float], log: Log
    ) -> None:
        self._lines = lines
        self._audit = audit
        self._node = node
        self._state = state
        self._wall = wall
        self._log = log
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._decisions: dict[str, Decision] = {}
        self._seq = 0
        self._read()
        self.counts: dict[tuple[str, Outcome], int] = {}
        """Of this process, by what was decided and what came of it."""
        self.revision = 0
        """Grows with each line."""
        self._told = asyncio.Event()

    async def begin(
        self,
        what: str,
        target: str,
        *,
        author: str,
        why: str,
        evidence: dict[str, Any] | None = None,
        epoch: int | None = None,
    ) -> Decision:
        """Before the act. Raises OSError: what cannot be written down is not done."""
        self._seq += 1
        decision = Decision(
            id=f"{self._node}-{self._seq}",
            seq=self._seq,
            at=self._wall(),
            node=self._node,
            what=what,
            target=target,
            author=author,
            why=why,
            outcome="begun",
            evidence=evidence or {},
            epoch=epoch,
        )
        self._audit.write(_audited(decision, evidence=decision.evidence))
        try:
            await self._append(decision)
        except OSError as error:
            self._audit.write(
                _audited(msgspec.structs.replace(decision, outcome="failed", detail=f"no journal, no act: {error}"))
            )
            raise
        return decision

    async def end(self, decision: Decision, outcome: Outcome, detail: str = "") -> Decision:
        """After it."""
        ended = msgspec.structs.replace(decision, outcome=outcome, detail=detail)
        self.counts[ended.what, outcome] = self.counts.get((ended.what, outcome), 0) + 1
        self._audit.write(_audited(ended))
        try:
            await self._append(ended)
        except OSError as error:
            self._log.problem("the end of a decision could not be written", id=decision.id, error=str(error))
            self._remember(ended)
        self._log.info(
            "decision",
            id=ended.id,
            what=ended.what,
            target=ended.target,
            author=ended.author,
            why=ended.why,
            outcome=outcome,
            detail=detail,
        )
        try:
            await self._state.put(
                KIND, f"{self._node}:{ended.seq % SHARED:04d}", msgspec.to_builtins(ended), expected=None
            )
        except StateError as error:
            self._log.warning("a decision is known on this node only", id=ended.id, reason=str(error))
        return ended

    def decisions(self, *, limit: int = KEPT) -> list[Decision]:
        """This node's and the others', the latest first."""
        shared, _ = understood(self._state.rows(KIND), Decision)
        every = {decision.id: decision for _, decision in shared if decision.node != self._node}
        every |= self._decisions
        return sorted(every.values(), key=lambda one: (one.at, one.seq), reverse=True)[:limit]

    async def changed(self, since: int) -> int:
        """Returns once there is a line after `since`."""
        while self.revision <= since:
            self._told.clear()
            await self._told.wait()
        return self.revision

    def close(self) -> None:
        self._thread.shutdown(wait=True)

    async def _append(self, decision: Decision) -> None:
        line = msgspec.json.encode(decision) + b"\n"
        await asyncio.get_running_loop().run_in_executor(self._thread, self._lines.append, line)
        self._remember(decision)

    def _remember(self, decision: Decision) -> None:
        self._decisions.pop(decision.id, None)
        self._decisions[decision.id] = decision
        while len(self._decisions) > KEPT:
            del self._decisions[next(iter(self._decisions))]
        self.revision += 1
        self._told.set()

    def _read(self) -> None:
        lines: deque[Decision] = deque(maxlen=2 * KEPT)
        try:
            for line in self._lines.read():
                try:
                    lines.append(msgspec.json.decode(line, type=Decision))
                except (msgspec.DecodeError, UnicodeDecodeError):
                    self._log.warning("a line of the journal is unreadable", line=line[:100].decode("ascii", "replace"))
        except OSError as error:
            self._log.problem("the journal is unreadable", error=str(error))
        for one in lines:
            self._decisions.pop(one.id, None)
            self._decisions[one.id] = one
            self._seq = max(self._seq, one.seq)
        for key, one in self._decisions.items():
            if one.outcome == "begun":
                self._decisions[key] = msgspec.structs.replace(one, outcome="interrupted")


def _audited(decision: Decision, **more: object) -> dict[str, object]:
    """One record of the audit log: one when it is begun, with its evidence, and one with what came of it."""
    return {
        "kind": "decision",
        "decision": decision.id,
        "action": decision.what,
        "target": decision.target,
        "author": decision.author,
        "reason": decision.why,
        "epoch": decision.epoch,
        "outcome": decision.outcome,
        "detail": decision.detail,
        **more,
    }
