"""Access-log lines, with readers that are slow, gone or moved away."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from pathlib import Path

import pytest

from tidegate.demo.waiting import until
from tidegate.node.access_log import (
    MAX_BUFFERED_BYTES,
    PIPE_CHUNK_BYTES,
    AccessLog,
    FileSink,
    PolledSink,
    Sink,
    SocketSink,
    open_sink,
)


class Taking(Sink):
    """Takes up to `room` bytes, then nothing."""

    def __init__(self, room: int = 10**9, failure: OSError | None = None) -> None:
        self.room = room
        self.failure = failure
        self.writes: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> int:
        if self.failure is not None:
            raise self.failure
        taken = data[: self.room]
        self.room -= len(taken)
        if taken:
            self.writes.append(taken)
        return len(taken)

    def close(self) -> None:
        self.is_closed = True


def log_into(sink: Sink) -> AccessLog:
    return AccessLog(lambda: sink, asyncio.get_running_loop())


async def test_lines_that_come_together_are_one_write() -> None:
    sink = Taking()
    log = log_into(sink)
    for number in range(3):
        log.write(b"line %d\n" % number)
    assert sink.writes == []
    await until(lambda: sink.writes != [], within_s=5, what="the lines")
    assert sink.writes == [b"line 0\nline 1\nline 2\n"]
    log.close()
    assert sink.is_closed


async def test_a_write_to_a_pipe_is_whole_lines_that_fit_it() -> None:
    sink = Taking()
    log = log_into(sink)
    for _ in range(100):
        log.write(b"x" * 99 + b"\n")
    log.flush()
    assert all(len(data) <= PIPE_CHUNK_BYTES and data.endswith(b"\n") for data in sink.writes)
    assert sum(map(len, sink.writes)) == 10_000
    log.close()


async def test_a_slow_reader_gets_every_byte_in_order_once_it_reads() -> None:
    sink = Taking(room=10)
    log = log_into(sink)
    lines = [b"line %d\n" % number for number in range(50)]
    for line in lines:
        log.write(line)
    log.flush()
    assert b"".join(sink.writes) == b"".join(lines)[:10]
    sink.room = 10**6
    await until(lambda: b"".join(sink.writes) == b"".join(lines), within_s=5, what="the rest")
    assert log.take_dropped() == 0
    log.close()


async def test_a_reader_that_never_reads_costs_lines_and_no_memory() -> None:
    log = log_into(Taking(room=0))
    for _ in range(2000):
        log.write(b"x" * 1023 + b"\n")
    dropped = log.take_dropped()
    assert dropped == 2000 - MAX_BUFFERED_BYTES // 1024
    assert log.take_dropped() == 0
    log.close()


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC])
async def test_a_reader_that_is_gone_or_a_full_disk_costs_lines(number: int) -> None:
    sink = Taking(failure=OSError(number, "x"))
    log = log_into(sink)
    log.write(b"lost\n")
    log.flush()
    assert log.take_dropped() == 1
    sink.failure = None
    log.write(b"kept\n")
    log.close()
    assert sink.writes == [b"kept\n"]


async def test_a_rotated_file_is_left_for_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    log = AccessLog(lambda: open_sink(str(path)), asyncio.get_running_loop())
    log.write(b"first\n")
    log.flush()
    log.reopen_if_moved()
    path.rename(tmp_path / "access.log.1")
    log.reopen_if_moved()
    log.write(b"second\n")
    log.close()
    assert (tmp_path / "access.log.1").read_bytes() == b"first\n"
    assert path.read_bytes() == b"second\n"


def test_a_file_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(b"there\n")
    sink = open_sink(str(path))
    assert isinstance(sink, FileSink)
    assert sink.write(b"new\n") == 4
    sink.close()
    assert path.read_bytes() == b"there\nnew\n"


def test_a_full_pipe_makes_nobody_wait_and_stays_as_others_know_it() -> None:
    reading, writing = os.pipe()
    sink = open_sink("-", standard_output=writing)
    while sink.write(b"x" * 4096):
        pass
    assert os.get_blocking(writing), "whoever shares our stdout did not ask for O_NONBLOCK"
    sink.close()
    os.close(writing)
    os.close(reading)


def test_a_full_socket_makes_nobody_wait() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sink = open_sink("-", standard_output=ours.fileno())
        assert isinstance(sink, SocketSink)
        while sink.write(b"x" * 4096):
            pass
        assert ours.getblocking()
        sink.close()


def test_a_pipe_that_cannot_be_opened_again_is_asked_before_each_write() -> None:
    reading, writing = os.pipe()
    sink = PolledSink(os.dup(writing))
    while sink.write(b"x" * 4096):
        pass
    assert os.read(reading, 8192) == b"x" * 8192
    assert sink.write(b"y" * 4096) == 4096
    sink.close()
    os.close(writing)
    os.close(reading)
