"""A client's and the gateway's side of TLS, joined in memory: every byte goes where the test puts it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from gateway.tls.session import PIECE_BYTES, TlsSession
from tests.harness.certificates import Authority

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


class Wire(asyncio.Transport):
    """The socket's transport: remembers what it is told."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 5000)})
        self.written: list[bytes] = []
        self.told: list[str] = []
        self.kept = 0
        """Bytes that the socket did not take."""

    def write(self, data: Any) -> None:
        assert "end" not in self.told
        self.written.append(bytes(data))

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        self.written.extend(bytes(data) for data in list_of_data)

    def take(self) -> bytes:
        """What was written since the last call."""
        data = b"".join(self.written)
        self.written.clear()
        return data

    def get_write_buffer_size(self) -> int:
        return self.kept

    def is_closing(self) -> bool:
        return "close" in self.told or "abort" in self.told

    def close(self) -> None:
        self.told.append("close")

    def abort(self) -> None:
        self.told.append("abort")

    def write_eof(self) -> None:
        self.told.append("end")

    def pause_reading(self) -> None:
        self.told.append("pause")

    def resume_reading(self) -> None:
        self.told.append("resume")


class Speaker(asyncio.Protocol):
    """Who speaks HTTP above the session."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.told: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.told.append("made")

    def data_received(self, data: bytes) -> None:
        self.received.append(data)

    def eof_received(self) -> bool:
        self.told.append("eof")
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.told.append("lost")

    def pause_writing(self) -> None:
        self.told.append("full")

    def resume_writing(self) -> None:
        self.told.append("drained")


class Joined:
    """Both sides; what either has to say goes to the other by `to_server` and `to_client`."""

    def __init__(self, authority: Authority, *, newest: ssl.TLSVersion | None = None) -> None:
        self.wire, self.speaker = Wire(), Speaker()
        loop = asyncio.get_running_loop()
        self.session = TlsSession(loop, authority.server(authority.issue("localhost")), self.speaker)
        self.session.connection_made(self.wire)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = authority.client(newest=newest)
        self.client = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")

    def said(self) -> bytes:
        """The client's ciphertext so far."""
        return self._outgoing.read()

    def to_server(self, pieces: Iterable[bytes] | None = None) -> None:
        for piece in [self.said()] if pieces is None else pieces:
            self.session.data_received(piece)

    def to_client(self) -> None:
        self._incoming.write(self.wire.take())

    def shake_hands(self) -> Joined:
        for _ in range(3):
            with contextlib.suppress(ssl.SSLWantReadError):
                self.client.do_handshake()
            self.to_server()
            self.to_client()
        assert self.session.shaken.done()
        return self

    def read(self) -> bytes:
        """All that the client can read."""
        self.to_client()
        data = b""
        with contextlib.suppress(ssl.SSLWantReadError):
            while piece := self.client.read(65536):
                data += piece
        return data


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize("newest", VERSIONS)
async def test_handshake_and_records_may_come_a_byte_at_a_time(authority: Authority, newest: ssl.TLSVersion) -> None:
    joined = Joined(authority, newest=newest)
    for _ in range(3):
        with contextlib.suppress(ssl.SSLWantReadError):
            joined.client.do_handshake()
        joined.to_server(bytewise(joined.said()))
        joined.to_client()
    assert joined.speaker.told == ["made"]
    for text in (b"one", b"two", b"x" * 20_000):
        joined.client.write(text)
    joined.to_server(bytewise(joined.said()))
    assert b"".join(joined.speaker.received) == b"onetwo" + b"x" * 20_000
    joined.session.write(b"answer")
    assert joined.read() == b"answer"


async def test_a_record_cut_anywhere_is_passed_on_once_it_is_whole(authority: Authority) -> None:
    joined = Joined(authority).shake_hands()
    joined.client.write(b"text")
    record = joined.said()
    joined.to_server([record])
    for cut in range(1, len(record)):
        joined.client.write(b"text")
        record = joined.said()
        joined.speaker.received.clear()
        joined.to_server([record[:cut]])
        assert joined.speaker.received == []
        joined.to_server([record[cut:]])
        assert joined.speaker.received == [b"text"]


async def test_records_that_come_together_are_passed_on_together(authority: Authority) -> None:
    joined = Joined(authority).shake_hands()
    for text in (b"one", b"two", b"three"):
        joined.client.write(text)
    whole = joined.said()
    joined.to_server([whole[:-1], whole[-1:]])
    assert joined.speaker.received == [b"onetwo", b"three"]


async def test_a_request_in_the_segment_that_ends_the_handshake_is_passed_on(authority: Authority) -> None:
    joined = Joined(authority)
    with contextlib.suppress(ssl.SSLWantReadError):
        joined.client.do_handshake()
    joined.to_server()
    joined.to_client()
    joined.client.do_handshake()
    joined.client.write(b"early")
    joined.to_server()
    assert (joined.speaker.told, joined.speaker.received) == (["made"], [b"early"])


async def test_large_writes_are_encrypted_in_pieces(authority: Authority) -> None:
    joined = Joined(authority).shake_hands()
    text = bytes(range(256)) * 4096
    joined.session.write(text)
    assert len(joined.wire.written) == len(text) // PIECE_BYTES
    assert max(len(piece) for piece in joined.wire.written) < PIECE_BYTES + 4 * 64
    assert joined.read() == text


