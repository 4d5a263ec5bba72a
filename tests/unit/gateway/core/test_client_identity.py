from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.client_identity import identity_fields, spell_name


def name(*relative: tuple[tuple[str, str], ...]) -> tuple[tuple[tuple[str, str], ...], ...]:
    return relative


def test_the_most_specific_part_of_a_name_comes_first() -> None:
    subject = name((("countryName", "DE"),), (("organizationName", "Example"),), (("commonName", "alice"),))
    assert spell_name(subject) == "CN=alice,O=Example,C=DE"


def test_parts_of_one_level_are_joined_by_plus() -> None:
    assert spell_name(name((("commonName", "alice"), ("userId", "7")))) == "CN=alice+UID=7"


@pytest.mark.parametrize(
    ("value", "spelt"),
    [
        ("Smith, John", "Smith\\, John"),
        ('say "hi"', 'say \\"hi\\"'),
        ("a+b=c", "a\\+b\\=c"),
        ("#hash", "\\#hash"),
        ("no # inside", "no # inside"),
        (" padded ", "\\ padded\\ "),
        ("Zoë", "Zo\\C3\\AB"),
        ("a\r\nX-Admin: 1", "a\\0D\\0AX-Admin: 1"),
        ("\0", "\\00"),
        ("back\\slash", "back\\\\slash"),
        ("", ""),
    ],
)
def test_what_could_be_misread_is_escaped(value: str, spelt: str) -> None:
    assert spell_name(name((("commonName", value),))) == f"CN={spelt}"


def test_a_kind_without_a_short_name_keeps_its_own() -> None:
    assert spell_name(name((("1.2.3.4", "x"),), (("serial number:\r\n", "y"),))) == "serialnumber=y,1.2.3.4=x"


def test_the_certificate_is_a_structured_byte_sequence() -> None:
    lines = identity_fields(b"\x30\x82\xff", name((("commonName", "a"),)))
    assert lines == b"Client-Cert: :" + base64.b64encode(b"\x30\x82\xff") + b":\r\nX-Client-Cert-Subject: CN=a\r\n"


@given(st.binary(max_size=300), st.lists(st.tuples(st.text(max_size=10), st.text(max_size=20)), max_size=4))
def test_no_name_ever_ends_its_line(der: bytes, parts: list[tuple[str, str]]) -> None:
    lines = identity_fields(der, tuple((part,) for part in parts))
    assert lines.count(b"\r") == lines.count(b"\n") == 2
    assert all(32 <= byte < 127 for byte in lines.replace(b"\r\n", b""))
