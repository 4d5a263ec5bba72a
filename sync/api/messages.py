"""What is asked, and what is answered: a whole request, a whole answer, whoever speaks HTTP for them (front.py).

Header names are in lower case in a request, and as they shall be sent in an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl

import msgspec

_encode: Final = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Request:
    """One request with its body."""

    method: str
    target: str
    """Path and query, as they were sent."""
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def query(self) -> dict[str, str]:
        """Decoded; of a name given twice, the first."""
        text = self.target.partition("?")[2]
        found: dict[str, str] = {}
        for name, value in parse_qsl(text, keep_blank_values=True) if text else ():
            found.setdefault(name, value)
        return found

    @property
    def id(self) -> str:
        """What the gateway calls it; empty where it did not come by one."""
        return self.headers.get("x-request-id", "")


@dataclass(slots=True)
class Answer:
    """One answer with its body."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def json_answer(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """`value` as msgspec encodes it."""
    return Answer(
        status, {"Content-Type": "application/json", "Cache-Control": "no-cache", **(headers or {})}, _encode(value)
    )
