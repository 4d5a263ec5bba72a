"""What is this request, and where does it end? One request head, refused wherever two readers could disagree.

    raw head ── llhttp, without callbacks: every byte of syntax, at C speed
             └─ one regular expression over the lowered head: the few fields that a proxy must act on
             └─ the rules that llhttp leaves to us (below)

Refused beyond what llhttp refuses, each with a test that sends the bytes:
  - versions other than 1.0 and 1.1 (505), including `RTSP/1.0` and `ICE/1.0`, which llhttp reports as HTTP
  - CONNECT and TRACE (405), unknown methods (501)
  - no Host, two Hosts, a Host that is not an authority; a target whose authority or scheme contradicts the listener
  - any Transfer-Encoding but exactly one `chunked` on HTTP/1.1
  - field names that turn into one of ours when `_` is read as `-`
  - paths that upstreams would read differently than we route them: `%2f`, `%5c`, `%00`, `\\`, bad escapes
The path is normalised once, and the same path is routed by and forwarded (RFC 3986 section 6.2.2).

Sources: RFC 9112 sections 2, 3, 6; RFC 9110 sections 7.2, 7.6.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import httptools

from gateway.core.paths import normalise_path
from gateway.core.websocket import check_handshake
from gateway.errors import RequestRefused

CHUNKED: Final = -1
"""`RequestHead.body_length` of a chunked body."""

MAX_BODY_LENGTH: Final = 2**63 - 1
"""What a signed 64-bit reader downstream of us still counts right."""

MAX_LENGTH_DIGITS: Final = 19
"""Of 2^63-1. Python itself gives up on numbers of some thousand digits."""

METHODS: Final = frozenset(
    "ACL BIND CHECKOUT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY OPTIONS "  # noqa: SIM905 - words
    "PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH SUBSCRIBE UNBIND UNLINK UNLOCK "
    "UNSUBSCRIBE".split()
)
"""What llhttp knows, less CONNECT, TRACE and its non-HTTP ones."""

SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS"))
"""RFC 9110 section 9.2.1, less TRACE: whoever asks so wants nothing changed."""

IDEMPOTENT: Final = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE"))
"""RFC 9110 section 9.2.2, less TRACE."""

_METHOD_NAMES: Final = {name.encode(): name for name in METHODS}
_VERSIONS: Final = {b"HTTP/1.1": 11, b"HTTP/1.0": 10}
_SPECIAL_NAMES: Final = (
    rb"host|connection|content-length|transfer-encoding|upgrade|expect|te|trailer|keep-alive|via|forwarded"
    rb"|x-forwarded-(?:for|host|port|proto|prefix|server|ssl)|x-real-ip|x-request-id"
    rb"|proxy-(?:connection|authorization|authenticate)"
    rb"|client-cert(?:-chain)?|x-client-cert-subject|x-forwarded-client-cert"
    rb"|tidegate-(?:mirror|hop|debug)"
)
_SPECIAL_FIELD: Final = re.compile(rb"\r\n(" + _SPECIAL_NAMES.replace(b"-", b"[-_]") + rb"):[ \t]*([^\r\n]*)")
"""With `_` for `-` too: `Transfer_Encoding` is unknown to us, and Transfer-Encoding to who maps one to the other."""
_AUTHORITY: Final = re.compile(rb"(?:[a-z0-9_][a-z0-9_-]*(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_ABSOLUTE: Final = re.compile(rb"(https?)://([^/?#]*)([^#]*)", re.IGNORECASE)
_TARGET: Final = re.compile(rb"[!-~]+")
"""llhttp takes a bare LF in a target for the end of an HTTP/0.9 line, and what follows it for a field."""
_VERSION_SHAPE: Final = re.compile(rb"HTTP/[0-9]\.[0-9]")

_KEPT: Final = frozenset((b"host", b"via", b"content-length"))
"""Fields among the special ones that are forwarded as they came."""
_NEVER_NAMED: Final = frozenset(
    (b"host", b"content-length", b"transfer-encoding", b"authorization", b"cookie", b"via", b"forwarded", b"close")
)
"""Fields that a `Connection` field cannot take away: the next hop must see them, or we write them ourselves."""


class _NoCallbacks:
    """llhttp then only checks syntax."""


_NO_CALLBACKS: Final = _NoCallbacks()


class RequestHead:
    """One request's head, checked. Byte strings are as they came, but for `path`, which is normalised."""

    __slots__ = (
        "block",
        "block_fields",
        "body_length",
        "expects_continue",
        "forwarded_fields",
        "host",
        "host_field",
        "is_websocket",
        "keep_alive",
        "lowered",
        "method",
        "path",
        "query",
        "version",
        "via",
        "websocket_accept",
    )

    block: bytes
    """Everything after the request line, from the CRLF that ends it."""
    lowered: bytes
    """The block in lower case."""
    method: str
    path: bytes
    """Normalised; `b"*"` for `OPTIONS *`."""
    query: bytes
    """With its `?`, or empty."""
    version: int
    """10 or 11."""
    host: str
    """Lower case, without port and trailing dot; empty only on HTTP/1.0 without Host."""
    host_field: str
    """The same by the Host field alone, whatever the target says."""
    body_length: int
    """Bytes of body to come; 0 for none, `CHUNKED` when the framing says."""
    keep_alive: bool
    expects_continue: bool
    is_websocket: bool
    websocket_accept: bytes | None
    """What the endpoint's 101 must prove; None where no tunnel is asked for."""
    via: bytes
    """Existing `Via` values, comma-separated, lower case; empty when there are none."""
    forwarded_fields: bytes
    """The field lines to forward, each ended by CRLF: hop-by-hop ones and those that we write ourselves are gone."""
    block_fields: bytes
    """The same before an absolute target replaced Host."""

    def values(self, name: bytes) -> list[bytes]:
        """Every value of a field, in order, stripped. `name` in lower case."""
        found: list[bytes] = []
        needle = b"\r\n" + name + b":"
        at = self.lowered.find(needle)
        while at >= 0:
            start = at + len(needle)
            end = self.block.index(b"\r\n", start)
            found.append(self.block[start:end].strip(b" \t"))
            at = self.lowered.find(needle, end)
        return found


