"""The data API's own HTTP on its Unix socket, byte by byte: what a worker never sends is refused too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httptools
import pytest

from sync.api.front import MAX_HEAD, encoded
from sync.api.messages import Answer
from tests.harness.data_api import MAX_VALUE, DataApi
from tidegate.demo.waiting import until

PUT = b"PUT /data/v1/settings/k HTTP/1.1\r\nHost: data\r\nContent-Type: text/plain\r\n"


class Wire:
    """One connection, used by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def answer(self, *, has_body: bool = True) -> tuple[int, bytes, bytes]:
        """Status, head and body of the next one."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        length = int(fields.get(b"content-length", 0)) if has_body else 0
        return int(head[9:12]), head, await asyncio.wait_for(self.reader.readexactly(length), 5)

    async def rest(self) -> bytes:
        return await asyncio.wait_for(self.reader.read(), 5)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[DataApi]:
    async with DataApi(tmp_path) as opened:
        yield opened


@pytest.fixture
async def line(api: DataApi) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_unix_connection(api.path)
    yield Wire(reader, writer)
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def test_requests_of_one_connection_are_answered_in_the_order_asked(api: DataApi, line: Wire) -> None:
    requests = [PUT + b"Content-Length: 1\r\n\r\n%d" % number for number in range(9)]
    line.writer.write(b"".join(requests) + b"GET /data/v1/settings/none HTTP/1.1\r\nHost: data\r\n\r\n")
    assert [(await line.answer())[0] for _ in range(10)] == [201, *[200] * 8, 404]


async def test_more_requests_than_may_wait_are_all_answered(api: DataApi, line: Wire) -> None:
    line.writer.write(b"GET /data/v1/settings/none HTTP/1.1\r\nHost: data\r\n\r\n" * 200)
    assert {(await line.answer())[0] for _ in range(200)} == {404}


async def test_a_request_may_come_byte_by_byte(api: DataApi, line: Wire) -> None:
    for byte in PUT + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n":
        line.writer.write(bytes([byte]))
        await line.writer.drain()
    assert (await line.answer())[0] == 201
    line.writer.write(b"GET /data/v1/settings/k HTTP/1.1\r\nHost: data\r\n\r\n")
    status, head, body = await line.answer()
    assert (status, body) == (200, b"abc")
    assert b"\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n" in head


async def test_a_head_request_gets_the_length_and_no_body(api: DataApi, line: Wire) -> None:
    await api.put("settings", "k", b"abc")
    for _ in range(2):
        line.writer.write(b"HEAD /data/v1/settings/k HTTP/1.1\r\nHost: data\r\n\r\n")
        status, head, _ = await line.answer(has_body=False)
        assert (status, b"\r\nContent-Length: 3\r\n" in head) == (200, True)


async def test_a_field_given_twice_is_one_list(api: DataApi, line: Wire) -> None:
    tag = (await api.put("settings", "k", b"abc")).headers["ETag"].encode()
    asked = b'GET /data/v1/settings/k HTTP/1.1\r\nHost: data\r\nIf-None-Match: "x"\r\nIf-None-Match: %b\r\n\r\n'
    line.writer.write(asked % tag)
    assert (await line.answer(has_body=False))[0] == 304


@pytest.mark.parametrize("framing", [b"Content-Length: %d\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n%x\r\n"])
async def test_a_body_above_the_limit_is_refused_while_it_still_arrives(
    api: DataApi, line: Wire, framing: bytes
) -> None:
    line.writer.write(
        PUT + framing % (MAX_VALUE + 1) + b"x" * (MAX_VALUE if b"chunked" not in framing else MAX_VALUE + 1)
    )
    status, head, body = await line.answer()
    assert (status, b'"body_too_large"' in body, b"\r\nConnection: close\r\n" in head) == (413, True, True)
    line.writer.write(b"x" * 1_000_000)
    assert await line.rest() == b"", "nothing that follows is read as a request"
    assert (await api.get("settings/k")).status == 404


async def test_who_asks_before_sending_a_body_is_told(api: DataApi, line: Wire) -> None:
    line.writer.write(PUT + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    assert await asyncio.wait_for(line.reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
    line.writer.write(b"abc")
    assert (await line.answer())[0] == 201
    line.writer.write(PUT + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n")
    assert (await line.answer())[0] == 413


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (PUT + b"Content-Length: x\r\n\r\n", 400),
        (PUT + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (PUT + b"X: " + b"x" * MAX_HEAD, 431),
        (b"GET /data/v1/settings/\xff HTTP/1.1\r\nHost: data\r\n\r\n", 400),
    ],
)
async def test_what_is_no_request_is_refused_and_the_next_one_served(
    api: DataApi, line: Wire, sent: bytes, status: int
) -> None:
    line.writer.write(sent)
    assert (await line.answer())[0] == status
    assert (await api.get("settings/k")).status == 404


async def test_an_upgrade_that_is_no_feed_is_answered_and_ends_the_connection(api: DataApi, line: Wire) -> None:
    line.writer.write(
        b"GET /data/v1/settings/k HTTP/1.1\r\nHost: data\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    )
    status, head, _ = await line.answer()
    assert (status, b"Connection: close" in head) == (404, True)
    assert await line.rest() == b""


async def test_what_is_too_large_and_malformed_is_answered_once(api: DataApi, line: Wire) -> None:
    line.writer.write(
        PUT + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % (MAX_VALUE + 9) + b"x" * (MAX_VALUE + 9) + b"!!!"
    )
    assert (await line.answer())[0] == 413
    assert await line.rest() == b""


async def test_a_connection_that_has_carried_requests_becomes_a_feed(api: DataApi, line: Wire) -> None:
    await api.put("settings", "k", b"abc")
    line.writer.write(b"GET /data/v1/settings/k HTTP/1.1\r\nHost: data\r\n\r\n")
    assert (await line.answer())[0] == 200
    line.writer.write(b"GET /data/v1/settings/changes HTTP/1.1\r\nHost: data\r\nAccept: text/event-stream\r\n\r\n")
    assert b"\r\nContent-Type: text/event-stream\r\n" in await asyncio.wait_for(line.reader.readuntil(b"\r\n\r\n"), 5)
    assert b'"key":"k"' in await asyncio.wait_for(line.reader.readuntil(b'"key":"k"'), 5)


async def test_a_feed_that_is_refused_ends_its_connection(api: DataApi, line: Wire) -> None:
    line.writer.write(b"GET /data/v1/other/changes HTTP/1.1\r\nHost: data\r\nAccept: text/event-stream\r\n\r\n")
    status, head, _ = await line.answer()
    assert (status, b"Connection: close" in head) == (404, True)
    assert await line.rest() == b""


async def test_a_feed_behind_another_request_is_refused(api: DataApi, line: Wire) -> None:
    one = b"GET /data/v1/settings/none HTTP/1.1\r\nHost: data\r\n\r\n"
    line.writer.write(
        one + b"GET /data/v1/settings/changes HTTP/1.1\r\nHost: data\r\nAccept: text/event-stream\r\n\r\n"
    )
    assert [(await line.answer())[0] for _ in range(2)] == [404, 400]


async def test_a_record_may_be_named_like_a_feed(api: DataApi, line: Wire) -> None:
    assert (await api.put("settings", "a/changes", b"v")).status == 201
    assert (await api.get("settings/a/changes", Accept="text/event-stream")).body == b"v"


async def test_a_client_that_leaves_ends_its_wait(api: DataApi, line: Wire) -> None:
    line.writer.write(b"GET /data/v1/settings/changes?wait=60s HTTP/1.1\r\nHost: data\r\n\r\n")
    await until(lambda: api.server.open_feeds == 1, within_s=5, what="it waits")
    line.writer.close()
    await until(lambda: api.server.open_feeds == 0, within_s=5, what="nobody waits any more")


def test_no_header_can_end_its_line() -> None:
    for value in ("a\r\nX: b", "a\nb", "a\rb", "a\0b"):
        with pytest.raises(ValueError, match="end its line"):
            encoded(Answer(200, {"Content-Type": value}), date="", is_head=False, is_last=False)


def test_what_is_encoded_is_what_a_parser_reads() -> None:
    for status in (200, 201, 204, 304, 404):
        found: list[bytes] = []

        class Reading:
            def on_message_complete(self, into: list[bytes] = found) -> None:
                into.append(b"complete")

        answer = Answer(status, {"ETag": '"x"'}, b"" if status in {204, 304} else b"abc")
        httptools.HttpResponseParser(Reading()).feed_data(encoded(answer, date="now", is_head=False, is_last=False))
        assert found == [b"complete"]
