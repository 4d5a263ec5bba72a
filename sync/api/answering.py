"""What does an answer carry besides its body? The version, what a later write must name, what later reads may carry."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from config.core.signing import Signer
from health.core import session_token
from health.core.session_token import SessionToken
from sync.core.contexts import seal_context
from sync.core.levels import Durability
from sync.core.local_batch import entity_tag
from sync.core.plans import CollectionPlan
from sync.core.versions import KeyState, Version
from sync.store import Body

SAFE_TO_SHOW = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox", "Cache-Control": "no-cache"}
"""What is stored was written by somebody else: no browser shall take it for a page of ours."""


def record_headers(
    plan: CollectionPlan,
    key: str,
    state: KeyState,
    *,
    signer: Signer,
    session: SessionToken | None,
    durability: Durability | None = None,
) -> dict[str, str]:
    """Headers of a key as it is now."""
    stream, hlc = plan.name, state.hlc()
    seen = SessionToken(plan.residency_class, hlc, {stream: dict(state.context)} if state.context else {})
    token = seen if session is None else session.joined(seen)
    headers = {
        "Tidegate-Context": seal_context(stream, key, state.context, hlc, signer),
        session_token.HEADER: session_token.seal(token, signer),
    }
    tag = entity_tag(state)
    if tag:
        headers["ETag"] = f'"{tag}"'
    if durability is not None:
        headers["Tidegate-Durability"] = durability
    return headers


def written_at(version: Version) -> str:
    """RFC 3339, by the clock of the store that took the write."""
    return datetime.fromtimestamp(version.written_ms / 1000, tz=UTC).isoformat(timespec="milliseconds")


def siblings(bodies: Sequence[Body]) -> list[dict[str, Any]]:
    """All versions with their values; an erased one has none."""
    return [
        {
            "version": body.version.name,
            "content_type": body.version.content_type,
            "value_base64": None if body.value is None else base64.b64encode(body.value).decode(),
            "origin": body.version.origin,
            "written_at": written_at(body.version),
        }
        for body in bodies
    ]
