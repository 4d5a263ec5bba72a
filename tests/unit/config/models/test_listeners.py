"""Every mistake in listeners, admin and peer addresses is told by its place, what was found and what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from config.models import Bind
from tests.unit.config.written import accepted, complaints, file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            file(rest="listeners: [{name: public, bind: 127.0.0.1:0}]"),
            [
                (
                    't.yaml:10:34 listeners[0].bind: found "127.0.0.1:0", expected host:port to listen on, '
                    "such as 127.0.0.1:8080 or [::]:8080, with a port from 1 to 65535"
                ),
            ],
            id="port zero",
        ),
        pytest.param(
            file(rest="listeners: [{name: public, bind: 127.0.0.1:65536}]"),
            [
                (
                    't.yaml:10:34 listeners[0].bind: found "127.0.0.1:65536", expected host:port to listen '
                    "on, such as 127.0.0.1:8080 or [::]:8080, with a port from 1 to 65535"
                ),
            ],
            id="a port above 65535",
        ),
        pytest.param(
            file(rest="listeners: [{name: public, bind: 127.0.0.1}]"),
            [
                (
                    't.yaml:10:34 listeners[0].bind: found "127.0.0.1", which names no port, expected '
                    "host:port to listen on, such as 127.0.0.1:8080 or [::]:8080"
                ),
            ],
            id="no port",
        ),
        pytest.param(
            file(rest="listeners: [{name: public, bind: 127.0.0.256:80}]"),
            [
                (
                    't.yaml:10:34 listeners[0].bind: found "127.0.0.256:80", expected host:port to listen '
                    "on, such as 127.0.0.1:8080 or [::]:8080"
                ),
            ],
            id="an address that is none",
        ),
        pytest.param(
            file(rest='listeners: [{name: public, bind: "::1:80"}]'),
            [
                (
                    't.yaml:10:34 listeners[0].bind: found "::1:80", expected host:port to listen on, such '
                    "as 127.0.0.1:8080 or [::]:8080"
                ),
            ],
            id="an ipv6 address without brackets",
        ),
        pytest.param(
            file(rest="listeners: []"),
            [
                "t.yaml:10:12 listeners: found an empty list, expected at least 1 in the list",
            ],
            id="no listener at all",
        ),
        pytest.param(
            file(rest="listeners: [{bind: 127.0.0.1:80}]"),
            [
                (
                    "t.yaml:10:13 listeners[0].name: found nothing, expected a value for name, which is "
                    "required (what routes and logs call it)"
                ),
            ],
            id="a listener without a name",
        ),
        pytest.param(
            file(rest="listeners: [{name: public, bind: 127.0.0.1:80, limits: {max_connections: 0}}]"),
            [
                "t.yaml:10:74 listeners[0].limits.max_connections: found 0, expected at least 1",
            ],
            id="limits of no connections",
        ),
        pytest.param(
            file(rest="listeners: [{name: public, bind: 127.0.0.1:80, limits: {max_body: 1024}}]"),
            [
                (
                    "t.yaml:10:67 listeners[0].limits.max_body: found 1024 without a unit, expected a size "
                    "with its unit, such as 512B, 64KiB, 10MiB or 10GiB"
                ),
            ],
            id="a size without a unit",
        ),
        pytest.param(
            file(rest="listeners: [{name: public, bind: 127.0.0.1:80, limits: {max_body: 10MB}}]"),
            [
                (
                    't.yaml:10:67 listeners[0].limits.max_body: found "10MB", whose unit is none of B, KiB, '
                    "MiB, GiB, TiB, expected a size with its unit, such as 512B, 64KiB, 10MiB or 10GiB"
                ),
            ],
            id="a size in thousands",
        ),
        pytest.param(
            file(rest="listeners: [{name: public, bind: 127.0.0.1:80, trusted_proxies: [10.1.0.0/8]}]"),
            [
                (
                    't.yaml:10:66 listeners[0].trusted_proxies[0]: found "10.1.0.0/8", an address inside a '
                    "network, expected 10.0.0.0/8"
                ),
            ],
            id="a network with host bits",
        ),
        pytest.param(
            file(rest="listeners: [{name: public, bind: 127.0.0.1:80, trusted_proxies: [intranet]}]"),
            [
                (
                    't.yaml:10:66 listeners[0].trusted_proxies[0]: found "intranet", expected a network or '
                    "an address, such as 10.0.0.0/8 or 2001:db8::1"
                ),
            ],
            id="a network that is none",
        ),
        pytest.param(
            file(rest="listeners: [{name: public, bind: 127.0.0.1:80, tls: {certificates: []}}]"),
            [
                ("t.yaml:10:68 listeners[0].tls.certificates: found an empty list, expected at least 1 in the list"),
            ],
            id="tls without certificates",
        ),
        pytest.param(
            file(rest="listeners: [{name: public, bind: 127.0.0.1:80, tls: {certificates: [], min_version: TLSv1.1}}]"),
            [
                ("t.yaml:10:68 listeners[0].tls.certificates: found an empty list, expected at least 1 in the list"),
                't.yaml:10:85 listeners[0].tls.min_version: found "TLSv1.1", expected one of TLSv1.2, TLSv1.3',
            ],
            id="an old tls version",
        ),
        pytest.param(
            file(rest="admin: {tokens: [{name: ops, role: admin, token: hunter2}]}"),
            [
                (
                    "t.yaml:10:50 admin.tokens[0].token: found a literal value, expected a reference, "
                    "env:NAME or file:path, because a secret must not stand in the file itself"
                ),
            ],
            id="a token written out",
        ),
        pytest.param(
            file(rest="admin: {tokens: [{name: ops, role: admin, token: 12345}]}"),
            [
                (
                    "t.yaml:10:50 admin.tokens[0].token: found a literal value, expected a reference, "
                    "env:NAME or file:path, because a secret must not stand in the file itself"
                ),
            ],
            id="a token that is a number",
        ),
        pytest.param(
            file(rest="admin: {tokens: [{name: ops, role: root, token: env:HOME}]}"),
            [
                't.yaml:10:36 admin.tokens[0].role: found "root", expected one of viewer, operator, admin',
            ],
            id="an unknown role",
        ),
        pytest.param(
            file(rest="admin: {tokens: [{name: ops, role: admin, token: env:HOME, expires: soon}]}"),
            [
                (
                    "t.yaml:10:50 admin.tokens[0].token: found env:HOME with no such environment variable, "
                    "expected HOME to be set where the node is started"
                ),
                't.yaml:10:69 admin.tokens[0].expires: found "soon", expected a date such as 2027-06-01',
            ],
            id="an expiry that is no date",
        ),
        pytest.param(
            file(rest="peer: {bind: 127.0.0.1:9443}"),
            [
                "t.yaml:10:7 peer: found neither tls nor secret, expected one of them",
            ],
            id="a peer without proof",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: list[str]) -> None:
    assert complaints(text) == said


def test_a_file_without_listeners_gets_one_for_this_machine() -> None:
    config = accepted(file())
    assert [(one.name, one.bind) for one in config.listeners] == [("public", Bind("127.0.0.1", 8080))]
    assert config.admin.bind == Bind("127.0.0.1", 9900)


def test_limits_and_timeouts_have_the_values_of_the_contract() -> None:
    listener = accepted(file()).listeners[0]
    limits, timeouts = listener.limits, listener.timeouts
    assert (limits.max_connections, limits.max_request_line, limits.max_header_bytes) == (20_000, 8192, 32_768)
    assert (limits.max_headers, limits.max_body, limits.max_streams) == (100, None, 10_000)
    assert (timeouts.tls_handshake, timeouts.header, timeouts.idle) == (10, 10, 75)
    assert (timeouts.body_idle, timeouts.write, timeouts.tunnel_idle) == (30, 30, 3600)


def test_client_certificates_need_somebody_to_trust(tmp_path: Path) -> None:
    trustme.CA().issue_cert("a.test").private_key_and_cert_chain_pem.write_to_path(tmp_path / "pair.pem")
    pair = f"{{certificate: {tmp_path}/pair.pem, private_key: {tmp_path}/pair.pem}}"
    text = file(
        rest=f"listeners:\n  - name: public\n    bind: 127.0.0.1:80\n"
        f"    tls:\n      certificates: [{pair}]\n      client_certificate: require"
    )
    assert complaints(text) == [
        "t.yaml:15:27 listeners[0].tls.client_certificate: found client_certificate: require without client_ca, "
        "expected the file of authorities to check client certificates against"
    ]
