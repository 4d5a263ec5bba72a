"""Access-log lines to stdout or a file, without ever making a request wait.

    write(line) --> buffer (bounded) --> one append each `GATHER_S`

Several workers share the file, so every write is an append of whole lines: the kernel does not mix those. A reader that
is slower than the traffic costs lines, which are counted, never memory or latency.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import socket
import stat
from collections import deque
from collections.abc import Callable
from pathlib import Path

MAX_BUFFERED_BYTES = 1024 * 1024
"""Some 4,000 lines: a second of one worker's traffic."""
GATHER_S = 0.02
"""Lines wait this long for others: a system call each turn of the loop cost more than making its lines."""
RETRY_S = 0.02
FILE_CHUNK_BYTES = 256 * 1024
PIPE_CHUNK_BYTES = select.PIPE_BUF
"""Up to this many bytes a pipe takes whole or not at all."""

WOULD_WAIT = 0


class Sink:
    """Where bytes go; `write` returns how many were taken, WOULD_WAIT when none could be now."""

    chunk_bytes = PIPE_CHUNK_BYTES

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes) -> int:
        """Raises `OSError` when the bytes can never be written."""
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return WOULD_WAIT

    def is_current(self) -> bool:
        """False when the file was moved away under us, as logrotate does."""
        return True

    def close(self) -> None:
        os.close(self._descriptor)


class FileSink(Sink):
    """A regular file, by its path."""

    chunk_bytes = FILE_CHUNK_BYTES

    def __init__(self, path: Path) -> None:
        super().__init__(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o640))
        self._path = path

    def is_current(self) -> bool:
        ours = os.fstat(self._descriptor)
        try:
            there = self._path.stat()
        except OSError:
            return False
        return (there.st_ino, there.st_dev) == (ours.st_ino, ours.st_dev)


class SocketSink(Sink):
    """Stdout is a socket under systemd."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor)
        self._socket = socket.socket(fileno=descriptor)

    def write(self, data: bytes) -> int:
        try:
            return self._socket.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return WOULD_WAIT

    def close(self) -> None:
        self._socket.close()


class PolledSink(Sink):
    """A pipe or terminal that we could not open for ourselves: ask before each write, since it may make us wait."""

    def write(self, data: bytes) -> int:
        _, writable, _ = select.select([], [self._descriptor], [], 0)
        return super().write(data) if writable else WOULD_WAIT


def open_sink(path: str, *, standard_output: int = 1) -> Sink:
    """The sink of `observability.access_log.path`; `-` is stdout. Raises `OSError`."""
    if path != "-":
        return FileSink(Path(path))
    if stat.S_ISSOCK(os.fstat(standard_output).st_mode):
        return SocketSink(os.dup(standard_output))
    try:
        # A description of our own, so O_NONBLOCK is not switched on for everyone who shares our stdout.
        flags = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        return Sink(os.open(f"/proc/self/fd/{standard_output}", flags))
    except OSError:
        return PolledSink(os.dup(standard_output))


class AccessLog:
    """One worker's access log. Use it from its loop only."""

    def __init__(self, open_again: Callable[[], Sink], loop: asyncio.AbstractEventLoop) -> None:
        self._open_again = open_again
        self._loop = loop
        self._sink = open_again()
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._rest = b""
        self._scheduled: asyncio.Handle | None = None
        self._dropped = 0

    def write(self, line: bytes) -> None:
        """One line, its newline included."""
        if self._bytes + len(line) > MAX_BUFFERED_BYTES:
            self._dropped += 1
            return
        self._lines.append(line)
        self._bytes += len(line)
        if self._scheduled is None:
            self._scheduled = self._loop.call_later(GATHER_S, self.flush)

    def take_dropped(self) -> int:
        """Lines dropped since the last call."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    def reopen_if_moved(self) -> None:
        """Now and then; raises `OSError` when the file cannot be opened again, and keeps the old one."""
        if not self._sink.is_current():
            fresh = self._open_again()
            self._sink.close()
            self._sink, self._rest = fresh, b""

    def close(self) -> None:
        """Write what can be written without waiting."""
        self.flush()
        if self._scheduled is not None:
            self._scheduled.cancel()
        self._sink.close()

    def flush(self) -> None:
        """Write what waits, as far as the reader takes it now."""
        if self._scheduled is not None:
            self._scheduled.cancel()
            self._scheduled = None
        while chunk := self._rest or self._next_chunk():
            try:
                taken = self._sink.write(chunk)
            except OSError as error:
                # Nobody reads any more, or the disk is full: these lines are lost, serving is not.
                self._dropped += chunk.count(b"\n")
                self._rest = b""
                if error.errno == errno.EPIPE:
                    continue
                break
            self._rest = chunk[taken:]
            if self._rest:
                break
        if self._rest or self._lines:
            self._scheduled = self._loop.call_later(RETRY_S, self.flush)

    def _next_chunk(self) -> bytes:
        """As many whole lines as the sink takes at once; a longer line goes alone."""
        chunk: list[bytes] = []
        size = 0
        while self._lines and (not chunk or size + len(self._lines[0]) <= self._sink.chunk_bytes):
            line = self._lines.popleft()
            size += len(line)
            chunk.append(line)
        self._bytes -= size
        return b"".join(chunk)