def parse_request_head(
    raw: bytes, *, scheme: bytes = b"http", max_request_line: int = 8192, previous: RequestHead | None = None
) -> RequestHead:
    """Check one head, from its first byte to the empty line that ends it.

    `previous` is the head before it on the same connection: clients that keep a connection often send the same fields
    again to the byte, and what was found out about them then still holds.

    Raises `RequestRefused` with the status to answer; the connection must then be closed.
    """
    line_end = raw.find(b"\r\n")
    if line_end > max_request_line:
        raise RequestRefused(
            f"a request line of {line_end} bytes, at most {max_request_line} are allowed",
            status=414,
            reason="request_line_too_long",
        )
    method, target, version = _read_request_line(raw[:line_end])
    head = RequestHead()
    head.method = method
    head.version = version
    block = head.block = raw[line_end:]
    if previous is not None and previous.block == block and previous.version == version and not previous.is_websocket:
        _take_fields(head, previous)
        _read_target(head, target, scheme)
        return head
    _read_fields(head)  # before llhttp, whose refusals say less
    try:
        httptools.HttpRequestParser(_NO_CALLBACKS).feed_data(raw)
    except httptools.HttpParserUpgrade:
        pass  # the syntax is right; what to do about the upgrade is decided below, on our own framing
    except httptools.HttpParserError as error:
        raise RequestRefused(f"a malformed request head: {error}") from error
    _read_target(head, target, scheme)
    if head.is_websocket:
        head.websocket_accept = check_handshake(
            method=method,
            version=version,
            body_length=head.body_length,
            keys=head.values(b"sec-websocket-key"),
            versions=head.values(b"sec-websocket-version"),
        )
    return head


