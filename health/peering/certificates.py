"""Mutual TLS between nodes: both contexts, and whether a certificate may speak for a region.

A certificate speaks for a region when it names it: as its common name, as a DNS name, as the URI
`tidegate://region/<id>`; or when it is good for a host that the configuration lists among that region's `peers`.
"""

from __future__ import annotations

import ssl
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from config.certificates import load_authorities, load_pair
from config.models import PeerTls


def files_of(tls: PeerTls | None) -> tuple[str, ...]:
    """Every file that both contexts are made from."""
    return () if tls is None else (str(tls.certificate), str(tls.private_key), str(tls.ca))


def server_context(tls: PeerTls) -> ssl.SSLContext:
    """Raises `config.certificates.CertificateUnusable`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    return _completed(context, tls)


def client_context(tls: PeerTls) -> ssl.SSLContext:
    """Raises `config.certificates.CertificateUnusable`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return _completed(context, tls)


def _completed(context: ssl.SSLContext, tls: PeerTls) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    load_pair(context, tls.certificate, tls.private_key)
    load_authorities(context, tls.ca)
    return context


def speaks_for(certificate: Mapping[str, Any] | None, region: str, hosts: Collection[str]) -> bool:
    """`certificate` as `SSLSocket.getpeercert` gives it; `hosts` are those of the region's configured peers."""
    if not certificate:
        return False
    return any(name == region or name in hosts for name in _names(certificate)) or any(
        kind == "URI" and value == f"tidegate://region/{region}"
        for kind, value in certificate.get("subjectAltName", ())
    )


def _names(certificate: Mapping[str, Any]) -> Iterator[str]:
    for part in certificate.get("subject", ()):
        yield from (value for key, value in part if key == "commonName")
    for kind, value in certificate.get("subjectAltName", ()):
        if kind in {"DNS", "IP Address"} and "*" not in value:
            yield value
