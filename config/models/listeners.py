"""Where clients, operators and other regions connect: listeners, the admin address, the peer address."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from config.models.model import Model, Refusal
from config.models.values import Bind, BindAddress, ExistingFile, Label, Network, Secret, Slug
from config.units import Duration, Size, between


class CertificatePair(Model):
    """A certificate and its key."""

    certificate: ExistingFile
    """PEM file with the certificate and its chain."""
    private_key: ExistingFile
    """PEM file with the certificate's private key."""


class ServerTls(Model):
    """TLS as a server offers it."""

    certificates: Annotated[tuple[CertificatePair, ...], Field(min_length=1)]
    """Chosen by the name that the client asks for (SNI); reloaded when a file changes."""
    min_version: Literal["TLSv1.2", "TLSv1.3"] = "TLSv1.2"
    """Oldest version that is spoken."""
    ciphers: Label = "default"
    """`default`, or a list in OpenSSL's notation."""
    client_certificate: Literal["none", "optional", "require"] = "none"
    """Whether clients may or must show a certificate."""
    client_ca: ExistingFile | None = None
    """PEM file with the authorities that may have signed clients' certificates."""

    @model_validator(mode="after")
    def _client_certificates_can_be_checked(self) -> Self:
        if self.client_certificate != "none" and self.client_ca is None:
            raise Refusal(
                f"client_certificate: {self.client_certificate} without client_ca",
                "the file of authorities to check client certificates against",
                "client_certificate",
            )
        return self


class ListenerLimits(Model):
    """What one listener of a node bears; beyond it the sender is refused, never the memory used."""

    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    """Connections at a time."""
    max_request_line: Annotated[Size, between("64B", "1MiB")] = 8 << 10
    """Longest request line; a longer one is answered 414."""
    max_header_bytes: Annotated[Size, between("256B", "1MiB")] = 32 << 10
    """All header fields of a request together; more is answered 431."""
    max_headers: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Header fields of a request; more is answered 431."""
    max_body: Size | None = None
    """Largest request body; a larger one is answered 413. Unlimited by default, since bodies are streamed."""
    max_streams: Annotated[int, Field(ge=0, le=1_000_000)] = 10_000
    """Tunnels, event streams and long polls at a time."""


class ListenerTimeouts(Model):
    """How long a client may keep a listener waiting."""

    tls_handshake: Annotated[Duration, between("1ms", "1h")] = 10.0
    """From the connection to the end of the handshake."""
    header: Annotated[Duration, between("1ms", "1h")] = 10.0
    """From a request's first byte to the end of its head."""
    idle: Annotated[Duration, between("1ms", "1d")] = 75.0
    """Between requests on a kept connection."""
    body_idle: Annotated[Duration, between("1ms", "1d")] = 30.0
    """Without a byte of a body that is still to come."""
    write: Annotated[Duration, between("1ms", "1d")] = 30.0
    """Without the client taking a byte of the answer."""
    tunnel_idle: Annotated[Duration, between("1ms", "30d")] = 3600.0
    """Without a byte either way in an upgraded connection."""


class Listener(Model):
    """One address that clients connect to."""

    name: Slug
    """What routes and logs call it."""
    bind: BindAddress
    """Address and port to listen on."""
    tls: ServerTls | None = None
    """TLS; plain without."""
    trusted_proxies: tuple[Network, ...] = ()
    """Whose Forwarded, X-Forwarded-* and PROXY headers are believed."""
    proxy_protocol: bool = False
    """Whether connections start with a PROXY header."""
    limits: ListenerLimits = ListenerLimits()
    timeouts: ListenerTimeouts = ListenerTimeouts()


DEFAULT_LISTENER = Listener(name="public", bind=Bind("127.0.0.1", 8080))
"""What a file without `listeners` gets: reachable from this machine only."""


class AdminToken(Model):
    """A bearer token for the admin API."""

    name: Slug
    """Who acts; written to the audit log."""
    role: Literal["viewer", "operator", "admin"]
    """viewer reads, operator drains and promotes, admin does everything."""
    token: Secret
    """Reference to the token, env:NAME or file:path."""
    expires: dt.date | None = None
    """Last day on which the token is taken; never by default."""


class Admin(Model):
    """The admin API and dashboard. Without tokens: loopback only, viewer only."""

    bind: BindAddress = Bind("127.0.0.1", 9900)
    """Address and port to listen on."""
    tls: ServerTls | None = None
    tokens: tuple[AdminToken, ...] = ()


class PeerTls(Model):
    """Mutual TLS between regions."""

    certificate: ExistingFile
    """PEM file with this node's certificate."""
    private_key: ExistingFile
    """PEM file with its private key."""
    ca: ExistingFile
    """PEM file with the authority that signs all nodes' certificates."""


class Peer(Model):
    """Region to region: replication, votes, lag."""

    bind: BindAddress
    """Address and port to listen on."""
    tls: PeerTls | None = None
    secret: Secret | None = None
    """Signed requests instead of TLS: on loopback, or where all regions may hold all data."""

    @model_validator(mode="after")
    def _exactly_one_proof_of_identity(self) -> Self:
        if (self.tls is None) == (self.secret is None):
            raise Refusal("both tls and secret" if self.tls else "neither tls nor secret", "one of them")
        return self
