from __future__ import annotations

import datetime as dt
import ipaddress
import string

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.certificate import dns_names

KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(*names: x509.GeneralName, is_critical: bool = False) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "common.test")])
    builder = (
        x509.CertificateBuilder(subject, subject, KEY.public_key(), 7)
        .not_valid_before(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2027, 1, 1, tzinfo=dt.UTC))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=is_critical)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize("is_critical", [False, True])
def test_dns_names_are_read_in_order_and_in_lower_case(is_critical: bool) -> None:
    names = [x509.DNSName("B.test"), x509.DNSName("*.a.test")]
    assert dns_names(certificate(*names, is_critical=is_critical)) == ("b.test", "*.a.test")


def test_addresses_and_other_kinds_of_names_are_passed_over() -> None:
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    assert dns_names(certificate(address, x509.RFC822Name("a@b.test"), x509.DNSName("c.test"))) == ("c.test",)


def test_the_common_name_is_no_name_to_serve() -> None:
    assert dns_names(certificate()) == ()


def test_names_beyond_127_bytes_together_are_read() -> None:
    many = [f"host-{number}.test" for number in range(500)]
    assert dns_names(certificate(*(x509.DNSName(name) for name in many))) == tuple(many)


@given(st.lists(st.text(string.ascii_lowercase + "-.*", min_size=1, max_size=40), min_size=1, max_size=10))
def test_whatever_names_are_written_are_the_ones_read(names: list[str]) -> None:
    assert dns_names(certificate(*(x509.DNSName(name) for name in names))) == tuple(names)


WHOLE = certificate(x509.DNSName("a.test"))


@given(st.integers(0, len(WHOLE) - 1))
def test_a_certificate_that_is_cut_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="DER"):
        dns_names(WHOLE[:length])


@given(st.binary(max_size=200))
def test_nonsense_is_refused_and_nothing_else_happens(data: bytes) -> None:
    with pytest.raises(ValueError, match="DER"):
        dns_names(data)


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_a_certificate_with_a_wrong_byte_gives_names_or_is_refused(at: int, byte: int) -> None:
    try:
        names = dns_names(WHOLE[:at] + bytes((byte,)) + WHOLE[at + 1 :])
    except ValueError:
        return
    assert all(name.isascii() for name in names)
