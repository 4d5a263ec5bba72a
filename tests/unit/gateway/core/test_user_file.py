"""The file of users, and passwords that were right before."""

from __future__ import annotations

import pytest

from gateway.core.credentials import Password
from gateway.core.key_file import CredentialFileRefused
from gateway.core.user_file import NOBODYS_HASH, Verified, read_users

HASH = "$2y$05$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234"


def test_users_have_their_hashes_and_nobody_costs_as_much_as_somebody() -> None:
    users = read_users(f"# users\nalice:{HASH}\nbob@example.com:{HASH}\n".encode())
    assert users.hash_of("alice") == HASH.encode()
    assert users.hash_of("carol") is None
    assert users.nobodys[:7] == b"$2y$05$"
    assert len(users.nobodys) == len(NOBODYS_HASH) == 60


@pytest.mark.parametrize(
    "content",
    [
        "alice:plain",
        "alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
        "alice:$apr1$abc$def",
        f"alice:{HASH[:-1]}",
        f"alice:{HASH.replace('05', '31')}",
        f"alice:{HASH}\nalice:{HASH}",
        "alice",
    ],
)
def test_what_is_no_bcrypt_hash_of_one_user_is_refused(content: str) -> None:
    with pytest.raises(CredentialFileRefused, match=r"^line"):
        read_users(content.encode())


def test_what_was_right_is_known_until_the_hash_changes_or_others_push_it_out() -> None:
    verified = Verified(b"k" * 32, limit=2)
    one, two, three = (Password("u", secret) for secret in (b"1", b"2", b"3"))
    verified.remember(one, b"h")
    assert verified.knows(one, b"h")
    assert not verified.knows(one, b"changed")
    assert not verified.knows(Password("u1", b""), b"h"), "user and password cannot be cut elsewhere"
    verified.remember(two, b"h")
    assert verified.knows(one, b"h")
    verified.remember(three, b"h")
    assert [verified.knows(each, b"h") for each in (one, two, three)] == [True, False, True]
    assert len(verified) == 2
