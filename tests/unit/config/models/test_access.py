"""Every mistake in access rules is told by its place, what was found and what was expected."""

from __future__ import annotations

import pytest

from tests.unit.config.written import accepted, complaints, file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            file(route="access: {authentication: {kind: ldap}}"),
            [
                (
                    't.yaml:10:37 routes[0].access.authentication.kind: found "ldap", expected one of none, '
                    "basic, api_key, jwt, oauth_introspection, client_certificate"
                ),
            ],
            id="an unknown kind of authentication",
        ),
        pytest.param(
            file(route="access: {authentication: {kind: jwt, jwks: https://a.example/jwks, issuer: a}}"),
            [
                (
                    "t.yaml:10:30 routes[0].access.authentication.audience: found nothing, expected a value "
                    "for audience, which is required (whom the token must be for)"
                ),
            ],
            id="a token without an audience",
        ),
        pytest.param(
            file(
                route=(
                    "access: {authentication: {kind: jwt, jwks: https://a.example/jwks, issuer: a, audience: b, "
                    "algorithms: [HS256]}}"
                )
            ),
            [
                (
                    't.yaml:10:109 routes[0].access.authentication.algorithms[0]: found "HS256", expected '
                    "one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519"
                ),
            ],
            id="a signature by a shared secret",
        ),
        pytest.param(
            file(route="access: {authentication: {kind: basic, users: users.txt}}"),
            [
                (
                    "t.yaml:10:51 routes[0].access.authentication.users: found a literal value, expected a "
                    "reference, env:NAME or file:path, because a secret must not stand in the file itself"
                ),
            ],
            id="users written out",
        ),
        pytest.param(
            file(route="access: {countries: {deny: [Ireland]}}"),
            [
                (
                    't.yaml:10:33 routes[0].access.countries.deny[0]: found "Ireland", expected a country '
                    "code of two capitals (ISO 3166), such as IE"
                ),
            ],
            id="a country by its name",
        ),
        pytest.param(
            file(route="access: {deny: [everybody]}"),
            [
                (
                    't.yaml:10:21 routes[0].access.deny[0]: found "everybody", expected a network or an '
                    "address, such as 10.0.0.0/8 or 2001:db8::1"
                ),
            ],
            id="a network that is none",
        ),
        pytest.param(
            file(route="access: {permissions: {notes: [admin]}}"),
            [
                ('t.yaml:10:36 routes[0].access.permissions.notes[0]: found "admin", expected one of read, write'),
            ],
            id="a permission that is none",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: list[str]) -> None:
    assert complaints(text) == said


def test_a_route_is_open_to_everybody_unless_it_says_otherwise() -> None:
    access = accepted(file()).routes[0].access
    assert (access.allow, access.deny, access.authentication.kind) == ((), (), "none")
    assert (access.countries.unknown, access.permissions) == ("allow", None)


def test_keys_come_in_a_header_of_their_own() -> None:
    text = file(route="access: {authentication: {kind: api_key, keys: env:KEYS}}")
    authentication = accepted(text, environ={"KEYS": "x"}).routes[0].access.authentication
    assert authentication.kind == "api_key"
    assert authentication.header == "X-Api-Key"
