"""How the admin API answers: JSON, or a problem document (RFC 9457, API.md); and what an entry of its table is."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from gateway.core.problems import problem_document
from tidegate.admin import access

AUTHOR = web.RequestKey("author", str)
"""Name of the token by which a request may ask."""
ID = web.RequestKey("id", str)
"""What stands for `{id}` in its path."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that can be asked; `role` None is open to everyone who can connect."""

    handle: Handler
    role: access.Role | None


def problem(status_code: int, reason: str, detail: str, *, headers: Mapping[str, str] | None = None) -> web.Response:
    """The one way in which this API says no."""
    instance = secrets.token_hex(12)
    body = problem_document(status=status_code, reason=reason, detail=detail, instance=instance)
    return web.Response(
        status=status_code,
        body=body,
        content_type="application/problem+json",
        headers={"X-Request-Id": instance, "Cache-Control": "no-store", **(headers or {})},
    )


def as_json(value: Any, *, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        body=msgspec.json.encode(value),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