def _read_request_line(line: bytes) -> tuple[str, bytes, int]:
    """Method, target and version."""
    parts = line.split(b" ")
    if len(parts) != 3:
        raise RequestRefused("a request line that is not 'method target version'")
    method_name, target, version_name = parts
    version = _VERSIONS.get(version_name)
    if version is None:
        if _VERSION_SHAPE.fullmatch(version_name):
            raise RequestRefused(
                "an HTTP version other than 1.0 and 1.1", status=505, reason="http_version_not_supported"
            )
        raise RequestRefused("a request line that does not end in an HTTP version")
    method = _METHOD_NAMES.get(method_name)
    if method is None:
        if method_name in (b"CONNECT", b"TRACE"):
            raise RequestRefused(
                f"method {method_name.decode()}, which is never proxied", status=405, reason="method_forbidden"
            )
        raise RequestRefused("an unknown method", status=501, reason="method_unknown")
    if not _TARGET.fullmatch(target):
        raise RequestRefused("a target with something else than visible characters")
    return method, target, version


def _take_fields(head: RequestHead, previous: RequestHead) -> None:
    """What follows from the block alone."""
    head.lowered = previous.lowered
    head.host = previous.host_field
    head.host_field = previous.host_field
    head.body_length = previous.body_length
    head.keep_alive = previous.keep_alive
    head.expects_continue = previous.expects_continue
    head.via = previous.via
    head.forwarded_fields = previous.block_fields
    head.block_fields = previous.block_fields
    head.is_websocket = False
    head.websocket_accept = None


def _read_fields(head: RequestHead) -> None:  # noqa: C901, PLR0912, PLR0915 - see its docstring
    """Act on the fields that a proxy must act on, and cut out those that it must not forward.

    One long function, because it runs for every request: a call per field costs more than the work in it.
    """
    block = head.block
    lowered = head.lowered = block.lower()
    host: str | None = None
    length: int | None = None
    chunked = False
    connection = b""
    upgrade = b""
    via = b""
    expects_continue = False
    kept: list[bytes] = []
    kept_from = 2
    for field in _SPECIAL_FIELD.finditer(lowered):
        name = field[1]
        value = field[2].rstrip(b" \t")
        if name == b"host":
            if host is not None:
                raise RequestRefused("two Host fields, exactly one is expected")
            if b"\t" in field[0]:
                raise _tab_refused(name)
            host = _host_name(value)
        elif name == b"via":
            via = via + b"," + value if via else value
        elif name == b"content-length":
            if length is not None or not value.isdigit():
                raise RequestRefused("a Content-Length that is not one number")
            if b"\t" in field[0]:
                raise _tab_refused(name)
            length = int(value) if len(value) <= MAX_LENGTH_DIGITS else MAX_BODY_LENGTH + 1
            if length > MAX_BODY_LENGTH:
                raise RequestRefused("a Content-Length above 2^63-1", status=413, reason="body_too_large")
            if value[0] == 48 and len(value) > 1:
                raise RequestRefused("a Content-Length with leading zeros")
        elif name == b"transfer-encoding":
            if chunked or value != b"chunked":
                raise _coding_refused(value, repeated=chunked)
            chunked = True
        elif name == b"connection":
            connection = connection + b"," + value if connection else value
        elif name == b"upgrade":
            upgrade = upgrade + b"," + value if upgrade else value
        elif name == b"expect":
            if value != b"100-continue":
                raise RequestRefused("an Expect other than 100-continue", status=417, reason="expectation_failed")
            expects_continue = head.version == 11
        if name not in _KEPT:
            if b"_" in name:
                raise RequestRefused("a field name that differs from a reserved one only by '_' for '-'")
            start = field.start() + 2
            if start > kept_from:
                kept.append(block[kept_from:start])
            kept_from = field.end() + 2
    if chunked and (length is not None or head.version == 10):
        raise RequestRefused("Transfer-Encoding with Content-Length or on HTTP/1.0, whose end is ambiguous")
    if host is None:
        if head.version == 11:
            raise RequestRefused("no Host field, exactly one is expected")
        host = ""
    kept.append(block[kept_from:-2])
    head.host = head.host_field = host
    head.body_length = CHUNKED if chunked else length or 0
    head.via = via
    head.expects_continue = expects_continue and head.body_length != 0
    head.forwarded_fields = b"".join(kept)
    head.is_websocket = False
    head.websocket_accept = None
    head.keep_alive = head.version == 11
    if connection == b"close":
        head.keep_alive = False
    elif connection and (connection != b"keep-alive" or head.version == 10):
        _read_connection(head, connection, upgrade)
    head.block_fields = head.forwarded_fields


