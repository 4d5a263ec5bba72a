"""`tidegate debug-header` and `tidegate explain --id`, against a small real server."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.harness.node import ports
from tidegate.commands.debug import by_id, make_header

EXPLANATION: dict[str, Any] = {
    "id": "abc-1",
    "route": "all",
    "skipped": [],
    "candidates": [],
    "policies": [],
    "client": {"ip": "192.0.2.1", "country": None},
    "decision": {"region": "eu", "endpoint": "api/eu/a:80", "status": None, "reason": "failover_order"},
    "outcome": {
        "status": 200,
        "reason": "",
        "endpoint": "api/eu/b:80",
        "attempts": 2,
        "failures": [{"endpoint": "api/eu/a:80", "failure": "connection refused"}],
    },
}


class Answers(BaseHTTPRequestHandler):
    """The explanation is there at the second time of asking."""

    asked: list[tuple[str, str, bytes]] = []  # noqa: RUF012 - the server makes an instance a request

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append(("POST", self.path, body))
        self._answer(200, {"name": "Tidegate-Debug", "value": "sealed", "until": 1.0})

    def do_GET(self) -> None:
        self.asked.append(("GET", self.path, b""))
        is_there = len(self.asked) > 1 and self.path.endswith("abc-1")
        self._answer(200 if is_there else 404, EXPLANATION if is_there else {"detail": "found no such explanation"})

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def admin() -> Iterator[str]:
    Answers.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_field_is_printed_as_curl_takes_it(admin: str) -> None:
    out = io.StringIO()
    assert make_header(admin, valid_s=60, as_json=False, token="t", out=out, err=io.StringIO()) == 0
    assert out.getvalue() == "Tidegate-Debug: sealed\n"
    assert Answers.asked == [("POST", "/v1/explanations", b'{"valid_s": 60}')]


def test_an_explanation_that_is_not_there_yet_is_waited_for(admin: str) -> None:
    out, slept = io.StringIO(), list[float]()
    assert by_id(admin, "abc-1", as_json=False, token=None, out=out, err=io.StringIO(), sleep=slept.append) == 0
    assert slept == [0.5]
    assert "answered with 200 by api/eu/b:80, attempts: 2\n  api/eu/a:80: connection refused\n" in out.getvalue()


def test_one_that_never_comes_and_a_node_that_is_not_there(admin: str) -> None:
    err, slept = io.StringIO(), list[float]()
    assert by_id(admin, "none", as_json=True, token=None, out=err, err=err, sleep=slept.append, within_s=1.0) == 2
    assert err.getvalue() == "found no such explanation\n"
    assert slept == [0.5, 0.5]
    nobody = f"http://127.0.0.1:{ports(1)[0]}"
    assert by_id(nobody, "abc-1", as_json=True, token=None, out=err, err=err, sleep=slept.append) == 3
    assert make_header(nobody, valid_s=1, as_json=True, token=None, out=err, err=err) == 3
