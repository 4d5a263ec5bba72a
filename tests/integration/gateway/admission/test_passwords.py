"""Passwords on threads, bounded."""

from __future__ import annotations

import asyncio

import bcrypt

from gateway.admission.passwords import Passwords
from gateway.core.credentials import BASIC, Password
from gateway.core.principal import Principal

HASHED = bcrypt.hashpw(b"secret", bcrypt.gensalt(6))


async def test_no_more_than_so_many_wait_and_the_loop_runs_on() -> None:
    passwords = Passwords(max_waiting=2)
    shown = Password("alice", b"secret")
    was_busy = []

    async def look() -> None:
        was_busy.append(passwords.is_busy)

    found = await asyncio.gather(*(passwords.verify(shown, HASHED, HASHED, BASIC) for _ in range(2)), look())
    assert found[:2] == [Principal("alice"), Principal("alice")]
    assert was_busy == [True]
    assert not passwords.is_busy
    assert passwords.verified.knows(shown, HASHED)
    passwords.close()


async def test_an_unknown_user_is_refused_like_a_wrong_password_even_with_somebodys_password() -> None:
    passwords = Passwords()
    wrong = await passwords.verify(Password("alice", b"wrong"), HASHED, HASHED, BASIC)
    nobody = await passwords.verify(Password("bob", b"secret"), None, HASHED, BASIC)
    assert wrong == nobody
    assert len(passwords.verified) == 0
    passwords.close()
