"""Signed requests, for peers without TLS: did a node of ours send exactly this, just now, and for the first time?

    signature = HMAC(secret, method, path?query, who, SHA-256(body), timestamp, nonce)

The timestamp bounds how long a nonce must be remembered; the nonce makes a recorded request worthless within that time.
An answer is signed over the request's nonce, so that it cannot be an older one.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Mapping

from config.core.signing import Signer
from health.peering.identity import Stranger

MAX_SKEW_S = 60.0
"""Clocks of nodes without a time service drift by seconds; a minute also bears a slow hour of NTP."""
MAX_NONCES = 200_000
"""A thousand signed requests a second over twice the skew; more is refused rather than forgotten."""
_PURPOSE = "peer request"
_ANSWER = "peer answer"
_NONCE = re.compile(r"[0-9a-f]{32}")


def signed(
    signer: Signer, *, method: str, target: str, who: Mapping[str, str], body: bytes, wall: float, nonce: str
) -> dict[str, str]:
    """Headers to send beside those of the identity. `wall` is Unix seconds."""
    stamp = str(int(wall * 1000))
    signature = signer.sign(_PURPOSE, _text(method, target, who, body, stamp, nonce))
    return {"Tidegate-Timestamp": stamp, "Tidegate-Nonce": nonce, "Tidegate-Signature": signature.hex()}


def _text(method: str, target: str, who: Mapping[str, str], body: bytes, stamp: str, nonce: str) -> bytes:  # noqa: PLR0917 - what is signed, in its order
    digest = hashlib.sha256(body).hexdigest()
    node, region = who.get("Tidegate-Node", ""), who.get("Tidegate-Region", "")
    return "\n".join((method, target, node, region, digest, stamp, nonce)).encode("utf-8", "surrogateescape")


def sign_answer(signer: Signer, *, nonce: str, status: int, body: bytes, node: str) -> str:
    text = f"{nonce}\n{status}\n{node}\n{hashlib.sha256(body).hexdigest()}"
    return signer.sign(_ANSWER, text.encode()).hex()


def is_answer_signed(signer: Signer, signature: str, *, nonce: str, status: int, body: bytes, node: str) -> bool:
    text = f"{nonce}\n{status}\n{node}\n{hashlib.sha256(body).hexdigest()}"
    try:
        return signer.verify(_ANSWER, text.encode(), bytes.fromhex(signature))
    except ValueError:
        return False


class Nonces:
    """Those of the last while, to know a request that comes again."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._order: deque[tuple[float, str]] = deque()

    def take(self, nonce: str, *, now: float) -> bool:
        """Whether it is new; `now` is monotonic. Raises `Stranger` when there are too many to remember."""
        while self._order and now - self._order[0][0] > 2 * MAX_SKEW_S:
            self._seen.discard(self._order.popleft()[1])
        if nonce in self._seen:
            return False
        if len(self._order) >= MAX_NONCES:
            raise Stranger(503, "too_many_requests", f"found {MAX_NONCES} signed requests in {2 * MAX_SKEW_S:.0f} s")
        self._seen.add(nonce)
        self._order.append((now, nonce))
        return True


class Verifier:
    """The receiving end."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._nonces = Nonces()

    def verify(
        self, headers: Mapping[str, str], *, method: str, target: str, body: bytes, wall: float, now: float
    ) -> str:
        """The nonce. Raises `Stranger`. A clock that is off is said only to who holds the secret."""
        stamp, nonce = headers.get("Tidegate-Timestamp", ""), headers.get("Tidegate-Nonce", "")
        try:
            signature = bytes.fromhex(headers.get("Tidegate-Signature", ""))
        except ValueError:
            signature = b""
        text = _text(method, target, headers, body, stamp, nonce)
        if not _NONCE.fullmatch(nonce) or not self._signer.verify(_PURPOSE, text, signature):
            raise Stranger(401, "bad_signature", "found no signature by `peer.secret`, expected one")
        skew_s = wall - int(stamp) / 1000 if stamp.isascii() and stamp.isdigit() and len(stamp) < 16 else None
        if skew_s is None or abs(skew_s) > MAX_SKEW_S:
            far = "no time" if skew_s is None else f"a request {abs(skew_s):.1f} s {'old' if skew_s > 0 else 'ahead'}"
            raise Stranger(401, "clock_skew", f"found {far}, expected clocks within {MAX_SKEW_S:.0f} s of each other")
        if not self._nonces.take(nonce, now=now):
            raise Stranger(401, "replayed", "found a request for the second time, expected each once")
        return nonce
