"""Can the certificates, keys and authorities that a configuration names be used?

    a certificate with its key        PEM, a pair, no passphrase
    authorities                       PEM, at least one
    ciphers                           OpenSSL knows at least one of them

`gateway/tls` loads them the same way; here it is tried, so that an operator hears of a mistake with line and column,
and not from a listener that will not start. Files that are not there are told by `config/named.py`.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

from config.models import Config, ServerTls, UpstreamTls
from config.problems import Finding, KeyPath


class CertificateUnusable(Exception):
    """What OpenSSL says of it, in a few lower-case words."""


def load_pair(context: ssl.SSLContext, certificate: str, private_key: str) -> None:
    """Raises `CertificateUnusable` where they are not a certificate and its key, or cannot be read."""
    _tried(lambda: context.load_cert_chain(certificate, private_key, password=_no_password))


def load_authorities(context: ssl.SSLContext, file: str) -> None:
    """Raises `CertificateUnusable` where the file holds no certificate, or cannot be read."""
    _tried(lambda: context.load_verify_locations(file))


def set_ciphers(context: ssl.SSLContext, ciphers: str) -> None:
    """`default` leaves them as they are. Raises `CertificateUnusable` where OpenSSL knows none of them."""
    if ciphers != "default":
        try:
            context.set_ciphers(ciphers)
        except ssl.SSLError as error:
            raise CertificateUnusable("no cipher match") from error


def check(config: Config) -> Iterator[Finding]:
    for index, listener in enumerate(config.listeners):
        if listener.tls is not None:
            yield from _server(("listeners", index, "tls"), listener.tls)
    if config.admin.tls is not None:
        yield from _server(("admin", "tls"), config.admin.tls)
    for index, service in enumerate(config.services):
        if service.upstream_tls is not None:
            yield from _client(("services", index, "upstream_tls"), service.upstream_tls)
    for index, region in enumerate(config.regions):
        if region.gateway_tls is not None:
            yield from _client(("regions", index, "gateway_tls"), region.gateway_tls)


def _server(path: KeyPath, tls: ServerTls) -> Iterator[Finding]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for index, pair in enumerate(tls.certificates):
        where = (*path, "certificates", index, "certificate")
        yield from _pair(where, context, str(pair.certificate), str(pair.private_key))
    if tls.client_ca is not None:
        yield from _authorities((*path, "client_ca"), context, str(tls.client_ca))
    try:
        set_ciphers(context, tls.ciphers)
    except CertificateUnusable as error:
        yield Finding((*path, "ciphers"), f"{tls.ciphers} ({error})", "default, or a list in OpenSSL's notation")


def _client(path: KeyPath, tls: UpstreamTls) -> Iterator[Finding]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if tls.ca is not None:
        yield from _authorities((*path, "ca"), context, str(tls.ca))
    if tls.client_certificate is not None and tls.client_key is not None:
        where = (*path, "client_certificate")
        yield from _pair(where, context, str(tls.client_certificate), str(tls.client_key))


def _pair(path: KeyPath, context: ssl.SSLContext, certificate: str, private_key: str) -> Iterator[Finding]:
    if Path(certificate).is_file() and Path(private_key).is_file():
        try:
            load_pair(context, certificate, private_key)
        except CertificateUnusable as error:
            found = f"{certificate} with {private_key} ({error})"
            yield Finding(path, found, "a certificate and its own key, both in PEM form")


def _authorities(path: KeyPath, context: ssl.SSLContext, file: str) -> Iterator[Finding]:
    if Path(file).is_file():
        try:
            load_authorities(context, file)
        except CertificateUnusable as error:
            yield Finding(path, f"{file} ({error})", "certificates of authorities in PEM form")


def _tried(step: Callable[[], None]) -> None:
    try:
        step()
    except ssl.SSLError as error:
        # Where a file holds nothing of use, OpenSSL has no reason to name.
        raise CertificateUnusable((error.reason or "nothing in PEM form").replace("_", " ").lower()) from error
    except OSError as error:
        raise CertificateUnusable((error.strerror or str(error)).lower()) from error
    except ValueError as error:
        raise CertificateUnusable(str(error)) from error


def _no_password() -> str:
    """Without it OpenSSL would ask at the terminal."""
    raise ValueError("a private key with a passphrase, expected one without")
