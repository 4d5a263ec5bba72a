"""The same requests and answers where aiohttp speaks HTTP: on the operators' socket and the peers'."""

from __future__ import annotations

from aiohttp import web

from sync.api.messages import Answer, Request


async def read_body(request: web.BaseRequest, *, at_most: int) -> bytes | None:
    """The whole body; None as soon as it is too large."""
    if (request.content_length or 0) > at_most:
        return None
    parts, size = [], 0
    async for part in request.content.iter_any():
        size += len(part)
        if size > at_most:
            return None
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def request_of(request: web.BaseRequest, *, at_most: int) -> Request | None:
    """None where its body is larger."""
    body = await read_body(request, at_most=at_most)
    # aiohttp finds a name however it is written.
    return None if body is None else Request(request.method, request.raw_path, request.headers, body)


def response_of(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, headers=answer.headers, body=answer.body)
