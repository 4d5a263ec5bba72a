"""A write to the data API carries an operation id before it is first tried; what already has one keeps it."""

from __future__ import annotations

import pytest

from gateway.core.data_service import actor_line, operation_line, unavailable, with_line
from gateway.core.head import parse_request_head
from gateway.errors import ConnectFailed


def line_for(method: str, fields: bytes = b"") -> bytes:
    head = parse_request_head(b"%b /data/v1/notes/k HTTP/1.1\r\nHost: h\r\n%b\r\n" % (method.encode(), fields))
    return operation_line(head, b"1a-2b")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST"])
def test_a_write_without_a_name_gets_one(method: str) -> None:
    assert line_for(method) == b"Tidegate-Op-Id: ~1a-2b:1\r\n"


@pytest.mark.parametrize("field", [b"Tidegate-Op-Id: desk:1\r\n", b"idempotency-key: x\r\n", b"IDEMPOTENCY-KEY: y\r\n"])
def test_a_write_that_names_itself_keeps_its_name(field: bytes) -> None:
    assert line_for("PUT", b"Accept: */*\r\n" + field) == b""


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_read_needs_none(method: str) -> None:
    assert line_for(method) == b""


def test_the_line_stands_right_behind_the_request_line_and_changes_nothing_else() -> None:
    rendered = b"PUT / HTTP/1.1\r\nHost: h\r\n\r\n"
    assert with_line(rendered, b"A: b\r\n") == b"PUT / HTTP/1.1\r\nA: b\r\nHost: h\r\n\r\n"
    assert with_line(rendered, b"") == rendered


def test_while_the_process_is_away_the_answer_is_to_come_again() -> None:
    answer = unavailable(ConnectFailed("connection refused", refused=True))
    assert (answer.status, answer.reason, answer.retry_after_s) == (503, "data_unavailable", 1)


def test_who_asks_is_named_in_a_field_that_no_name_can_break() -> None:
    assert actor_line("desktop") == b"Tidegate-Actor: client:desktop\r\n"
    assert actor_line("Zo\N{LATIN SMALL LETTER E WITH DIAERESIS}\r\nX: y%") == (
        b"Tidegate-Actor: client:Zo%C3%AB%0D%0AX: y%25\r\n"
    )
    assert actor_line("") == b""
