"""The socket pair between the supervisor and a child: short messages both ways, one JSON a packet.

    supervisor  --Accept, Release----->  worker     which slots to accept from
                --Processes, Draining->  control    what it shows in /v1/status and /readyz
                <--Ready, Reloaded-----  child
                <--Beat, each second---             a child that says nothing for long hangs

Its end of file is news too: the supervisor has died, and nothing will restart this process. It is SOCK_SEQPACKET, so a
message goes whole or not at all, and a child that has stopped reading can never hold up the supervisor.
"""

from __future__ import annotations

import socket

import msgspec

MAX_MESSAGE_BYTES = 64 * 1024
BEAT_EVERY_S = 1.0


class Accept(msgspec.Struct, frozen=True, tag="accept"):
    """Accept connections from this socket slot, of every listener."""

    slot: int


class Release(msgspec.Struct, frozen=True, tag="release"):
    """Stop accepting from this socket slot; connections already accepted stay."""

    slot: int


class ChildState(msgspec.Struct, frozen=True):
    """One child as the supervisor sees it."""

    role: str
    slot: int
    pid: int | None
    """None while it waits to be started again."""
    restarts: int
    ready: bool


class Processes(msgspec.Struct, frozen=True, tag="processes"):
    """All children; sent to control whenever it changes."""

    supervisor_pid: int
    children: list[ChildState]


class Draining(msgspec.Struct, frozen=True, tag="draining"):
    """The node is being stopped: no longer ready."""


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """This child can do its work."""


class Reloaded(msgspec.Struct, frozen=True, tag="reloaded"):
    """A reload that was asked for by signal has ended, well or not."""

    ok: bool


class Beat(msgspec.Struct, frozen=True, tag="beat"):
    """This child's loop turns."""


ToChild = Accept | Release | Processes | Draining
FromChild = Ready | Reloaded | Beat

_encode = msgspec.json.Encoder().encode
_to_child: msgspec.json.Decoder[ToChild] = msgspec.json.Decoder(ToChild)
_from_child: msgspec.json.Decoder[FromChild] = msgspec.json.Decoder(FromChild)


def pair() -> tuple[socket.socket, socket.socket]:
    """The supervisor's end and the child's. Both never wait."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        end.setblocking(False)  # noqa: FBT003 - its only form
    return ours, theirs


def tell(end: socket.socket, message: ToChild | FromChild) -> bool:
    """Send whole or not at all; False when the other side has gone or has long stopped reading."""
    try:
        end.send(_encode(message))
    except OSError:
        return False
    return True


def hear_as_child(end: socket.socket) -> ToChild | None:
    """The next order; None when the supervisor has died. Raises `BlockingIOError` when there is none yet."""
    data = _receive(end)
    return _to_child.decode(data) if data else None


def hear_from_child(end: socket.socket) -> FromChild | None:
    """The next word; None when the child has closed its end. Raises `BlockingIOError` when there is none yet."""
    data = _receive(end)
    return _from_child.decode(data) if data else None


def _receive(end: socket.socket) -> bytes:
    try:
        return end.recv(MAX_MESSAGE_BYTES)
    except ConnectionError:
        return b""
