"""One request over a fresh connection: is it ready, what do its counters say."""

from __future__ import annotations

import http.client
import ssl


def fetch(
    port: int, path: str, *, tls: bool = False, host: str = "127.0.0.1", within_s: float = 2.0
) -> tuple[int, str]:
    """Status and body. Raises OSError or HTTPException."""
    if tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the certificate was made a moment ago, for nobody
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, port, timeout=within_s, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=within_s)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


def fetch_as(port: int, path: str, cookie: str) -> tuple[str, str]:
    """The body, and what the client's cookie is then: the one that came, else the one it had. Raises OSError."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2.0)
    try:
        connection.request("GET", path, headers={"Connection": "close", **({"Cookie": cookie} if cookie else {})})
        answer = connection.getresponse()
        came = answer.getheader("Set-Cookie")
        return answer.read().decode(errors="replace"), came.partition(";")[0] if came else cookie
    finally:
        connection.close()


def answers(port: int, path: str, *, tls: bool = False) -> bool:
    """Whether it answers 200 by now."""
    try:
        return fetch(port, path, tls=tls)[0] == 200
    except (OSError, http.client.HTTPException):
        return False