def _read_connection(head: RequestHead, connection: bytes, upgrade: bytes) -> None:
    options = [option.strip(b" \t") for option in connection.split(b",")]
    if b"close" in options:
        head.keep_alive = False
    elif head.version == 10 and b"keep-alive" in options:
        head.keep_alive = True
    if b"upgrade" in options:
        head.is_websocket = upgrade == b"websocket"
    for option in options:
        if option in _NEVER_NAMED or not option or option in (b"keep-alive", b"upgrade"):
            continue
        head.forwarded_fields = without_field(head.forwarded_fields, option)


def without_field(fields: bytes, name: bytes) -> bytes:
    """Field lines without those of this (lower-case) name."""
    prefix = name + b":"
    return b"".join(line for line in fields.splitlines(keepends=True) if not line.lower().startswith(prefix))


def _tab_refused(name: bytes) -> RequestRefused:
    """nginx takes a tab around a host or a length for a part of it, others do not."""
    return RequestRefused(f"a tab in the {name.decode()} field, which is read in two ways")


def _coding_refused(value: bytes, *, repeated: bool) -> RequestRefused:
    codings = [coding.strip(b" \t") for coding in value.split(b",")]
    if not repeated and any(coding not in (b"", b"chunked", b"identity") for coding in codings):
        return RequestRefused("an unknown transfer coding, only chunked is understood", status=501, reason="coding")
    return RequestRefused("a Transfer-Encoding that is not exactly one 'chunked'")


@lru_cache(maxsize=4096)
def _host_name(authority: bytes) -> str:
    """The host to route by. `rpartition` would cut an IPv6 literal: its port stands after the bracket."""
    if not _AUTHORITY.fullmatch(authority):
        raise RequestRefused("a host that is not a name or address with an optional port")
    if authority.endswith(b"]") or b":" not in authority:
        name = authority
    else:
        name, _, port = authority.rpartition(b":")
        if int(port) > 65535:
            raise RequestRefused("a Host field whose port is above 65535")
    return name.rstrip(b".").decode("ascii")


def _read_target(head: RequestHead, target: bytes, scheme: bytes) -> None:
    if target[:1] != b"/":
        if target == b"*" and head.method == "OPTIONS":
            head.path, head.query = b"*", b""
            return
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is None:
            raise RequestRefused("a target that is neither a path nor an absolute http URL")
        target = _take_authority(head, absolute, scheme)
    if b"#" in target:
        raise RequestRefused("a target with a fragment, which is never sent")
    path, mark, query = target.partition(b"?")
    head.query = mark + query
    if b"%" in path or b"//" in path or b"/." in path or b"\\" in path:
        path = normalise_path(path)
    head.path = path


def _take_authority(head: RequestHead, absolute: re.Match[bytes], scheme: bytes) -> bytes:
    """The target's authority replaces Host (RFC 9112 section 3.2.2); returns the target in origin form."""
    if absolute[1].lower() != scheme:
        raise RequestRefused("a target whose scheme is not that of this listener")
    authority = absolute[2].lower()
    head.host = _host_name(authority)
    head.forwarded_fields = b"Host: " + authority + b"\r\n" + without_field(head.forwarded_fields, b"host")
    rest = absolute[3]
    return rest if rest[:1] == b"/" else b"/" + rest
