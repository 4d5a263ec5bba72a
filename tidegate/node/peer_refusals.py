"""How does the process that holds the data refuse what a peer asks?"""

from __future__ import annotations

import msgspec
from aiohttp import web


def refusal(status: int, reason: str, detail: str) -> web.Response:
    """A problem document; the peer's log shows its reason."""
    body = msgspec.json.encode({"type": f"tidegate:{reason}", "status": status, "reason": reason, "detail": detail})
    return web.Response(status=status, body=body, content_type="application/problem+json")
