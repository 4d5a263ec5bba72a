"""How a new node takes the listening sockets of orphans, so that no connection of theirs is refused or reset.

    orphan  (its supervisor died)     offers   <data_dir>/orphan-<pid>.sock
    new supervisor                    connects, receives descriptors (SCM_RIGHTS) and what each of them is

The new node accepts from the very same sockets, so the orphans may close their copies whenever they like: a queue
dies only with its last holder. (New sockets beside theirs would not do: a queue is reset when its orphan closes it.)
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

MAX_MESSAGE_BYTES = 64 * 1024
MAX_DESCRIPTORS = 250
"""The kernel passes at most 253 in one message (SCM_MAX_FD)."""
WAIT_S = 3.0
"""For an orphan to answer: one that has just lost its supervisor first has to notice."""
POLL_S = 0.05


class Held(msgspec.Struct, frozen=True, order=True):
    """One listening socket: of which listener ("" is the admin API), and which slot of it."""

    listener: str
    slot: int


def socket_name(pid: int) -> str:
    return f"orphan-{pid}.sock"


class DataDirSockets:
    """Unix sockets by their name in the data directory, however long its path is.

    A Unix address has 108 bytes; the way through /proc/self/fd is short whatever the directory is called.
    """

    def __init__(self, data_dir: Path) -> None:
        self._directory = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def listen(self, name: str) -> socket.socket:
        self.remove(name)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(self.path(name))
        os.chmod(name, 0o600, dir_fd=self._directory)
        listener.listen(128)
        listener.setblocking(False)  # noqa: FBT003 - its only form
        return listener

    def connect(self, name: str) -> socket.socket:
        """Raises `OSError`."""
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connected.settimeout(1.0)
        try:
            connected.connect(self.path(name))
        except OSError:
            connected.close()
            raise
        return connected

    def remove(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self._directory)
        except FileNotFoundError:
            return

    def names(self) -> list[str]:
        with os.scandir(self._directory) as found:
            return [entry.name for entry in found if entry.name.endswith(".sock")]

    def close(self) -> None:
        os.close(self._directory)

    def path(self, name: str) -> str:
        """A short way to it, as long as this object lives."""
        return f"/proc/self/fd/{self._directory}/{name}"


def offer(connection: socket.socket, sockets: Mapping[Held, int]) -> bool:
    """Pass descriptors to whoever connected, if it is our own user; orphan's side."""
    if peer_uid(connection) not in (0, os.geteuid()):
        return False
    held = sorted(sockets)[:MAX_DESCRIPTORS]
    connection.settimeout(1.0)
    socket.send_fds(connection, [msgspec.json.encode(held)], [sockets[what] for what in held])
    return True


def ask(directory: DataDirSockets, pid: int, *, wait_s: float = WAIT_S) -> dict[Held, socket.socket]:
    """The listening sockets that orphan `pid` holds; empty when it does not answer in time."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            with directory.connect(socket_name(pid)) as connection:
                return _receive(connection)
        except (OSError, ValueError):
            if time.monotonic() >= deadline:
                return {}
        time.sleep(POLL_S)


def _receive(connection: socket.socket) -> dict[Held, socket.socket]:
    data, descriptors, _, _ = socket.recv_fds(connection, MAX_MESSAGE_BYTES, MAX_DESCRIPTORS)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - its only form
    held = msgspec.json.decode(data, type=list[Held])
    if len(held) != len(descriptors):
        for descriptor in descriptors:
            os.close(descriptor)
        raise ValueError(f"{len(held)} sockets named, {len(descriptors)} received")
    return {what: socket.socket(fileno=descriptor) for what, descriptor in zip(held, descriptors, strict=True)}


def peer_uid(connection: socket.socket) -> int:
    """Whose process is at the other end (SO_PEERCRED: pid, uid, gid)."""
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)
