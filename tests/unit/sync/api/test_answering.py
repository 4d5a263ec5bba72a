from __future__ import annotations

from config.core.signing import Signer
from health.core.session_token import SessionToken, unseal
from sync.api.answering import record_headers, siblings, written_at
from sync.core.contexts import open_context
from sync.core.versions import EMPTY, KeyState, Version
from sync.store import Body
from tests.harness.replicas import plan

SIGNER = Signer([b"k" * 32])
ORIGIN = "eu:aaaa.bbbb"
VERSION = Version(ORIGIN, 3, 7 << 16, b"m" * 8, False, "text/plain", 1, 1_700_000_000_123)  # noqa: FBT003
STATE = KeyState((VERSION,), {ORIGIN: 3})


def test_an_answer_carries_the_version_the_context_and_the_session() -> None:
    session = SessionToken("note", 1, {"notes": {"us:cccc.dddd": 2}})
    headers = record_headers(plan(), "k", STATE, signer=SIGNER, session=session, durability="local")
    assert headers["ETag"] == f'"3@{ORIGIN}"'
    context = open_context(headers["Tidegate-Context"], SIGNER)
    assert context is not None
    assert (context.vector, context.hlc) == ({ORIGIN: 3}, 7 << 16)
    token = unseal(headers["Tidegate-Session"], SIGNER)
    assert token == SessionToken("note", 7 << 16, {"notes": {"us:cccc.dddd": 2, ORIGIN: 3}})
    assert headers["Tidegate-Durability"] == "local"


def test_a_key_that_never_was_has_no_version() -> None:
    assert "ETag" not in record_headers(plan(), "k", EMPTY, signer=SIGNER, session=None)


def test_versions_are_shown_with_values_and_times() -> None:
    assert written_at(VERSION) == "2023-11-14T22:13:20.123+00:00"
    (shown,) = siblings([Body(VERSION, b"v")])
    assert (shown["value_base64"], shown["origin"], shown["version"]) == ("dg==", ORIGIN, f"3@{ORIGIN}")
