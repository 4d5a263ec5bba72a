"""How commands talk to a running node."""

from __future__ import annotations

import http.server
import io
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.harness.node import ports
from tidegate.commands import FAILED, MISUSED, REFUSED, UNREACHABLE
from tidegate.commands import drill as drilling
from tidegate.commands.debug import by_id, make_header
from tidegate.commands.decisions import decisions
from tidegate.commands.drain import drain, undrain
from tidegate.commands.explain import online
from tidegate.commands.failover import failover
from tidegate.commands.nodes import nodes
from tidegate.commands.remote import Declined, NotReached, ask
from tidegate.commands.status import status
from tidegate.commands.top import top


class Node(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked; no to /no, nonsense to /nonsense, to everything what `declines` says."""

    declines: int | None = None

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        told = {"method": self.command, "body": body, "token": self.headers.get("Authorization"), "detail": "no"}
        content = b"<html>" if self.path == "/nonsense" else json.dumps(told).encode()
        self.send_response(self.declines or (403 if self.path == "/no" else 200))
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


DRILL = drilling.Settings("eu", "1s", within_s=1.0, hold_s=0.0, max_failed=0.0, reason="")
PLAN: dict[str, object] = {"action": "plan", "to": None}
COMMANDS: dict[str, Callable[..., int]] = {
    "status": status,
    "nodes": nodes,
    "top": partial(top, once=True),
    "decisions": partial(decisions, limit=1),
    "failover --plan": partial(failover, body=PLAN),
    "failover": partial(failover, body={"action": "act", "to": "us"}),
    "drain": partial(drain, path="/v1/regions/eu/drain", body={}, wait=False),
    "undrain": partial(undrain, path="/v1/regions/eu/drain", query={}, wait=False),
    "drill": lambda admin, **words: drilling.drill(DRILL, admin, **words),
    "explain": partial(online, method="GET", url="/", headers=[], client_ip="127.0.0.1"),
    "debug header": partial(make_header, valid_s=1.0),
    "debug show": partial(by_id, explanation_id="x", within_s=0.0),
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    ("status", "code"),
    [
        *((400, MISUSED), (404, MISUSED), (405, MISUSED), (413, MISUSED)),
        *((401, REFUSED), (403, REFUSED), (409, REFUSED), (429, REFUSED)),
        *((500, FAILED), (503, FAILED)),
    ],
)
def test_every_command_has_the_same_exit_code_for_the_same_no(
    admin: str, monkeypatch: pytest.MonkeyPatch, name: str, status: int, code: int
) -> None:
    monkeypatch.setattr(Node, "declines", status)
    err = io.StringIO()
    assert COMMANDS[name](admin, token=None, as_json=False, out=io.StringIO(), err=err) == code
    assert err.getvalue() == "no\n", "the node's own sentence, and nothing else"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_3_where_nobody_answers(name: str) -> None:
    err = io.StringIO()
    nobody = f"http://127.0.0.1:{ports(1)[0]}"
    assert COMMANDS[name](nobody, token=None, as_json=False, out=io.StringIO(), err=err) == UNREACHABLE
    assert "no node answers" in err.getvalue()
