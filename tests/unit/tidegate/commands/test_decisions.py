"""Decisions, as a person reads them. Against a real node: tests/integration/tidegate/commands/test_drain.py."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tidegate.commands.decisions import decisions

ONE = (
    b'{"decisions":[{"id":"gw1-1","at":"2026-01-01T00:00:00.000Z","node":"gw1","what":"drain","target":"region/eu",'
    b'"author":"ann","why":"[bold]patching","outcome":"refused","detail":"the last one","epoch":null}]}'
)


class Answering(BaseHTTPRequestHandler):
    """One decision, whatever is asked."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(ONE)))
        self.end_headers()
        self.wfile.write(ONE)

    def log_message(self, *args: object) -> None:
        return


@pytest.fixture
def admin() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_decision_is_one_row_with_its_words_as_they_were_said(admin: str) -> None:
    out, err = io.StringIO(), io.StringIO()
    assert decisions(admin, limit=5, token=None, as_json=False, out=out, err=err) == 0
    text = " ".join(out.getvalue().split())
    for word in ("region/eu", "ann on gw1", "[bold]patching", "refused: the last one"):
        assert word in text, text


def test_a_node_that_is_not_there_is_exit_code_3() -> None:
    err = io.StringIO()
    assert decisions("http://127.0.0.1:1", limit=5, token=None, as_json=False, out=io.StringIO(), err=err) == 3
    assert "no node answers" in err.getvalue()
