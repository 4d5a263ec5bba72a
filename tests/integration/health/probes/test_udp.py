"""Datagrams to real sockets that answer, refuse, flood, or say nothing."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from health.core.probe import Outcome, ProbeSettings, ProbeTarget
from health.probes.names import Names
from health.probes.tcp import Surroundings
from health.probes.udp import MAX_DATAGRAMS, UdpAttempt

Send = Callable[[bytes], object]


@contextmanager
def serving(reply: Callable[[bytes, Send], None]) -> Iterator[int]:
    """A socket that does with each datagram what `reply` says."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0)

        def readable() -> None:
            data, peer = server.recvfrom(2048)
            reply(data, lambda answer: server.sendto(answer, peer))

        loop = asyncio.get_running_loop()
        loop.add_reader(server, readable)
        try:
            yield server.getsockname()[1]
        finally:
            loop.remove_reader(server)


async def ask(port: int, *, expected_body: str | None = None) -> tuple[Outcome, float]:
    """One attempt, ended as the prober ends it when its time is up."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Outcome] = loop.create_future()
    names = Names(loop)
    settings = ProbeSettings(protocol="udp", timeout_s=0.25, expected_body=expected_body)
    target = ProbeTarget(f"api/eu/127.0.0.1:{port}", "api", "eu", "127.0.0.1", port, settings)
    around = Surroundings(loop, time.monotonic, "tidegate-probe/0 (gw)", names.lookup)
    attempt = UdpAttempt(target, around, ended.set_result)
    began = loop.time()
    attempt.start()
    try:
        async with asyncio.timeout(settings.timeout_s):
            return await asyncio.shield(ended), loop.time() - began
    except TimeoutError:
        return attempt.expire(), loop.time() - began
    finally:
        attempt.abandon()
        names.close()


async def test_any_answer_passes_at_once_and_is_measured() -> None:
    heard: list[bytes] = []

    def answer(data: bytes, send: Send) -> None:
        heard.append(data)
        send(b"\xff\x00 whatever")

    with serving(answer) as port:
        outcome, took_s = await ask(port)
    assert (outcome.passed, outcome.reason) == (True, "answered")
    assert outcome.rtt_s is not None
    assert took_s < 0.2
    assert heard == [b"tidegate-probe/0 (gw)\n"]


async def test_a_port_that_nobody_listens_at_is_a_refusal() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    outcome, took_s = await ask(port)
    assert (outcome.passed, outcome.reason) == (False, "connection refused")
    assert took_s < 0.2


async def test_silence_passes_when_nothing_is_expected_and_fails_when_something_is() -> None:
    with serving(lambda data, send: None) as port:
        outcome, _ = await ask(port)
        assert outcome == Outcome(passed=True, reason="no refusal in 250ms")
        outcome, _ = await ask(port, expected_body="pong")
        assert outcome == Outcome(passed=False, reason="no answer in 250ms")


async def test_the_expected_text_may_come_after_something_else() -> None:
    def answer(data: bytes, send: Send) -> None:
        send(b"noise")
        send(b"a pong b")

    with serving(answer) as port:
        outcome, _ = await ask(port, expected_body="pong")
    assert (outcome.passed, outcome.reason) == (True, "answered")


async def test_another_answer_than_the_expected_one_fails_at_the_end_of_the_time() -> None:
    def answer(data: bytes, send: Send) -> None:
        send(b"noise")

    with serving(answer) as port:
        outcome, took_s = await ask(port, expected_body="pong")
    assert (outcome.passed, outcome.reason) == (False, "body mismatch")
    assert took_s == pytest.approx(0.25, abs=0.15)


async def test_whoever_floods_is_not_listened_to_for_long() -> None:
    def flood(data: bytes, send: Send) -> None:
        for _ in range(MAX_DATAGRAMS * 4):
            send(b"x" * 1000)

    with serving(flood) as port:
        outcome, took_s = await ask(port, expected_body="pong")
    assert (outcome.passed, outcome.reason) == (False, f"body mismatch in {MAX_DATAGRAMS} datagrams")
    assert took_s < 0.2
