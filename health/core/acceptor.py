"""What does one acceptor answer? A tiny durable store of registers, of which any majority is the truth.

    fresh (generation 0, abstains) --Install--> active --Seal--> sealed (abstains, has shown all) --Install--> active
    active: Prepare -> Promise | Refusal;  Accept -> Accepted | Refusal;  Raise -> Done;  Scan, Inspect: always

Registers follow CASPaxos (Rystsov 2018): single-decree Paxos that keeps going, one value after another, without a log.
Rules that safety hangs on, each broken on purpose in tests/simulation:
- a promise and an accepted value are durable before the answer leaves (the shell's part: `changes` first, then answer);
- only a ballot at least as high as the promise is accepted;
- a request names the generation and the incarnation it was meant for: an acceptor that has lost its memory is another
  incarnation, answers nothing, and knows nothing that could be mistaken for knowledge;
- an act with an epoch below the fence is refused, and the fence only rises; both by Prepare and by Accept. By Accept
  alone, an acceptor that has not heard of the fence takes an older leader's value that was built on a newer one's, and
  whoever finds it there carries it on (found by simulation).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Ballot = tuple[int, str]
"""A number and who proposed it: unique, and ordered."""

FORMAT = 1
MAX_REGISTERS = 10_001
"""All rows of a state store and the lease."""


class Meta(msgspec.Struct, frozen=True):
    """What an acceptor knows of itself."""

    incarnation: str
    """Chosen at random when its memory began."""
    tick: int = 0
    """Grows with every change: one that was restored from a copy is behind what others have seen of it."""
    fence: int = 0
    count: int = 0
    """Registers held."""
    generation: int = 0
    """Of the acceptor set that it belongs to; 0 is none yet."""
    members: dict[str, str] = {}
    """The set: name -> incarnation."""
    sealed: int = 0
    """Highest generation that was announced to it; above `generation` it waits for the Install."""
    format: int = FORMAT


class Register(msgspec.Struct, frozen=True):
    """One value that a majority agrees on."""

    promised: Ballot
    accepted: Ballot | None = None
    value: Any = None
    tick: int = 0


class Inspect(msgspec.Struct, frozen=True, tag=True):
    """Who are you?"""


class Prepare(msgspec.Struct, frozen=True, tag=True):
    """Promise to accept nothing lower, and say what you have."""

    generation: int
    incarnation: str
    register: str
    ballot: Ballot
    epoch: int | None = None


class Accept(msgspec.Struct, frozen=True, tag=True):
    """Take this value, unless you promised otherwise or a newer leader has acted."""

    generation: int
    incarnation: str
    register: str
    ballot: Ballot
    value: Any
    epoch: int | None = None


class Raise(msgspec.Struct, frozen=True, tag=True):
    """From now on refuse leaders below `epoch`."""

    generation: int
    incarnation: str
    epoch: int


class Scan(msgspec.Struct, frozen=True, tag=True):
    """What has changed since that tick of that incarnation?"""

    incarnation: str
    since: int


class Seal(msgspec.Struct, frozen=True, tag=True):
    """A set of that generation is being made: stop, and show all you have."""

    generation: int


class Install(msgspec.Struct, frozen=True, tag=True):
    """Belong to this set, knowing all that the one before it decided."""

    name: str
    generation: int
    members: dict[str, str]
    registers: dict[str, Register]
    fence: int


class Forget(msgspec.Struct, frozen=True, tag=True):
    """Somebody has seen more of you than you know: your memory is a copy from the past. Begin another incarnation."""

    incarnation: str


Request = Inspect | Prepare | Accept | Raise | Scan | Seal | Install | Forget


class Promise(msgspec.Struct, frozen=True, tag=True):
    about: Meta
    accepted: Ballot | None
    value: Any


class Accepted(msgspec.Struct, frozen=True, tag=True):
    about: Meta


class Done(msgspec.Struct, frozen=True, tag=True):
    """Installed, raised, forgotten; to Inspect: here I am."""

    about: Meta


class Shown(msgspec.Struct, frozen=True, tag=True):
    """To Scan and Seal. `is_whole`: all there is, and not only what is new."""

    about: Meta
    registers: dict[str, Register]
    is_whole: bool


class Refusal(msgspec.Struct, frozen=True, tag=True):
    about: Meta
    reason: Literal["ballot", "set", "epoch", "full"]
    promised: Ballot | None = None


Answer = Promise | Accepted | Done | Shown | Refusal


class Reaction(msgspec.Struct, frozen=True):
    """`meta` and `changes` are made durable together, then `answer` leaves. A change to None removes the register."""

    answer: Answer
    meta: Meta | None = None
    changes: Mapping[str, Register | None] = {}


def register_of(request: Request) -> str | None:
    """The one register that the request is about; None when it is about none or all."""
    return request.register if isinstance(request, Prepare | Accept) else None


def needs_all(request: Request) -> bool:
    return isinstance(request, Scan | Seal | Install | Forget)


def react(meta: Meta, registers: Mapping[str, Register], request: Request, *, fresh: str) -> Reaction:
    """`registers` holds those that the request is about. `fresh` is a name for a new incarnation, if one must begin."""
    if isinstance(request, Prepare | Accept | Raise):
        is_member = 0 < meta.generation == request.generation and request.incarnation == meta.incarnation
        if not is_member or meta.sealed > meta.generation:
            return Reaction(Refusal(meta, "set"))
        if isinstance(request, Raise):
            return _raise(meta, request.epoch)
        return _vote(meta, registers.get(request.register), request)
    if isinstance(request, Install):
        return _install(meta, registers, request)
    return _show_or_forget(meta, registers, request, fresh)


def _show_or_forget(
    meta: Meta, registers: Mapping[str, Register], request: Inspect | Scan | Seal | Forget, fresh: str
) -> Reaction:
    if isinstance(request, Scan):
        is_whole = request.incarnation != meta.incarnation
        since = -1 if is_whole else request.since
        shown = {name: register for name, register in registers.items() if register.tick > since}
        return Reaction(Shown(meta, shown, is_whole=is_whole))
    if isinstance(request, Seal):
        if request.generation <= max(meta.sealed, meta.generation):
            return Reaction(Refusal(meta, "set"))
        after = msgspec.structs.replace(meta, sealed=request.generation, tick=meta.tick + 1)
        return Reaction(Shown(after, dict(registers), is_whole=True), after)
    if isinstance(request, Forget):
        if request.incarnation != meta.incarnation:
            return Reaction(Refusal(meta, "set"))
        after = Meta(fresh)
        return Reaction(Done(after), after, dict.fromkeys(registers))
    return Reaction(Done(meta))


def _raise(meta: Meta, epoch: int) -> Reaction:
    if epoch < meta.fence:
        return Reaction(Refusal(meta, "epoch"))
    after = msgspec.structs.replace(meta, fence=epoch, tick=meta.tick + 1)
    return Reaction(Done(after), after)


def _vote(meta: Meta, register: Register | None, request: Prepare | Accept) -> Reaction:
    if register is not None and request.ballot < register.promised:
        return Reaction(Refusal(meta, "ballot", register.promised))
    after = msgspec.structs.replace(meta, tick=meta.tick + 1)
    if request.epoch is not None:
        if request.epoch < meta.fence:
            return Reaction(Refusal(meta, "epoch"))
        after = msgspec.structs.replace(after, fence=request.epoch)
    if isinstance(request, Prepare):
        if register is None and meta.count >= MAX_REGISTERS:
            return Reaction(Refusal(meta, "full"))
        if register is None:
            after = msgspec.structs.replace(after, count=meta.count + 1)
        known = register or Register(request.ballot)
        promised = msgspec.structs.replace(known, promised=request.ballot)
        return Reaction(Promise(after, known.accepted, known.value), after, {request.register: promised})
    if register is None:
        after = msgspec.structs.replace(after, count=meta.count + 1)
    accepted = Register(request.ballot, request.ballot, request.value, after.tick)
    return Reaction(Accepted(after), after, {request.register: accepted})


def _install(meta: Meta, registers: Mapping[str, Register], request: Install) -> Reaction:
    is_meant = request.members.get(request.name) == meta.incarnation
    if not is_meant or request.generation < meta.sealed or request.generation <= meta.generation:
        return Reaction(Refusal(meta, "set"))
    joined = merged([registers, request.registers])
    after = msgspec.structs.replace(
        meta,
        tick=meta.tick + 1,
        count=len(joined),
        fence=max(meta.fence, request.fence),
        generation=request.generation,
        members=request.members,
        sealed=request.generation,
    )
    changes = {
        name: msgspec.structs.replace(register, tick=after.tick)
        for name, register in joined.items()
        if registers.get(name) != register
    }
    return Reaction(Done(after), after, changes)


def merged(snapshots: list[Mapping[str, Register]]) -> dict[str, Register]:
    """Each register with the highest promise and the highest accepted value of all."""
    joined: dict[str, Register] = {}
    for snapshot in snapshots:
        for name, register in snapshot.items():
            known = joined.get(name)
            if known is None:
                joined[name] = register
                continue
            newer = known if (known.accepted or (0, "")) >= (register.accepted or (0, "")) else register
            joined[name] = msgspec.structs.replace(newer, promised=max(known.promised, register.promised))
    return joined
