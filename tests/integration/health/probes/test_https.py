"""Asking real servers over TLS."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from health.core.probe import Outcome, ProbeSettings, ProbeTarget, ProbeTls
from health.probes.http import request_head
from health.probes.https import HttpsAttempt
from health.probes.names import Names
from health.probes.tcp import Surroundings
from tests.harness.certificates import Authority

DEADLINE_S = 10.0
WELL = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nall well"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def serving(tls: ssl.SSLContext | None, answer: bytes = WELL) -> AsyncIterator[int]:
    """A server that answers each connection once; with an empty answer it stays silent."""
    handlers: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            if not answer:
                await asyncio.Event().wait()
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in handlers:
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)


def settings(tls: ProbeTls | None) -> ProbeSettings:
    return ProbeSettings(protocol="https", timeout_s=0.25, tls=tls)


def trusting(authority: Authority) -> ProbeTls:
    return ProbeTls(ca=str(authority.file), server_name="localhost")


async def ask(port: int, asked: ProbeSettings, *, expire_at: str | None = None) -> Outcome:
    """The outcome of one attempt; it is expired, as the prober would, once it waits for `expire_at`."""
    loop = asyncio.get_running_loop()
    names = Names(loop)
    ended: asyncio.Future[Outcome] = loop.create_future()
    surroundings = Surroundings(loop, loop.time, "tidegate-probe/0.1.0 (gw-1)", names.lookup)
    target = ProbeTarget("api/eu/x", "api", "eu", "127.0.0.1", port, asked)
    attempt = HttpsAttempt(target, surroundings, ended.set_result)
    attempt.start()
    try:
        async with asyncio.timeout(DEADLINE_S):
            if expire_at is None:
                return await ended
            while attempt._waiting_for() != expire_at:  # noqa: ASYNC110 - a state of its own, without an event
                await asyncio.sleep(0.005)
            return attempt.expire()
    finally:
        attempt.abandon()
        names.close()


async def test_an_endpoint_that_answers_well_passes_with_a_round_trip(authority: Authority) -> None:
    async with serving(authority.server(authority.issue("localhost"))) as port:
        outcome = await ask(port, settings(trusting(authority)))
        assert (outcome.passed, outcome.reason) == (True, "http 200")
        assert outcome.rtt_s is not None


async def test_an_answer_of_many_records_is_read_to_its_end(authority: Authority) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + b"x" * 59_996 + b"well"
    async with serving(authority.server(authority.issue("localhost")), answer) as port:
        outcome = await ask(port, replace(settings(trusting(authority)), expected_body="well"))
        assert outcome.passed is True


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("expired", "certificate not trusted: certificate has expired"),
        ("foreign", "certificate not trusted: unable to get local issuer certificate"),
        ("other name", "certificate not trusted: hostname mismatch, certificate is not valid for 'localhost'."),
    ],
)
async def test_a_certificate_that_is_not_to_be_trusted_fails(
    authority: Authority, tmp_path: Path, fault: str, reason: str
) -> None:
    signer = Authority(tmp_path, "foreign") if fault == "foreign" else authority
    pair = signer.issue("other" if fault == "other name" else "localhost", expired=fault == "expired")
    async with serving(signer.server(pair)) as port:
        outcome = await ask(port, settings(trusting(authority)))
        assert (outcome.passed, outcome.reason) == (False, reason)
        unverified = await ask(port, settings(ProbeTls(verify=False)))
        assert unverified.passed is True


async def test_without_settings_the_authorities_of_the_system_are_asked(authority: Authority) -> None:
    async with serving(authority.server(authority.issue("127.0.0.1"))) as port:
        outcome = await ask(port, settings(None))
        assert outcome.reason.startswith("certificate not trusted")


async def test_an_endpoint_that_speaks_no_tls_fails(authority: Authority) -> None:
    async with serving(None, WELL) as port:
        outcome = await ask(port, settings(trusting(authority)), expire_at="no TLS handshake")
        assert (outcome.passed, outcome.reason) == (False, "no TLS handshake in 250ms")


async def test_a_silent_endpoint_fails_by_where_it_stands(authority: Authority) -> None:
    async with serving(authority.server(authority.issue("localhost")), b"") as port:
        outcome = await ask(port, settings(trusting(authority)), expire_at="no answer")
        assert (outcome.passed, outcome.reason) == (False, "no answer in 250ms")


async def test_our_certificate_is_shown(authority: Authority) -> None:
    ours = authority.issue("gw.test")
    shown = replace(trusting(authority), client_certificate=ours["certificate"], client_key=ours["private_key"])
    server = authority.server(authority.issue("localhost"), client_ca=authority.file)
    async with serving(server) as port:
        assert (await ask(port, settings(shown))).passed is True
        assert (await ask(port, settings(trusting(authority)))).passed is False


async def test_files_of_ours_that_cannot_be_used_say_nothing_of_the_endpoint(
    authority: Authority, tmp_path: Path
) -> None:
    file = tmp_path / "live.pem"
    file.touch()
    async with serving(authority.server(authority.issue("localhost"))) as port:
        asked = settings(replace(trusting(authority), ca=str(file)))
        outcome = await ask(port, asked)
        assert (outcome.passed, outcome.reason.partition(":")[0]) == (None, "our certificates")
        shutil.copy(authority.file, file)
        assert (await ask(port, asked)).passed is True, "a renewed file is used by the next probe"


def test_the_usual_port_of_https_is_not_named() -> None:
    for port, field in ((443, b"Host: a.test\r\n"), (80, b"Host: a.test:80\r\n")):
        target = ProbeTarget("api/eu/x", "api", "eu", "a.test", port, settings(None))
        assert field in request_head(target, agent="probe")
