"""Who may use a route: networks, countries, and how a client proves who it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer, PlainValidator, ValidationInfo, WithJsonSchema

from config.models.model import Model, matching, text
from config.models.values import (
    Country,
    HeaderName,
    Label,
    Network,
    Secret,
    SecretReference,
    Slug,
    Url,
    parse_secret,
    url_of,
)
from config.units import Duration, between

JwtAlgorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"
]
"""Signatures by a key pair only: `none` and shared secrets have no place beside a published key set."""

ClaimName = Annotated[str, *matching(r"[!-~]{1,100}", "the name of a claim, such as sub")]


class Countries(Model):
    """By the client's address; a hint, never proof."""

    allow: tuple[Country, ...] = ()
    """Only these, when any are given."""
    deny: tuple[Country, ...] = ()
    """Never these."""
    unknown: Literal["allow", "deny"] = "allow"
    """For addresses whose country is not known."""


class NoAuthentication(Model):
    """Nobody has to say who they are."""

    kind: Literal["none"] = "none"


class BasicAuthentication(Model):
    """User name and password."""

    kind: Literal["basic"]
    users: Secret
    """Reference to the file of users and password hashes."""


class ApiKeyAuthentication(Model):
    """A key in a header."""

    kind: Literal["api_key"]
    keys: Secret
    """Reference to the file of keys."""
    header: HeaderName = "X-Api-Key"
    """Header that carries the key."""


def _key_set_place(value: object, info: ValidationInfo) -> str | SecretReference:
    if isinstance(value, SecretReference):
        return value
    written = text(value, _KEY_SET_EXPECTED)
    if written.startswith(("env:", "file:")):
        return parse_secret(written, info)
    return url_of("http", "https")(written)


_KEY_SET_EXPECTED = "a URL such as https://auth.example.com/jwks.json, or file:path"
KeySetPlace = Annotated[
    str | SecretReference,
    PlainValidator(_key_set_place),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["https://auth.example.com/jwks.json", "file:keys/jwks.json"]}),
]
"""Public keys are no secret; a file of them is named and watched like one."""


class JwtAuthentication(Model):
    """A signed token (RFC 7519)."""

    kind: Literal["jwt"]
    jwks: KeySetPlace
    """Where the issuer publishes its keys: a URL, or file:path."""
    algorithms: Annotated[tuple[JwtAlgorithm, ...], Field(min_length=1)] = ("RS256", "ES256")
    """Signatures that are taken."""
    issuer: Label
    """Who must have issued the token."""
    audience: Label
    """Whom the token must be for."""
    leeway: Annotated[Duration, between("0s", "10m")] = 30.0
    """How far the issuer's clock may be off."""
    claims_to_headers: Mapping[ClaimName, HeaderName] = {}
    """Claims that the upstream gets as headers."""


class OauthIntrospection(Model):
    """A token that its issuer is asked about (RFC 7662)."""

    kind: Literal["oauth_introspection"]
    url: Url
    """Where to ask."""
    client_id: Label
    """Who asks."""
    client_secret: Secret
    """Reference to the asker's secret, env:NAME or file:path."""
    cache: Annotated[Duration, between("0s", "1h")] = 30.0
    """How long an answer is believed."""


class ClientCertificateAuthentication(Model):
    """A certificate, checked by the listener's `client_ca`."""

    kind: Literal["client_certificate"]


Authentication = Annotated[
    NoAuthentication
    | BasicAuthentication
    | ApiKeyAuthentication
    | JwtAuthentication
    | OauthIntrospection
    | ClientCertificateAuthentication,
    Field(discriminator="kind"),
]


class Access(Model):
    """Who may use the route; everybody by default."""

    allow: tuple[Network, ...] = ()
    """Only these networks, when any are given."""
    deny: tuple[Network, ...] = ()
    """Never these networks."""
    countries: Countries = Countries()
    authentication: Authentication = NoAuthentication()
    permissions: Mapping[Slug, tuple[Literal["read", "write"], ...]] | None = None
    """For `builtin:data`: what may be done to which collection; everything to all of them by default."""
