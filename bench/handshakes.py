"""TLS connections with one request each: whole handshakes, or resumed ones.

    python -m bench.handshakes --port 8443 --seconds 5 [--resume]

wrk cannot be told whether to resume a session, and these cost several times less; here each connection proves which it
was. Python is slow at this, which does not matter: what is measured is the proxy's CPU a connection, not how many.
"""

from __future__ import annotations

import argparse
import json
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable

from bench.paced import END, OK, request_bytes

THREADS = 4


def client_context() -> ssl.SSLContext:
    """TLS 1.3, and no look at a certificate that was made a moment ago."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def one_request(
    context: ssl.SSLContext, port: int, request: bytes, session: ssl.SSLSession | None
) -> ssl.SSLSession | None:
    """Connect, ask, close; the session that may be resumed. Raises ConnectionError when it was not as asked."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost", session=session) as client,
    ):
        client.sendall(request)
        answer = b""
        while not answer.endswith(END):
            part = client.recv(65536)
            if not part:
                raise ConnectionError(f"closed after {answer[:60]!r}")
            answer += part
        if not answer.startswith(OK):
            raise ConnectionError(f"answered {answer[:60]!r}")
        if client.session_reused is not (session is not None):
            raise ConnectionError("a session was resumed" if session is None else "the session was not resumed")
        return client.session


def ask(port: int, until: float, report: Callable[[int], None], *, resume: bool) -> None:
    """One thread's share."""
    context, request, asked = client_context(), request_bytes(port, "/v1/profile/1"), 0
    session = one_request(context, port, request, None) if resume else None
    while time.monotonic() < until:
        latest = one_request(context, port, request, session)
        session = latest if resume else None
        asked += 1
    report(asked + int(resume))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--resume", action="store_true")
    given = parser.parse_args()
    until = time.monotonic() + given.seconds
    finished: list[int] = []
    threads = [
        threading.Thread(target=ask, args=(given.port, until, finished.append), kwargs={"resume": given.resume})
        for _ in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(finished) < THREADS:
        return 1  # the thread has said on its way out what was wrong
    print(json.dumps({"connections": sum(finished)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
