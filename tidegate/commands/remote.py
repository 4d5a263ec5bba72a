"""How commands talk to a running node: its admin API, over the standard library (an HTTP client takes 0.3 s to import).

NotReached   nobody answers there                               exit code 3
Declined     it answered no: the request itself was wrong       exit code 2
                             role, state or safety              exit code 4
                             it tried, or would, and cannot     exit code 1

All commands take their exit code from `code_of`: a script may rely on them being alike.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
from collections.abc import Mapping
from typing import Any, TextIO
from urllib.parse import SplitResult, urlsplit

from tidegate.commands import FAILED, MISUSED, REFUSED, UNREACHABLE

DEFAULT_ADMIN = "http://127.0.0.1:9900"
CA_VARIABLE = "TIDEGATE_CA"
"""A PEM file with the authorities that an admin API over TLS is believed by; the system's by default."""
TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 64 * 1024 * 1024


class NotReached(Exception):
    """The message says where, and what to do."""


class Declined(Exception):
    """The node's own sentence."""

    def __init__(self, status: int, detail: str, reason: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason


WRONG_REQUEST = frozenset({400, 404, 405, 413, 422})
"""Statuses that say that what was asked for is wrong, or is not there."""


def code_of(error: NotReached | Declined, err: TextIO) -> int:
    """The exit code for an answer that is no; the node's own sentence goes to `err`."""
    err.write(f"{error}\n")
    if isinstance(error, NotReached):
        return UNREACHABLE
    if error.status in WRONG_REQUEST:
        return MISUSED
    return FAILED if error.status >= 500 else REFUSED


def ask(
    admin: str,
    method: str,
    path: str,
    *,
    token: str | None,
    body: object = None,
    environ: Mapping[str, str] = os.environ,
) -> Any:
    """The JSON answer. Raises `NotReached` and `Declined`."""
    where = urlsplit(admin if "//" in admin else f"http://{admin}")
    if where.scheme not in {"http", "https"} or where.hostname is None:
        raise NotReached(f"{admin} is no address of an admin API, expected http://host:port or https://host:port")
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        connection = _connection(where, environ)
    except (OSError, ssl.SSLError) as error:
        raise NotReached(f"{CA_VARIABLE}: {environ.get(CA_VARIABLE)} holds no authorities ({error})") from error
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        status, content = answer.status, answer.read(MAX_ANSWER_BYTES)
        document = json.loads(content)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise NotReached(
            f"no node answers at {admin} ({reason}); is it running, and is that its admin.bind? "
            "Name it by --admin or TIDEGATE_ADMIN"
        ) from error
    finally:
        connection.close()
    if status >= 400:
        raise Declined(status, str(document.get("detail", document)), str(document.get("reason", "")))
    return document


def _connection(where: SplitResult, environ: Mapping[str, str]) -> http.client.HTTPConnection:
    host = where.hostname or ""
    if where.scheme == "http":
        return http.client.HTTPConnection(host, where.port or 80, timeout=TIMEOUT_S)
    context = ssl.create_default_context(cafile=environ.get(CA_VARIABLE))
    return http.client.HTTPSConnection(host, where.port or 443, timeout=TIMEOUT_S, context=context)
