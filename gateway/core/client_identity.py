"""Who is the client, by its verified certificate? What an upstream is told, in two fields of every request.

    Client-Cert: :MIIB...:                     the certificate itself, as RFC 9440 writes it
    X-Client-Cert-Subject: CN=alice,O=Example  its subject, as RFC 4514 writes it, for people and simple rules

Only a certificate that was verified is passed on, so an upstream needs no further proof than that it was asked by us.
What a client sends under these names, under `Client-Cert-Chain` or under Envoy's `X-Forwarded-Client-Cert` is dropped
on every listener (gateway/core/head.py).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Final

DistinguishedName = Sequence[Sequence[tuple[str, str]]]
"""As `ssl.SSLSocket.getpeercert` has it: relative names, the most general first."""

_SHORT_NAMES: Final = {
    "commonName": "CN",
    "countryName": "C",
    "domainComponent": "DC",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "stateOrProvinceName": "ST",
    "streetAddress": "STREET",
    "userId": "UID",
}
_ESCAPED: Final = frozenset(',+"\\<>;=')


def identity_fields(der: bytes, subject: DistinguishedName) -> bytes:
    """The field lines that tell an upstream, each ended by CRLF."""
    encoded = base64.b64encode(der)
    return b"Client-Cert: :%b:\r\nX-Client-Cert-Subject: %b\r\n" % (encoded, spell_name(subject).encode("ascii"))


def spell_name(name: DistinguishedName) -> str:
    """RFC 4514, in ASCII: the most specific relative name first, every byte that is not plain ASCII as `\\XX`."""
    return ",".join(
        "+".join(f"{_SHORT_NAMES.get(kind, _plain(kind))}={_escape(value)}" for kind, value in relative)
        for relative in reversed(name)
    )


def _plain(kind: str) -> str:
    return "".join(letter for letter in kind if letter.isascii() and (letter.isalnum() or letter in ".-"))


def _escape(value: str) -> str:
    spelt = []
    last = len(value) - 1
    for at, letter in enumerate(value):
        if letter in _ESCAPED or (letter == "#" and at == 0) or (letter == " " and at in (0, last)):
            spelt.append("\\" + letter)
        elif " " <= letter <= "~":
            spelt.append(letter)
        else:
            spelt.append("".join(f"\\{byte:02X}" for byte in letter.encode("utf-8", "surrogatepass")))
    return "".join(spelt)
