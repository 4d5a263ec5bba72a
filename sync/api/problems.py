"""What does a client get that its request is refused for? A problem document (RFC 9457), in the shape of API.md."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import msgspec

from sync.api.messages import Answer
from sync.core.writes import Refusal
from sync.errors import CursorExpired, StoreFull, StoreUnavailable, SyncError, UnknownStream

TYPE_PREFIX: Final = "urn:tidegate:problem:"
RETRY_AFTER_S: Final = 1


class Problem(Exception):
    """Raised wherever a request turns out to be wrong; answered at the border."""

    def __init__(
        self,
        status: int,
        reason: str,
        detail: str,
        *,
        retry_after_s: int | None = None,
        allow: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.allow = allow

    def document(self, instance: str = "") -> dict[str, object]:
        found: dict[str, object] = {
            "type": TYPE_PREFIX + self.reason.replace("_", "-"),
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "reason": self.reason,
        }
        if instance:
            found["instance"] = instance
        if self.retry_after_s is not None:
            found["retry_after_s"] = self.retry_after_s
        return found

    def answer(self, instance: str = "") -> Answer:
        headers = {"Content-Type": "application/problem+json", "Cache-Control": "no-store"}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(self.retry_after_s)
        if self.allow is not None:
            headers["Allow"] = self.allow
        return Answer(self.status, headers, msgspec.json.encode(self.document(instance)))


def of_refusal(refusal: Refusal) -> Problem:
    retry = RETRY_AFTER_S if refusal.status == 503 else None
    return Problem(refusal.status, refusal.reason, refusal.detail, retry_after_s=retry)


def of_error(error: SyncError) -> Problem:
    """What the store's own troubles mean for who asked."""
    if isinstance(error, StoreFull):
        return Problem(507, "store_full", "there is no room for the write; reads go on", retry_after_s=RETRY_AFTER_S)
    if isinstance(error, StoreUnavailable):
        return Problem(503, "store_unavailable", "the store cannot answer now", retry_after_s=RETRY_AFTER_S)
    if isinstance(error, CursorExpired):
        return Problem(410, "cursor_expired", str(error))
    if isinstance(error, UnknownStream):
        return Problem(404, "unknown_collection", str(error))
    return Problem(500, "defect", "the node failed to answer; its log says why")
