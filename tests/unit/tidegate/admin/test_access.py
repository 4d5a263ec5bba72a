"""Who may ask the admin API what."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from config.models import AdminToken, SecretReference
from tidegate.admin.access import Access, Caller, KnownToken, Refusal, load_tokens, may

TODAY = date(2026, 11, 24)


def identify(
    access: Access, *, authorization: str | None = None, peer: str = "127.0.0.1", host: str = "127.0.0.1:9900"
) -> Caller | Refusal:
    return access.identify(authorization=authorization, peer=peer, host=host, today=TODAY)


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("127.0.0.1", "127.0.0.1:9900"),
        ("127.0.0.1", "localhost"),
        ("127.8.9.1", "LOCALHOST:9900"),
        ("::1", "[::1]:9900"),
        ("::1", "[::1]"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
    ],
)
def test_without_tokens_this_machine_is_a_viewer(peer: str, host: str) -> None:
    assert identify(Access(()), peer=peer, host=host) == Caller("local", "viewer")


@pytest.mark.parametrize("peer", ["10.0.0.1", "2001:db8::1", "", "nonsense"])
def test_without_tokens_nobody_else_is_anyone(peer: str) -> None:
    refusal = identify(Access(()), peer=peer)
    assert isinstance(refusal, Refusal)
    assert refusal.status == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9900", "localhost.evil.example", "10.0.0.1:9900", ""])
def test_a_web_page_that_rebinds_its_name_to_this_machine_is_refused(host: str) -> None:
    refusal = identify(Access(()), host=host)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.reason) == (421, "foreign_host")


def access(tmp_path: Path, *, expires: date | None = None) -> Access:
    (tmp_path / "ops").write_text("s3cret\n")
    tokens = [
        AdminToken(name="ops", role="operator", token=SecretReference("file", str(tmp_path / "ops")), expires=expires),
        AdminToken(name="boss", role="admin", token=SecretReference("env", "BOSS"), expires=None),
    ]
    known, missing = load_tokens(tokens, environ={"BOSS": "other"})
    assert missing == []
    return Access(known)


def test_a_token_has_its_role_from_anywhere(tmp_path: Path) -> None:
    caller = identify(access(tmp_path), authorization="Bearer s3cret", peer="10.0.0.1", host="gw.example.com")
    assert caller == Caller("ops", "operator")
    assert identify(access(tmp_path), authorization="bearer other") == Caller("boss", "admin")


@pytest.mark.parametrize("authorization", [None, "", "Basic czNjcmV0", "Bearer", "Bearer ", "Bearer wrong", "s3cret"])
def test_with_tokens_not_even_this_machine_is_let_in_without_one(tmp_path: Path, authorization: str | None) -> None:
    refusal = identify(access(tmp_path), authorization=authorization)
    assert isinstance(refusal, Refusal)
    assert refusal.status == 401


def test_a_token_is_taken_up_to_its_last_day(tmp_path: Path) -> None:
    assert isinstance(identify(access(tmp_path, expires=TODAY), authorization="Bearer s3cret"), Caller)
    refusal = identify(access(tmp_path, expires=date(2026, 11, 23)), authorization="Bearer s3cret")
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "token_expired"


def test_a_token_whose_secret_is_gone_lets_nobody_in_and_does_not_open_the_door() -> None:
    token = AdminToken(name="ops", role="admin", token=SecretReference("env", "GONE"), expires=None)
    known, missing = load_tokens([token], environ={})
    assert "admin token ops" in missing[0]
    for authorization in (None, "Bearer ", "Bearer x"):
        assert isinstance(identify(Access(known), authorization=authorization), Refusal)


def test_a_secret_is_kept_as_a_digest_only(tmp_path: Path) -> None:
    assert "s3cret" not in repr(access(tmp_path).__dict__)


def test_roles_are_ordered() -> None:
    assert may(Caller("a", "admin"), "viewer")
    assert may(Caller("a", "operator"), "operator")
    assert not may(Caller("a", "viewer"), "operator")


def test_the_stronger_of_two_equal_tokens_counts() -> None:
    digest = load_tokens(
        [AdminToken(name="a", role="viewer", token=SecretReference("env", "A"), expires=None)], environ={"A": "x"}
    )[0][0].digest
    both = Access([KnownToken("a", "viewer", digest, None), KnownToken("b", "operator", digest, None)])
    assert identify(both, authorization="Bearer x") == Caller("b", "operator")
