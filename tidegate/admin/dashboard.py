"""The dashboard at `/`: pages that anybody who can connect may load, and that know nothing.

What they show they ask of /v1 in the person's browser, with the person's token, like any other client of the admin API.
Nothing is loaded from elsewhere and no script runs but these files (Content-Security-Policy), so that it works on an
island and what a client wrote into a path cannot act.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from aiohttp import web

from tidegate.admin.answers import Entry

PAGES = Path(__file__).parent / "pages"
TYPES: Mapping[str, str] = MappingProxyType(
    {".html": "text/html", ".css": "text/css", ".mjs": "text/javascript", ".svg": "image/svg+xml"}
)
HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",  # asked for again each time, by its ETag: an upgraded node shows its own pages
    }
)


class Page:
    """One file, read once: it belongs to the version that runs."""

    def __init__(self, file: Path) -> None:
        self._body = file.read_bytes()
        self._type = TYPES[file.suffix]
        self._tag = f'"{hashlib.sha256(self._body).hexdigest()[:16]}"'

    async def handle(self, request: web.Request) -> web.Response:
        headers = {**HEADERS, "ETag": self._tag}
        if self._tag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        return web.Response(body=self._body, content_type=self._type, charset="utf-8", headers=headers)


def entries() -> dict[tuple[str, str], Entry]:
    """By method and path."""
    return dict(_ENTRIES)


def _read() -> dict[tuple[str, str], Entry]:
    found = {
        ("GET", f"/dashboard/{file.relative_to(PAGES).as_posix()}"): Entry(Page(file).handle, None)
        for file in sorted(PAGES.rglob("*"))
        if file.suffix in TYPES
    }
    return {("GET", "/"): found.pop(("GET", "/dashboard/index.html")), **found}


_ENTRIES = _read()
