"""Where state, data and counters are kept, and where names are looked up."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, PlainSerializer, PlainValidator, ValidationInfo, WithJsonSchema

from config.models.model import Model, as_list, text
from config.models.values import (
    HeaderName,
    Secret,
    SecretReference,
    is_ip_address,
    parse_secret,
    resolved,
    split_host_port,
)
from config.units import Duration, Refused, between, shown

_STORE_URL_EXPECTED = (
    "a URL such as redis://10.0.0.5:6379/0, or a reference (env:NAME, file:path) when it has a password"
)


def _store_url(value: object, info: ValidationInfo) -> str | SecretReference:
    if isinstance(value, SecretReference):
        return value
    written = text(value, _STORE_URL_EXPECTED)
    if written.startswith(("env:", "file:")):
        return parse_secret(written, info)
    try:
        parts = urlsplit(written)
        is_sound = parts.scheme in {"redis", "rediss"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise Refused("a malformed URL", _STORE_URL_EXPECTED) from None
    if parts.password is not None or parts.username is not None:
        raise Refused("a URL with credentials in it", _STORE_URL_EXPECTED)
    if not is_sound:
        raise Refused(shown(value), _STORE_URL_EXPECTED)
    return written


StoreUrl = Annotated[
    str | SecretReference,
    PlainValidator(_store_url),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["redis://10.0.0.5:6379/0", "env:REDIS_URL"]}),
]
"""A server's URL, or a reference to it where it holds a password."""


class EmbeddedStore(Model):
    """In the node's own `data_dir`; needs no service."""

    kind: Literal["embedded"] = "embedded"


class RedisState(Model):
    """Independent Redis servers."""

    kind: Literal["redis"]
    urls: Annotated[tuple[StoreUrl, ...], Field(min_length=1)]
    """Independent servers, one a region."""


class PostgresStore(Model):
    """A PostgreSQL server."""

    kind: Literal["postgres"]
    dsn: Secret
    """Reference to the connection string."""


class LocalLimits(Model):
    """Counters of this node only."""

    kind: Literal["local"] = "local"


class RedisLimits(Model):
    """Counters that nodes share through Redis."""

    kind: Literal["redis"]
    region: StoreUrl
    """Server that counts for this region."""
    global_: StoreUrl | None = Field(default=None, alias="global")
    """Server that counts for all regions."""


class Stores(Model):
    """Where state, data and counters are kept."""

    state: Annotated[EmbeddedStore | RedisState | PostgresStore, Field(discriminator="kind")] = EmbeddedStore()
    """Leases, membership, drains and decisions."""
    data: Annotated[EmbeddedStore | PostgresStore, Field(discriminator="kind")] = EmbeddedStore()
    """The clients' data and its change log."""
    limits: Annotated[LocalLimits | RedisLimits, Field(discriminator="kind")] = LocalLimits()
    """Counters of rate limits wider than a node."""


_RESOLVERS_EXPECTED = "system, or a list of addresses such as 10.0.0.53 or 10.0.0.53:53"


def _resolvers(value: object) -> str | tuple[str, ...]:
    if value == "system":
        return "system"
    if not isinstance(value, list | tuple) or not value:
        raise Refused(shown(value), _RESOLVERS_EXPECTED)
    for server in value:
        if not is_ip_address(text(server, _RESOLVERS_EXPECTED)):
            host, _ = split_host_port(server, _RESOLVERS_EXPECTED)
            if not is_ip_address(host):
                raise Refused(shown(server), _RESOLVERS_EXPECTED)
    return tuple(value)


_RESOLVERS_SCHEMA: dict[str, Any] = {
    "anyOf": [{"const": "system"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
}


class Discovery(Model):
    """How endpoints given by name are looked up."""

    resolvers: Annotated[
        str | tuple[str, ...], PlainValidator(_resolvers), PlainSerializer(as_list), WithJsonSchema(_RESOLVERS_SCHEMA)
    ] = "system"
    """`system`, or the name servers to ask."""
    min_ttl: Annotated[Duration, between("100ms", "1d")] = 5.0
    """An answer is kept at least this long."""
    max_ttl: Annotated[Duration, between("100ms", "30d")] = 300.0
    """An answer is kept at most this long."""


def _database(value: object, info: ValidationInfo) -> str:
    written = text(value, "bundled, or the path of an .mmdb file")
    return written if written == "bundled" else resolved(written, info)


class Geo(Model):
    """Where a client is, as far as its address tells."""

    database: Annotated[str, PlainValidator(_database), WithJsonSchema({"type": "string"})] = "bundled"
    """`bundled` (registry data), or the path of any .mmdb file."""
    country_header: HeaderName | None = None
    """Header that carries the client's country, believed from `trusted_proxies` only; such as CF-IPCountry."""
