"""Certificates made for one test: authorities, what they signed, and contexts to speak with.

authority = Authority(tmp_path)
authority.issue("a.test")                # {"certificate": path, "private_key": path}, as a configuration names them
authority.client(certificate=...)        # a client that trusts this authority
"""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

import trustme


class Authority:
    """One authority, its file, and files of what it signs."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._name = name
        self._made = trustme.CA(organization_name=name, key_type=trustme.KeyType.ECDSA)
        self._issued = 0
        self.file = folder / f"{name}.pem"
        self._made.cert_pem.write_to_path(self.file)

    def issue(
        self,
        *names: str,
        common_name: str | None = None,
        expired: bool = False,
        key: trustme.KeyType = trustme.KeyType.ECDSA,
    ) -> dict[str, str]:
        """A certificate and its key, as a configuration names them."""
        self._issued += 1
        leaf = self._made.issue_cert(
            *names,
            common_name=common_name,
            organization_name="Example",
            key_type=key,
            not_after=dt.datetime(2020, 1, 1, tzinfo=dt.UTC) if expired else None,
        )
        certificate = self._folder / f"{self._name}-{self._issued}.crt"
        private_key = self._folder / f"{self._name}-{self._issued}.key"
        certificate.write_bytes(b"".join(part.bytes() for part in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(private_key)
        return {"certificate": str(certificate), "private_key": str(private_key)}

    def client(
        self, *, certificate: dict[str, str] | None = None, newest: ssl.TLSVersion | None = None
    ) -> ssl.SSLContext:
        """A client that trusts this authority, and shows a certificate if it has one."""
        context = ssl.create_default_context(cafile=str(self.file))
        if certificate is not None:
            context.load_cert_chain(certificate["certificate"], certificate["private_key"])
        if newest is not None:
            context.maximum_version = newest
        return context

    def server(self, pair: dict[str, str], *, client_ca: Path | None = None) -> ssl.SSLContext:
        """A server that shows `pair`, and asks clients for a certificate if it is told whose."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair["certificate"], pair["private_key"])
        if client_ca is not None:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context
