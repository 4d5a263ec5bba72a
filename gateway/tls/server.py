"""What does a listener show to its clients, and whom of them does it let in?

    ClientHello ── name (SNI) ──> the certificate with that name, else the first
                └─ versions, ciphers, ALPN, client certificate: the same for all names

A `ServerSide` is made whole and never changed: a reload makes another one, and connections whose handshake has begun
keep theirs. Each has ticket keys of its own, so that no session outlives the authorities it was checked against; and
each worker has its own, so a client that comes back to another worker shakes hands in full (docs/decisions/0006).
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.certificates import CertificateUnusable, load_authorities, load_pair, set_ciphers
from config.models import ServerTls
from gateway.core.certificate import dns_names
from gateway.core.server_names import ServerNames
from gateway.errors import TlsMaterialRefused

ALPN: Final = ("http/1.1",)
_VERSIONS: Final = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
_CLIENT_CERTIFICATES: Final = {
    "none": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "require": ssl.CERT_REQUIRED,
}


@dataclass(frozen=True, slots=True)
class ServerSide:
    """One listener's TLS."""

    context: ssl.SSLContext
    """Of the first certificate; it hands over to the others by the name that the client asks for."""
    digest: str
    """Of all that it was made from, settings and contents of files."""


def reason_of(error: ssl.SSLError) -> str:
    """OpenSSL's name for what went wrong; empty for errors that are not its own."""
    reason: str | None = getattr(error, "reason", None)
    return reason or ""


def files_of(tls: ServerTls) -> tuple[str, ...]:
    """Every file that it is made from."""
    pairs = [str(file) for pair in tls.certificates for file in (pair.certificate, pair.private_key)]
    return (*pairs, str(tls.client_ca)) if tls.client_ca is not None else tuple(pairs)


def load_server_side(tls: ServerTls) -> ServerSide:
    """Raises `TlsMaterialRefused` with one sentence on the first thing that is wrong."""
    digest = digest_of(repr(tls), files_of(tls))  # first: a file that changes from here on is seen to differ
    groups: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for pair in tls.certificates:
        certificate = str(pair.certificate)
        groups.setdefault(_names(certificate), []).append((certificate, str(pair.private_key)))
    contexts = [_context(tls, pairs) for pairs in groups.values()]
    names = ServerNames(list(groups))

    def hand_over(connection: ssl.SSLObject | ssl.SSLSocket, server_name: str | None, _: ssl.SSLContext) -> None:
        position = names.choose(server_name)
        if position:
            connection.context = contexts[position]

    contexts[0].sni_callback = hand_over
    return ServerSide(contexts[0], digest)


def _context(tls: ServerTls, pairs: Sequence[tuple[str, str]]) -> ssl.SSLContext:
    """One set of names. Certificates for the same names differ by the kind of their key, and OpenSSL picks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[tls.min_version]
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(list(ALPN))
    _usable(f"ciphers {tls.ciphers}", lambda: set_ciphers(context, tls.ciphers))
    for certificate, private_key in reversed(pairs):  # the last one loaded of a kind serves
        add_pair(context, certificate, private_key)
    if tls.client_ca is not None and tls.client_certificate != "none":
        add_authorities(context, str(tls.client_ca))
        context.verify_mode = _CLIENT_CERTIFICATES[tls.client_certificate]
    return context


def add_pair(context: ssl.SSLContext, certificate: str, private_key: str) -> None:
    """Raises `TlsMaterialRefused` where they are not a certificate and its key."""
    _usable(f"{certificate} with {private_key}", lambda: load_pair(context, certificate, private_key))


def add_authorities(context: ssl.SSLContext, file: str) -> None:
    """Raises `TlsMaterialRefused` where the file holds no certificate."""
    _usable(file, lambda: load_authorities(context, file))


def _usable(what: str, load: Callable[[], None]) -> None:
    try:
        load()
    except CertificateUnusable as error:
        raise TlsMaterialRefused(f"{what}: {error}") from error


def digest_of(settings: str, files: Sequence[str]) -> str:
    """What tells this material from any other."""
    digest = hashlib.sha256(settings.encode())
    for file in files:
        try:
            content = Path(file).read_bytes()
        except OSError as error:
            raise TlsMaterialRefused(f"{file}: {(error.strerror or str(error)).lower()}") from error
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def _names(file: str) -> tuple[str, ...]:
    try:
        text = Path(file).read_text(encoding="ascii", errors="replace")
        start, end = text.index(ssl.PEM_HEADER), text.index(ssl.PEM_FOOTER) + len(ssl.PEM_FOOTER)
        return dns_names(ssl.PEM_cert_to_DER_cert(text[start:end]))
    except OSError as error:
        raise TlsMaterialRefused(f"{file}: {(error.strerror or str(error)).lower()}") from error
    except ValueError as error:
        raise TlsMaterialRefused(f"{file}: no certificate in PEM form") from error
