"""What does a write ask for? A request's headers and body, checked one by one, as a Write.

Tokens are opened here: a forged or foreign one is refused and never guessed at. The request's digest, under a key of
the mesh, is what makes a repeated operation id the same request or another one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, get_args
from urllib.parse import unquote

import msgspec

from config.core.signing import Signer
from health.core import session_token
from health.core.session_token import SessionToken
from sync.api.problems import Problem
from sync.core.contexts import Context, open_context
from sync.core.levels import WriteLevel
from sync.core.op_ids import OpId, of_idempotency_key, parse_op_id
from sync.core.writes import Write, WriteKind

DEFAULT_TYPE: Final = "application/octet-stream"
JSON: Final = "application/json"
REQUEST_PURPOSE: Final = "sync request"
ACTOR: Final = "tidegate-actor"
"""Percent-encoded. Set by the gateway (gateway/core/data_service.py), which drops what clients send under this name."""
MAX_ACTOR: Final = 256
_SESSION: Final = session_token.HEADER.lower()
_CONTENT_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}(?:\s*;[\x20-\x7e]{0,128})?")
MAX_CONTENT_TYPE: Final = 512
"""Characters: more than the pattern has room for, so that nothing longer is remembered."""
_TAG: Final = re.compile(r'\s*(?:W/)?"([\x21\x23-\x7e]*)"\s*')
_encode: Final = msgspec.msgpack.Encoder().encode
_WRITE_LEVELS: Final[dict[str, WriteLevel]] = {level: level for level in get_args(WriteLevel)}
_json: Final = msgspec.json.Decoder(msgspec.Raw)


def content_type_of(value: str | None) -> str:
    """Raises Problem."""
    if not value:
        return DEFAULT_TYPE
    if len(value) > MAX_CONTENT_TYPE or not _is_content_type(value):
        raise Problem(400, "bad_content_type", "a malformed Content-Type, expected type/subtype")
    return value


@lru_cache(256)
def _is_content_type(value: str) -> bool:
    return _CONTENT_TYPE.fullmatch(value) is not None


def check_value(content_type: str, value: bytes) -> None:
    """What says that it is JSON has to be. Raises Problem."""
    if content_type != JSON and content_type.partition(";")[0].strip().lower() != JSON:
        return
    try:
        _json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Problem(400, "invalid_json", "a body of type application/json that is no JSON") from None


def context_of(text: str | None, *, stream: str, key: str, signer: Signer) -> Context | None:
    """Raises Problem."""
    if text is None:
        return None
    context = open_context(text, signer)
    if context is None:
        raise Problem(400, "bad_context", "a context token that this mesh did not write")
    if not context.fits(stream, key):
        raise Problem(400, "bad_context", "a context token of another key, expected one of this key")
    return context


def sessions_of(headers: Mapping[str, str], signer: Signer) -> dict[str, SessionToken]:
    """By residency class. Raises Problem."""
    value = headers.get(_SESSION)
    if value is None:
        return {}
    tokens = session_token.unseal_header(value, signer)
    if tokens is None:
        raise Problem(400, "bad_session", "a session token that this mesh did not write, or too many")
    return tokens


def op_id_of(headers: Mapping[str, str]) -> OpId | None:
    """Raises Problem."""
    written, word = headers.get("tidegate-op-id"), headers.get("idempotency-key")
    if word is not None:
        # The gateway adds an id of its own only where the client gave neither.
        op_id = of_idempotency_key(word)
        if written is not None:
            raise Problem(400, "bad_operation_id", "both Tidegate-Op-Id and Idempotency-Key, expected one of them")
    elif written is not None:
        op_id = parse_op_id(written)
    else:
        return None
    if op_id is None:
        raise Problem(400, "bad_operation_id", "a malformed operation id, expected <client>:<sequence> or a key")
    return op_id


def write_level_of(headers: Mapping[str, str], default: WriteLevel) -> WriteLevel:
    """Raises Problem."""
    value = headers.get("tidegate-write-level", default)
    level = _WRITE_LEVELS.get(value)
    if level is not None:
        return level
    raise Problem(400, "bad_write_level", "an unknown Tidegate-Write-Level, expected local, majority or global")


def actor_of(headers: Mapping[str, str]) -> str:
    """Who asked, as the gateway or the admin API has proven; empty when nobody had to say. Raises Problem."""
    value = unquote(headers.get(ACTOR, ""))
    if len(value) > MAX_ACTOR or not value.isprintable():
        raise Problem(400, "bad_actor", f"an actor of another shape, expected at most {MAX_ACTOR} printable characters")
    return value


def tags_of(value: str | None) -> tuple[str, ...] | None:
    """Entity tags of If-Match or If-None-Match, without quotes. Raises Problem."""
    if value is None:
        return None
    if value.strip() == "*":
        return ("*",)
    tags = []
    for part in value.split(","):
        match = _TAG.fullmatch(part)
        if match is None:
            raise Problem(400, "bad_precondition", 'a malformed entity tag, expected * or "tag"')
        tags.append(match[1])
    return tuple(tags)


def write_of(
    kind: WriteKind,
    *,
    stream: str,
    key: str,
    value: bytes,
    content_type: str,
    headers: Mapping[str, str],
    session: SessionToken | None,
    signer: Signer,
) -> Write:
    """One write to a record, from its own request. Raises Problem."""
    context = context_of(headers.get("tidegate-context"), stream=stream, key=key, signer=signer)
    none_match = tags_of(headers.get("if-none-match"))
    if none_match is not None and none_match != ("*",):
        raise Problem(400, "bad_precondition", "If-None-Match with entity tags on a write, expected *")
    write = Write(
        stream=stream,
        key=key,
        kind=kind,
        value=value,
        content_type=content_type,
        context=None if context is None else context.vector,
        seen_hlc=max(context.hlc if context is not None else 0, session.hlc if session is not None else 0),
        if_match=tags_of(headers.get("if-match")),
        must_be_absent=none_match is not None,
        op_id=op_id_of(headers),
        actor=actor_of(headers),
    )
    return with_digest(write, signer)


def with_digest(write: Write, signer: Signer) -> Write:
    """With the digest of all that was asked, where there is an id to tell it from other requests by."""
    if write.op_id is None:
        return write
    context = None if write.context is None else sorted(write.context.items())
    asked = (
        write.kind,
        write.stream,
        write.key,
        write.content_type,
        context,
        write.if_match,
        write.must_be_absent,
        write.value,
    )
    return msgspec.structs.replace(write, request=signer.sign(REQUEST_PURPOSE, _encode(asked)))
