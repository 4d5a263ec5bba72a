"""For which host names does a certificate stand? The DNS names of its subjectAltName, read from its DER bytes.

    Certificate ── TBSCertificate ── [3] extensions ── 2.5.29.17 ── GeneralNames ── [2] dNSName

The interpreter's own decoder is not public. Only what lies on this path is read; the rest is skipped by its length.
The common name is not looked at: clients have not matched it since RFC 9525.

Sources: RFC 5280 sections 4.1 and 4.2.1.6, X.690 (DER).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_SEQUENCE: Final = 0x30
_OBJECT_ID: Final = 0x06
_OCTETS: Final = 0x04
_EXTENSIONS: Final = 0xA3
_DNS_NAME: Final = 0x82
_SUBJECT_ALT_NAME: Final = bytes((0x55, 0x1D, 0x11))


def dns_names(der: bytes) -> tuple[str, ...]:
    """In lower case, in the order written; wildcards as they stand. Raises ValueError for what is no certificate."""
    to_be_signed = _only(_only(der, _SEQUENCE), _SEQUENCE)
    for tag, content in _elements(to_be_signed):
        if tag == _EXTENSIONS:
            for _, extension in _elements(_only(content, _SEQUENCE)):
                parts = list(_elements(extension))
                if parts and parts[0] == (_OBJECT_ID, _SUBJECT_ALT_NAME) and parts[-1][0] == _OCTETS:
                    names = _elements(_only(parts[-1][1], _SEQUENCE))
                    return tuple(name.decode("ascii").lower() for kind, name in names if kind == _DNS_NAME)
    return ()


def _only(data: bytes, tag: int) -> bytes:
    """The content of the first element, which must be a `tag`."""
    for found, content in _elements(data):
        if found == tag:
            return content
        break
    raise ValueError(f"DER without the element {tag:#x}")


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            raise ValueError("DER that ends within an element")
        tag, length = data[at], data[at + 1]
        at += 2
        if length >= 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        if at + length > len(data):
            raise ValueError("DER that ends within an element")
        yield tag, data[at : at + length]
        at += length
