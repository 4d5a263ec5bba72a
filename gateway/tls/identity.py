"""Who is at the other end, by the certificate that the handshake has verified?"""

from __future__ import annotations

import ssl
from typing import cast

from gateway.core.client_identity import DistinguishedName, identity_fields


def identity_of(tls: ssl.SSLObject) -> bytes:
    """Field lines for upstreams; empty for a client that showed no certificate.

    A certificate that fails verification fails the handshake, so none that is here is unverified.
    """
    der = tls.getpeercert(binary_form=True)
    if der is None:
        return b""
    shown = tls.getpeercert() or {}
    return identity_fields(der, cast(DistinguishedName, shown.get("subject", ())))