async def test_a_small_write_is_one_write_of_the_socket(authority: Authority) -> None:
    joined = Joined(authority).shake_hands()
    joined.session.write(b"x" * 30_000)
    assert len(joined.wire.written) == 1


async def test_while_reading_is_paused_nothing_is_decrypted_or_passed_on(authority: Authority) -> None:
    joined = Joined(authority).shake_hands()
    joined.session.pause_reading()
    joined.client.write(b"later")
    joined.to_server()
    assert (joined.speaker.received, joined.wire.told) == ([], ["pause"])
    joined.session.resume_reading()
    assert joined.speaker.received == []  # whoever resumes is not called from within
    await asyncio.sleep(0)
    assert (joined.speaker.received, joined.wire.told) == ([b"later"], ["pause", "resume"])


async def test_a_full_socket_is_told_to_who_writes(authority: Authority) -> None:
    joined = Joined(authority)
    joined.session.pause_writing()
    joined.session.resume_writing()
    assert joined.speaker.told == []  # it does not know of the connection yet
    joined.shake_hands()
    joined.session.pause_writing()
    joined.session.resume_writing()
    assert joined.speaker.told == ["made", "full", "drained"]


# -- ends


@pytest.mark.parametrize("newest", VERSIONS)
async def test_the_peers_close_notify_is_an_end_and_is_answered(authority: Authority, newest: ssl.TLSVersion) -> None:
    joined = Joined(authority, newest=newest).shake_hands()
    joined.client.write(b"last words")
    with contextlib.suppress(ssl.SSLWantReadError):
        joined.client.unwrap()
    joined.to_server()
    assert (joined.speaker.received, joined.speaker.told) == ([b"last words"], ["made", "eof"])
    assert joined.wire.told == ["close"]
    joined.to_client()
    joined.client.unwrap()  # raises unless ours is here
    joined.session.connection_lost(None)
    assert joined.speaker.told == ["made", "eof", "lost"]


async def test_an_end_without_close_notify_is_no_end_of_a_message(authority: Authority) -> None:
    joined = Joined(authority).shake_hands()
    joined.client.write(b"half a rec")
    joined.to_server([joined.said()[:-3]])
    assert joined.session.eof_received() is False
    joined.session.connection_lost(None)
    assert (joined.speaker.received, joined.speaker.told) == ([], ["made", "lost"])


@pytest.mark.parametrize("newest", VERSIONS)
async def test_what_is_no_tls_after_the_handshake_is_told_by_an_alert(
    authority: Authority, newest: ssl.TLSVersion
) -> None:
    joined = Joined(authority, newest=newest).shake_hands()
    joined.client.write(b"text")
    record = bytearray(joined.said())
    record[-1] ^= 1
    joined.to_server([bytes(record)])
    assert (joined.speaker.received, joined.wire.told) == ([], ["close"])
    joined.to_client()
    with pytest.raises(ssl.SSLError, match="BAD_RECORD_MAC"):
        joined.client.read(1)
    joined.to_server([b"more of it"])
    joined.session.write(b"an answer that comes too late")
    assert (joined.speaker.received, joined.wire.take()) == ([], b"")


async def test_closing_says_so_ends_our_side_and_drops_what_still_comes(authority: Authority) -> None:
    joined = Joined(authority).shake_hands()
    joined.session.pause_reading()
    joined.session.write(b"the answer")
    joined.session.close()
    assert joined.wire.told == ["pause", "resume", "end"]
    assert joined.session.is_closing()
    assert joined.read() == b"the answer"
    joined.client.write(b"x" * 100_000)
    joined.to_server()
    joined.session.write(b"nothing more")
    joined.session.close()
    assert (joined.speaker.received, joined.wire.take()) == ([], b"")
    joined.session.connection_lost(None)
    assert joined.speaker.told == ["made", "lost"]


async def test_an_abort_says_nothing(authority: Authority) -> None:
    joined = Joined(authority).shake_hands()
    joined.session.abort()
    joined.session.close()
    assert (joined.wire.told, joined.wire.take()) == (["abort"], b"")


# -- handshakes that fail


async def test_a_handshake_that_fails_is_refused_with_its_alert(authority: Authority, tmp_path: Path) -> None:
    joined = Joined(authority)
    joined.to_server([b"\x16\x03\x01\x00\x05\xff\xff\xff\xff\xff"])
    with pytest.raises(ssl.SSLError):
        joined.session.shaken.result()
    assert joined.wire.told == []
    joined.session.refuse()
    assert (joined.wire.take()[0], joined.wire.told) == (21, ["close"])  # a record of alerts
    joined.session.connection_lost(None)
    assert joined.speaker.told == []


async def test_a_handshake_may_be_refused_in_other_words(authority: Authority) -> None:
    joined = Joined(authority)
    joined.to_server([b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"])
    error = joined.session.shaken.exception()
    assert isinstance(error, ssl.SSLError)
    assert error.reason == "HTTP_REQUEST"
    joined.session.refuse(b"in plain words")
    assert joined.wire.take() == b"in plain words"


async def test_a_client_that_leaves_during_the_handshake_is_told_apart_from_a_failure(authority: Authority) -> None:
    joined = Joined(authority)
    with contextlib.suppress(ssl.SSLWantReadError):
        joined.client.do_handshake()
    joined.to_server()
    joined.session.connection_lost(None)
    with pytest.raises(ConnectionResetError):
        joined.session.shaken.result()
    assert joined.speaker.told == []
