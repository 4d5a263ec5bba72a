"""Asking a server of somebody else's: bounded, no redirects."""

from __future__ import annotations

import asyncio

import pytest

from gateway.admission.fetching import MAX_BYTES, Fetcher, FetchFailed


async def served(answer: bytes, *, hang: bool = False) -> tuple[asyncio.Server, str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if hang:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: /else\r\nContent-Length: 0\r\n\r\n", "status 302"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 600000\r\n\r\n" + b"x" * 600_000, f"more than {MAX_BYTES}"),
        (b"nonsense\r\n\r\n", "found"),
        (b"", "found"),
    ],
)
async def test_what_is_no_plain_good_answer_is_a_failure_with_a_reason(answer: bytes, what: str) -> None:
    server, url = await served(answer)
    fetcher = Fetcher()
    with pytest.raises(FetchFailed, match=what):
        await fetcher.get(url)
    await fetcher.close()
    server.close()


async def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    server, url = await served(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", hang=True)
    fetcher = Fetcher(timeout_s=0.1)
    with pytest.raises(FetchFailed, match="no answer within"):
        await fetcher.get(url)
    await fetcher.close()
    server.close()
