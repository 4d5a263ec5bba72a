"""What is added on the way through."""

from __future__ import annotations

from gateway.core.forwarding import Forwarding, response
from gateway.core.head import RequestHead, parse_request_head
from gateway.core.response import ResponseHead, parse_response_head


def request(*lines: str) -> RequestHead:
    return parse_request_head("\r\n".join((*lines, "", "")).encode())


def answer(*lines: str, method: str = "GET") -> ResponseHead:
    return parse_response_head("\r\n".join((*lines, "", "")).encode(), method=method)


def test_a_request_gets_via_forwarded_and_its_id() -> None:
    forwarding = Forwarding(node_id="gw-1", client_ip="192.0.2.7", port=8080)
    head = request("GET /a?b HTTP/1.1", "Host: A.example:81", "Accept: */*", "X-Forwarded-For: 6.6.6.6")
    assert forwarding.request(head, b"id-1", b"10.0.0.1:80").decode().split("\r\n") == [
        "GET /a?b HTTP/1.1",
        "Host: A.example:81",
        "Accept: */*",
        "X-Forwarded-For: 192.0.2.7",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Port: 8080",
        "X-Forwarded-Host: a.example",
        "Forwarded: for=192.0.2.7;proto=http;host=a.example",
        "Via: 1.1 gw-1",
        "X-Request-Id: id-1",
        "",
        "",
    ]


def test_another_host_on_the_same_connection_is_not_taken_for_the_first() -> None:
    forwarding = Forwarding(node_id="gw-1", client_ip="192.0.2.7", port=80)
    forwarding.request(request("GET / HTTP/1.1", "Host: a"), b"1", b"e")
    assert b"host=b\r\n" in forwarding.request(request("GET / HTTP/1.1", "Host: b"), b"2", b"e")


def test_ipv6_addresses_are_quoted_in_forwarded() -> None:
    forwarding = Forwarding(node_id="gw-1", client_ip="2001:db8::1", port=80)
    sent = forwarding.request(request("GET / HTTP/1.1", "Host: [::1]:80"), b"1", b"e")
    assert b'Forwarded: for="[2001:db8::1]";proto=http;host="[::1]"\r\n' in sent
    assert b"X-Forwarded-For: 2001:db8::1\r\n" in sent


def test_a_request_without_host_gets_the_endpoints() -> None:
    forwarding = Forwarding(node_id="gw-1", client_ip="192.0.2.7", port=80)
    sent = forwarding.request(request("GET / HTTP/1.0"), b"1", b"10.0.0.1:80")
    assert sent.startswith(b"GET / HTTP/1.1\r\n")
    assert b"\r\nHost: 10.0.0.1:80\r\n" in sent
    assert b"X-Forwarded-Host" not in sent


def test_a_chunked_body_is_framed_by_us() -> None:
    forwarding = Forwarding(node_id="gw-1", client_ip="192.0.2.7", port=80)
    head = request("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked")
    assert forwarding.request(head, b"1", b"e").endswith(b"Transfer-Encoding: chunked\r\n\r\n")


def rendered(
    head: ResponseHead, *, client_version: int = 11, bodiless: bool = False, close: bool = False
) -> tuple[list[str], bool, bool]:
    data, chunked, closes = response(
        head,
        via_line=b"Via: 1.1 gw-1\r\n",
        request_id=b"id",
        client_version=client_version,
        bodiless=bodiless,
        close=close,
    )
    return data.decode().split("\r\n"), chunked, closes


def test_an_answer_gets_via_its_id_and_its_length() -> None:
    lines, chunked, closes = rendered(answer("HTTP/1.1 200 Sure", "A: 1", "Content-Length: 3"))
    assert lines == ["HTTP/1.1 200 OK", "A: 1", "Content-Length: 3", "Via: 1.1 gw-1", "X-Request-Id: id", "", ""]
    assert (chunked, closes) == (False, False)


def test_a_body_of_unknown_length_is_chunked_for_1_1_and_ends_with_the_connection_for_1_0() -> None:
    head = answer("HTTP/1.1 200 OK")
    lines, chunked, closes = rendered(head)
    assert ("Transfer-Encoding: chunked" in lines, chunked, closes) == (True, True, False)
    lines, chunked, closes = rendered(head, client_version=10)
    assert ("Connection: close" in lines, chunked, closes) == (True, False, True)


def test_an_answer_without_body_gets_no_framing() -> None:
    lines, _, _ = rendered(answer("HTTP/1.1 204 No Content"), bodiless=True)
    assert not any(line.startswith(("Content-Length", "Transfer-Encoding")) for line in lines)


def test_keep_alive_is_said_to_1_0_clients() -> None:
    lines, _, closes = rendered(answer("HTTP/1.1 200 OK", "Content-Length: 0"), client_version=10)
    assert "Connection: keep-alive" in lines
    assert not closes
