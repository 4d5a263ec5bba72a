"""Claims: times, parties, and what of them becomes a field."""

from __future__ import annotations

import pytest

from gateway.core.claims import TokenRefused, Wanted, check_parties, check_times, principal_of

NOW = 1000.0


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"exp": None},
        {"exp": "2000"},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": 1e300},
        {"exp": 960},
        {"exp": 2000, "nbf": 1040},
        {"exp": 2000, "iat": 1040},
        {"exp": 2000, "nbf": []},
    ],
)
def test_a_token_out_of_its_time_is_refused(claims: dict[str, object]) -> None:
    with pytest.raises(TokenRefused):
        check_times(claims, now=NOW, leeway_s=30.0)


def test_clocks_may_differ_by_the_leeway() -> None:
    assert check_times({"exp": 975, "nbf": 1025}, now=NOW, leeway_s=30.0) == 1005.0


@pytest.mark.parametrize("audience", ["other", [], ["other"], None, 5, {"api": 1}])
def test_a_token_for_others_is_refused(audience: object) -> None:
    with pytest.raises(TokenRefused):
        check_parties({"iss": "i", "aud": audience}, issuer="i", audience="api")


def test_an_audience_may_be_one_of_many() -> None:
    check_parties({"iss": "i", "aud": ["x", "api"]}, issuer="i", audience="api")
    with pytest.raises(TokenRefused):
        check_parties({"iss": "j", "aud": "api"}, issuer="i", audience="api")


def test_claims_become_fields_and_names() -> None:
    wanted = Wanted(("tenant", "none"), (("sub", "X-User"), ("roles", "X-Roles"), ("ok", "X-Ok"), ("none", "X-None")))
    claims = {"sub": "zoë", "tenant": 7, "roles": ["a", "b"], "ok": True, "none": None}
    principal = principal_of(claims, wanted)
    assert principal.fields == "X-User: zoë\r\nX-Roles: a,b\r\nX-Ok: true\r\n".encode()
    assert (principal.name, dict(principal.claims)) == ("zoë", {"tenant": "7"})


@pytest.mark.parametrize(
    "value", ["a\r\nX-Admin: yes", "a\nb", "a\0", "\x7f", "x" * 3000, {"a": 1}, [["a"]], ["a\r"], "\ud800"]
)
def test_a_claim_that_cannot_be_a_field_refuses_the_token(value: object) -> None:
    with pytest.raises(TokenRefused):
        principal_of({"sub": value}, Wanted((), (("sub", "X-User"),)))
