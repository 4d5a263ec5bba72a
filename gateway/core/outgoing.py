"""What of a request is changed before it is forwarded? Its path, Host and fields, once, for all its attempts.

What was logged, matched and asked at the door is the client's head; the endpoint gets a copy of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from config.models import Route
from gateway.core.admission import replace_fields
from gateway.core.head import RequestHead
from gateway.core.header_rules import HeaderRules, header_rules, with_lines
from gateway.core.rewriting import PathRules, host_line, path_rules

IDENTITY: Final = (b"Accept-Encoding: identity\r\n",)
UNREADABLE: Final = (b"accept-encoding", b"range", b"if-range")
"""What would bring an answer that nobody can replace anything in: encoded, or cut out of a whole."""


@dataclass(frozen=True, slots=True)
class RequestRules:
    """One route's."""

    path: PathRules | None
    host_line: bytes | None
    fields: HeaderRules | None
    answers_100: bool
    """Whether we say `100 Continue` ourselves: the body is wanted before an endpoint is chosen."""

    def apply(self, head: RequestHead) -> RequestHead:
        """The head to forward. Raises `RequestRefused`."""
        changed = copied(head)
        if self.path is not None:
            changed.path, changed.query = self.path.apply(head.path, head.query)
        if self.host_line is not None:
            changed.forwarded_fields = replace_fields(head.forwarded_fields, (b"host",), self.host_line)
            if not head.host:
                changed.host = self.host_line[6:-2].decode("ascii")  # else a second Host would stand in for it
        if self.fields is not None:
            changed.forwarded_fields = self.fields.apply(changed.forwarded_fields)
        if self.answers_100:
            changed.expects_continue = False
        return changed


def request_rules(route: Route) -> RequestRules | None:
    """None where the route asks for nothing."""
    fields = header_rules(route.request_headers)
    if route.response_body is not None:
        fields = with_lines(fields, IDENTITY, dropped=UNREADABLE)
    path, host = path_rules(route.rewrite), host_line(route.rewrite)
    if path is None and host is None and fields is None and not route.buffer_request:
        return None
    return RequestRules(path, host, fields, answers_100=route.buffer_request)


def with_length(head: RequestHead, size: int) -> None:
    """Frame a body by its length, now that it is known. `head` is a copy of our own, of a chunked one."""
    head.body_length = size
    head.forwarded_fields += b"Content-Length: %d\r\n" % size


def copied(head: RequestHead) -> RequestHead:
    """Another one, so that the client's stays what it was."""
    copy = RequestHead()
    copy.block, copy.block_fields, copy.lowered = head.block, head.block_fields, head.lowered
    copy.method, copy.version = head.method, head.version
    copy.path, copy.query, copy.host, copy.host_field = head.path, head.query, head.host, head.host_field
    copy.body_length, copy.keep_alive, copy.expects_continue = head.body_length, head.keep_alive, head.expects_continue
    copy.is_websocket, copy.websocket_accept = head.is_websocket, head.websocket_accept
    copy.via, copy.forwarded_fields = head.via, head.forwarded_fields
    return copy
