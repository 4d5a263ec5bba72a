"""Attempts to connect, with real sockets on both kinds of loop."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from health.core.probe import Outcome, ProbeSettings, ProbeTarget
from health.probes.names import Names, SocketAddress
from health.probes.tcp import Surroundings, TcpAttempt, is_its_own_peer

DEADLINE_S = 10.0


def target(host: str, port: int) -> ProbeTarget:
    name = f"api/eu/{host}:{port}"
    return ProbeTarget(name, "api", "eu", host, port, ProbeSettings(protocol="tcp", timeout_s=0.25))


@contextmanager
def listening(family: int = socket.AF_INET, backlog: int = 16) -> Iterator[socket.socket]:
    with socket.socket(family, socket.SOCK_STREAM) as server:
        server.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        server.listen(backlog)
        yield server


def free_port() -> int:
    with listening() as server:
        return int(server.getsockname()[1])


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class Asked:
    """One attempt and what came of it."""

    def __init__(self, of: ProbeTarget, **given: object) -> None:
        loop = asyncio.get_running_loop()
        self.names = Names(loop)
        self.outcomes: list[Outcome] = []
        self.ended = asyncio.Event()
        around = Surroundings(loop, time.monotonic, "tidegate-probe/0 (gw-1)", self.names.lookup)
        self.attempt = TcpAttempt(of, replace(around, **given), self._heard)  # type: ignore[arg-type]  # fields of it

    def _heard(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.ended.set()

    async def outcome(self) -> Outcome:
        self.attempt.start()
        async with asyncio.timeout(DEADLINE_S):
            await self.ended.wait()
        self.names.close()
        return self.outcomes[0]


async def test_an_accepted_connection_passes_and_its_handshake_is_measured() -> None:
    with listening() as server:
        outcome = await Asked(target("127.0.0.1", server.getsockname()[1])).outcome()
    assert (outcome.passed, outcome.reason) == (True, "connected")
    assert outcome.rtt_s is not None
    assert 0 < outcome.rtt_s < 1


async def test_nobody_listening_is_a_refusal() -> None:
    outcome = await Asked(target("127.0.0.1", free_port())).outcome()
    assert outcome == Outcome(passed=False, reason="connection refused")


async def test_ipv6_is_probed_like_ipv4() -> None:
    try:
        with listening(socket.AF_INET6) as server:
            outcome = await Asked(target("::1", server.getsockname()[1])).outcome()
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert outcome.reason == "connected"


async def test_a_handshake_that_is_never_answered_expires_by_name() -> None:
    with listening(backlog=0) as server, socket.socket() as first, socket.socket() as second:
        for filler in (first, second):  # the queue is full with them; what comes next is not answered
            filler.settimeout(0)
            filler.connect_ex(server.getsockname())
        asked = Asked(target("127.0.0.1", server.getsockname()[1]))
        asked.attempt.start()
        assert asked.attempt.expire() == Outcome(passed=False, reason="no connection in 250ms")
    asked.names.close()


async def test_an_expired_attempt_is_not_heard_again() -> None:
    with listening() as server:
        asked = Asked(target("127.0.0.1", server.getsockname()[1]))
        asked.attempt.start()
        asked.attempt.expire()
        other = Asked(target("127.0.0.1", server.getsockname()[1]))
        await other.outcome()
    assert asked.outcomes == []
    asked.names.close()


async def test_an_attempt_that_ended_as_its_time_was_up_says_what_it_found() -> None:
    asked = Asked(target("127.0.0.1", free_port()))
    asked.attempt.start()
    expired = asked.attempt.expire()
    assert expired.reason in ("connection refused", "no connection in 250ms")
    asked.names.close()


async def test_an_abandoned_attempt_says_nothing_and_leaves_no_descriptor() -> None:
    with listening() as server:
        before = open_descriptors()
        asked = Asked(target("127.0.0.1", server.getsockname()[1]))
        asked.attempt.start()
        asked.attempt.abandon()
        assert open_descriptors() == before
    asked.names.close()


async def test_a_timeout_that_was_cut_to_the_interval_says_so() -> None:
    hasty = ProbeSettings(protocol="tcp", interval_s=0.1, jitter=0.2, timeout_s=1)
    asked = Asked(replace(target("127.0.0.1", free_port()), settings=hasty))
    expired = asked.attempt.expire()
    assert "in 120ms (timeout cut to the longest gap between probes)" in expired.reason
    asked.names.close()


async def test_a_name_is_looked_up_and_all_its_addresses_are_tried() -> None:
    with listening() as server:
        port = server.getsockname()[1]
        refusing = ("127.0.0.1", free_port())

        def lookup(host: str, port: int) -> asyncio.Future[list[SocketAddress]]:
            found: asyncio.Future[list[SocketAddress]] = asyncio.get_running_loop().create_future()
            found.set_result([(socket.AF_INET, refusing), (socket.AF_INET, ("127.0.0.1", port))])
            return found

        outcome = await Asked(target("backend.internal", port), lookup=lookup).outcome()
        assert outcome.reason == "connected"
        outcome = await Asked(target("localhost", port)).outcome()
        assert outcome.reason == "connected"


async def test_a_name_that_nobody_knows_fails_by_name() -> None:
    outcome = await Asked(target("nowhere.invalid", 80)).outcome()
    assert outcome == Outcome(passed=False, reason="name not found")


async def test_a_resolver_that_hangs_is_told_apart_from_an_endpoint_that_does() -> None:
    pending: list[asyncio.Future[list[SocketAddress]]] = []

    def lookup(host: str, port: int) -> asyncio.Future[list[SocketAddress]]:
        pending.append(asyncio.get_running_loop().create_future())
        return pending[0]

    asked = Asked(target("backend.internal", 80), lookup=lookup)
    asked.attempt.start()
    assert asked.attempt.expire().reason == "name not resolved in 250ms"
    assert pending[0].cancelled()
    asked.names.close()


def test_a_socket_that_met_itself_is_told_from_one_that_met_an_endpoint() -> None:
    with socket.socket() as lonely, listening() as server, socket.socket() as met:
        lonely.bind(("127.0.0.1", 0))
        lonely.connect(lonely.getsockname())  # as an unlucky probe's would
        assert is_its_own_peer(lonely)
        met.connect(server.getsockname())
        assert not is_its_own_peer(met)


async def test_without_a_free_descriptor_nothing_is_said_about_the_endpoint() -> None:
    asked = Asked(target("127.0.0.1", free_port()))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, limits[1]))
    try:
        asked.attempt.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    async with asyncio.timeout(DEADLINE_S):
        await asked.ended.wait()
    assert asked.outcomes == [Outcome(passed=None, reason="no free descriptor in this process")]
    asked.names.close()


async def test_a_defect_in_a_probe_is_logged_and_says_nothing_about_the_endpoint(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def lookup(host: str, port: int) -> asyncio.Future[list[SocketAddress]]:
        raise RuntimeError("a defect")

    outcome = await Asked(target("backend.internal", 80), lookup=lookup).outcome()
    assert outcome == Outcome(passed=None, reason="probe defect: RuntimeError")
    assert "a defect" in caplog.text
    assert caplog.records[0].levelno == logging.ERROR


async def test_a_listener_that_fails_is_not_taken_for_a_fault_of_the_attempt() -> None:
    heard: list[dict[str, object]] = []
    told = asyncio.Event()
    loop = asyncio.get_running_loop()

    def note(_: object, context: dict[str, object]) -> None:
        heard.append(context)
        told.set()

    def fails(outcome: Outcome) -> None:
        raise OSError("the listener's own")

    loop.set_exception_handler(note)
    names = Names(loop)
    with listening() as server:
        on_end: Callable[[Outcome], None] = fails
        around = Surroundings(loop, time.monotonic, "a", names.lookup)
        TcpAttempt(target("127.0.0.1", server.getsockname()[1]), around, on_end).start()
        async with asyncio.timeout(DEADLINE_S):
            await told.wait()
    assert "the listener's own" in str(heard[0]["exception"])
    names.close()
