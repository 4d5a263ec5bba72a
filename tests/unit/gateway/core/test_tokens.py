"""Signed tokens, good and forged."""

from __future__ import annotations

import base64
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws

from gateway.core.claims import TokenRefused, Wanted
from gateway.core.key_set import KeySet, read_key_set
from gateway.core.principal import Principal
from gateway.core.tokens import Remembered, TokenRules, UnknownKey, verify
from tests.harness.issuer import CLAIMS, NOW, ec, ed, published, rsa, token, unsigned

RSA, EC, ED, STRANGER = rsa("r"), ec("e"), ed("d"), rsa("r")
KEYS = read_key_set(published(RSA, EC, ED))
RULES = TokenRules(frozenset(("RS256", "ES256", "EdDSA")), "https://issuer/", "api", 30.0, Wanted(("tenant",)))


def check(shown: str | bytes, keys: KeySet = KEYS) -> tuple[Principal, float]:
    return verify(shown.encode() if isinstance(shown, str) else shown, keys, RULES, now=NOW)


def test_tokens_by_each_kind_of_key_are_taken() -> None:
    for key, algorithm in ((RSA, "RS256"), (EC, "ES256"), (ED, "EdDSA")):
        principal, end = check(token(key, algorithm, {**CLAIMS, "tenant": "acme"}))
        assert (principal.name, principal.claims["tenant"], end) == ("alice", "acme", NOW + 330)
    assert check(
        jws.serialize_compact({"alg": "ES256"}, b'{"exp": 1700000300, "iss": "https://issuer/", "aud": "api"}', EC)
    )


def by_shared_secret(secret: bytes) -> str:
    """What a library would take that does not mind which kind of key it is given (CVE-2015-9235)."""
    unproven = unsigned({"alg": "HS256", "kid": "r"}, CLAIMS)[:-1]
    proof = base64.urlsafe_b64encode(hmac.digest(secret, unproven.encode(), "sha256")).rstrip(b"=")
    return f"{unproven}.{proof.decode()}"


def forged() -> dict[str, str]:
    good = token(RSA, "RS256")
    head, body, signature = good.split(".")
    other = token(RSA, "RS256", {**CLAIMS, "sub": "root"})
    return {
        "none": unsigned({"alg": "none"}, CLAIMS),
        "none in capitals": unsigned({"alg": "NONE", "kid": "r"}, CLAIMS),
        "no signature": f"{head}.{body}.",
        "another body": f"{head}.{other.split('.')[1]}.{signature}",
        "another's key under our id": token(STRANGER, "RS256"),
        "the public key as a shared secret": by_shared_secret(RSA.as_pem(private=False)),
        "an algorithm off the list": token(RSA, "PS256"),
        "a key of another kind": token(EC, "ES256", kid="r"),
        "critical": unsigned({"alg": "RS256", "kid": "r", "crit": ["x"], "x": 1}, CLAIMS),
        "its own key": token(STRANGER, "RS256", kid="x", jwk=STRANGER.as_dict(private=False)),
        "no object": jws.serialize_compact({"alg": "ES256", "kid": "e"}, b"[1]", EC),
        "no json": jws.serialize_compact({"alg": "ES256", "kid": "e"}, b"\xff{", EC),
        "expired": token(EC, "ES256", {**CLAIMS, "exp": NOW - 31}),
        "endless": token(EC, "ES256", {key: value for key, value in CLAIMS.items() if key != "exp"}),
        "another issuer": token(EC, "ES256", {**CLAIMS, "iss": "https://other/"}),
        "another audience": token(EC, "ES256", {**CLAIMS, "aud": "web"}),
        "two dots": "..",
        "five parts": "a.b.c.d.e",
        "no token": "hello",
    }


FORGED = forged()


@pytest.mark.parametrize("what", sorted(FORGED))
def test_what_is_forged_or_not_for_us_is_refused(what: str) -> None:
    with pytest.raises(TokenRefused) as raised:
        check(FORGED[what])
    assert raised.value.reason == ("token_expired" if what == "expired" else "token_refused")


def test_a_key_that_is_not_known_is_told_apart_for_its_issuer_may_have_a_new_one() -> None:
    with pytest.raises(UnknownKey):
        check(token(rsa("new"), "RS256"))


@given(st.binary(max_size=80) | st.lists(st.binary(max_size=20), min_size=3, max_size=3).map(b".".join))
def test_whatever_is_shown_it_is_refused_and_nothing_else_is_raised(shown: bytes) -> None:
    with pytest.raises(TokenRefused):
        check(shown)


def test_what_was_verified_is_known_until_it_ends_or_others_push_it_out() -> None:
    known, who = Remembered(limit=2), Principal("a")
    known.add(b"1", who, 10.0)
    known.add(b"2", who, 20.0)
    assert known.get(b"1", 10.0) is who
    assert known.get(b"1", 10.1) is None
    known.add(b"3", who, 20.0)
    known.add(b"4", who, 20.0)
    assert (known.get(b"2", 0.0), len(known)) == (None, 2)
    known.clear()
    assert known.get(b"4", 0.0) is None
