from __future__ import annotations

import ssl

from bench.handshakes import client_context


def test_clients_speak_the_newest_version_and_nothing_else() -> None:
    context = client_context()
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert context.verify_mode is ssl.CERT_NONE
