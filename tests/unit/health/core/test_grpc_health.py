"""What the health service answers, by bytes, with a real HTTP/2 machine on the other side."""

from __future__ import annotations

import h2.config
import h2.connection
import h2.events
import pytest
from hypothesis import given
from hypothesis import strategies as st

from health.core.grpc_health import GrpcHealth, request_message, serving_status
from health.core.probe import Outcome


def message(payload: bytes) -> bytes:
    return b"\x00" + len(payload).to_bytes(4, "big") + payload


def call(*, service: str = "") -> GrpcHealth:
    return GrpcHealth(service=service, authority="a:80", agent="probe", scheme="http", timeout_s=0.5)


class Peer:
    """The server's side of one call."""

    def __init__(self, health: GrpcHealth) -> None:
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.connection.initiate_connection()
        self.events = self.connection.receive_data(health.begin())

    def answer(self, payload: bytes, *, grpc_status: str = "0", status: str = "200") -> bytes:
        self.connection.send_headers(1, [(":status", status), ("content-type", "application/grpc")])
        self.connection.send_data(1, payload)
        self.connection.send_headers(1, [("grpc-status", grpc_status)], end_stream=True)
        return self.connection.data_to_send()


def outcome_of(payload: bytes, *, grpc_status: str = "0", status: str = "200") -> Outcome | None:
    health = call()
    return health.feed(Peer(health).answer(payload, grpc_status=grpc_status, status=status))


def test_the_call_is_what_a_grpc_server_expects() -> None:
    peer = Peer(call(service="shop.Cart"))
    (request,) = [event for event in peer.events if isinstance(event, h2.events.RequestReceived)]
    fields = dict(request.headers or ())
    assert fields[b":method"] == b"POST"
    assert fields[b":path"] == b"/grpc.health.v1.Health/Check"
    assert (fields[b"content-type"], fields[b"te"]) == (b"application/grpc", b"trailers")
    assert (fields[b":authority"], fields[b"grpc-timeout"]) == (b"a:80", b"500m")
    (data,) = [event for event in peer.events if isinstance(event, h2.events.DataReceived)]
    assert data.data == b"\x00\x00\x00\x00\x0b\x0a\x09shop.Cart"


@pytest.mark.parametrize(
    ("payload", "passed", "reason"),
    [
        (message(b"\x08\x01"), True, "grpc serving"),
        (message(b"\x08\x02"), False, "grpc not serving"),
        (message(b"\x08\x03"), False, "grpc service unknown"),
        (message(b""), False, "grpc unknown"),
        (message(b"\x08\x09"), False, "grpc serving status 9"),
        (message(b"nonsense"), False, "malformed answer"),
        (b"\x00\x00\x00\x00\x09\x08\x01", False, "malformed answer"),
        (b"\x01\x00\x00\x00\x02\x08\x01", False, "malformed answer"),
        (b"", False, "malformed answer"),
    ],
)
def test_the_status_decides(payload: bytes, passed: bool, reason: str) -> None:
    assert outcome_of(payload) == Outcome(passed=passed, reason=reason)


def test_a_call_that_failed_says_by_which_code() -> None:
    outcome = outcome_of(b"", grpc_status="12")
    assert outcome == Outcome(passed=False, reason="grpc status 12 (unimplemented)")
    assert outcome_of(b"", grpc_status="77") == Outcome(passed=False, reason="grpc status 77")
    assert outcome_of(b"", grpc_status="many") == Outcome(passed=False, reason="malformed answer")


def test_a_server_that_is_no_grpc_server_is_known_by_its_status() -> None:
    assert outcome_of(b"not here", status="404") == Outcome(passed=False, reason="http 404")


def test_trailers_may_be_the_whole_answer() -> None:
    health = call()
    peer = Peer(health)
    peer.connection.send_headers(1, [(":status", "200"), ("grpc-status", "5")], end_stream=True)
    assert health.feed(peer.connection.data_to_send()) == Outcome(passed=False, reason="grpc status 5 (not found)")


def test_an_answer_may_come_byte_by_byte_and_settings_are_acknowledged() -> None:
    health = call()
    wire = Peer(health).answer(message(b"\x08\x01"))
    outcomes = [health.feed(wire[index : index + 1]) for index in range(len(wire))]
    assert outcomes[-1] == Outcome(passed=True, reason="grpc serving")
    assert set(outcomes[:-1]) == {None}
    assert health.to_send()


def test_a_flood_of_frames_ends_at_64_kib() -> None:
    health = call()
    peer = Peer(health)
    fed = health.feed(peer.connection.data_to_send())
    while fed is None:
        peer.connection.ping(b"12345678")
        fed = health.feed(peer.connection.data_to_send())
    assert fed == Outcome(passed=False, reason="answer longer than 64KiB")


def test_a_stream_or_connection_that_the_server_ends_is_a_failure() -> None:
    health = call()
    peer = Peer(health)
    peer.connection.reset_stream(1, error_code=7)
    assert health.feed(peer.connection.data_to_send()) == Outcome(passed=False, reason="stream reset by code 7")
    health = call()
    peer = Peer(health)
    peer.connection.close_connection(error_code=2)
    assert health.feed(peer.connection.data_to_send()) == Outcome(passed=False, reason="connection ended by code 2")


def test_an_end_before_the_end_is_told_from_no_answer_at_all() -> None:
    health = call()
    assert health.ended().reason == "closed without an answer"
    health.feed(b"\x00")
    assert health.ended().reason == "answer cut short"


def test_http_1_is_a_malformed_answer() -> None:
    health = call()
    health.begin()
    answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" * 3
    assert health.feed(answer) == Outcome(passed=False, reason="malformed answer")


@given(st.binary(max_size=300))
def test_any_bytes_give_an_outcome_or_nothing(data: bytes) -> None:
    health = call()
    health.begin()
    outcome = health.feed(data)
    assert outcome is None or outcome.passed is False
    serving_status(data)


@given(st.text(max_size=300))
def test_the_service_is_a_field_of_text_with_its_length(service: str) -> None:
    wire = request_message(service)
    assert wire[5:].endswith(service.encode())
    assert int.from_bytes(wire[1:5], "big") == len(wire) - 5
