"""How commands talk to a running node."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator

import pytest

from tests.harness.node import ports
from tidegate.commands.remote import Declined, NotReached, ask


class Node(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked; no to /no, nonsense to /nonsense."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        told = {"method": self.command, "body": body, "token": self.headers.get("Authorization"), "detail": "no"}
        content = b"<html>" if self.path == "/nonsense" else json.dumps(told).encode()
        self.send_response(403 if self.path == "/no" else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def admin() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), Node) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_question_carries_body_and_token(admin: str) -> None:
    told = ask(admin, "POST", "/x", token="t", body={"a": 1})
    assert told == {"method": "POST", "body": '{"a": 1}', "token": "Bearer t", "detail": "no"}


def test_a_scheme_may_be_left_out(admin: str) -> None:
    assert ask(admin.removeprefix("http://"), "GET", "/x", token=None)["token"] is None


def test_a_no_is_the_nodes_own_sentence(admin: str) -> None:
    with pytest.raises(Declined, match=r"^no$") as declined:
        ask(admin, "GET", "/no", token=None)
    assert declined.value.status == 403


def test_an_answer_that_is_not_ours_is_not_a_node(admin: str) -> None:
    with pytest.raises(NotReached, match="no node answers"):
        ask(admin, "GET", "/nonsense", token=None)


@pytest.mark.parametrize("where", ["http://127.0.0.1:{free}", "ftp://a", "http://"])
def test_nobody_there_is_said_with_what_to_do(where: str) -> None:
    with pytest.raises(NotReached, match="admin"):
        ask(where.format(free=ports(1)[0]), "GET", "/x", token=None)
