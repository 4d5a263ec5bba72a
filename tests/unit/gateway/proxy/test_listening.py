"""What a listener allows."""

from __future__ import annotations

from typing import Any

import pytest

from config.models import Listener
from gateway.errors import RequestRefused
from gateway.proxy.listening import ListenerSettings


def settings(*, workers: int = 1, **limits: Any) -> ListenerSettings:
    listener = Listener.model_validate({"name": "public", "bind": "127.0.0.1:8080", "limits": limits})
    return ListenerSettings(listener, node_id="GW-1", workers=workers)


def refused(raw: bytes, **limits: Any) -> int:
    with pytest.raises(RequestRefused) as caught:
        settings(**limits).check(raw)
    return caught.value.status


def test_a_head_within_the_limits_is_read() -> None:
    assert settings().check(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n").path == b"/a"


def test_each_limit_has_its_own_refusal() -> None:
    assert refused(b"GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 2\r\n\r\n", max_headers=2) == 431
    assert refused(b"GET / HTTP/1.1\r\nHost: h\r\nA: " + b"1" * 2000 + b"\r\n\r\n", max_header_bytes="1KiB") == 431
    assert refused(b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", max_request_line="1KiB") == 414
    assert refused(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000\r\n\r\n", max_body="1KiB") == 413
    assert refused(b"GET / HTTP/1.1\r\nHost: h\r\nVia: 1.1 other, 1.1 gw-1\r\n\r\n") == 508


def test_another_nodes_name_that_begins_like_ours_is_no_loop() -> None:
    assert settings().check(b"GET / HTTP/1.1\r\nHost: h\r\nVia: 1.1 gw-10\r\n\r\n").via == b"1.1 gw-10"


def test_a_head_that_has_not_ended_is_refused_once_no_ending_could_help() -> None:
    within = settings(max_request_line="1KiB", max_header_bytes="1KiB")
    within.check_partial(b"GET /" + b"a" * 500)
    for partial, status in ((b"GET /" + b"a" * 2000, 414), (b"GET / HTTP/1.1\r\n" + b"A: 1\r\n" * 500, 431)):
        with pytest.raises(RequestRefused) as caught:
            within.check_partial(partial)
        assert caught.value.status == status


def test_workers_share_the_nodes_connections_and_none_gets_less_than_one() -> None:
    assert settings(workers=4, max_connections=10).max_connections == 2
    assert settings(workers=40, max_connections=10).max_connections == 1


def test_reloaded_settings_keep_count_of_what_is_open() -> None:
    kept = settings()
    kept.connections = 7
    kept.adopt(settings(max_headers=5))
    assert (kept.max_headers, kept.connections) == (5, 7)
