"""Key files that change while the configuration does not: a keyring alone, and sessions through a real data plane."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from config.core.signing import Signer
from config.mesh_keys import mesh_signer, routing_signer
from gateway.keyring import Keyring
from tests.harness.dataplane import Bench, Connection, Reply, until
from tests.harness.routing import config

LOOK_EVERY_S = 0.02


class Rotation:
    """Two files of keys, as an operator keeps them: the one that signs and the one before."""

    def __init__(self, folder: Path) -> None:
        self.signing, self.before = folder / "signing.key", folder / "before.key"

    @property
    def secrets(self) -> dict[str, Any]:
        return {"signing_keys": [f"file:{self.signing}", f"file:{self.before}"]}

    def write(self, signing: str, before: str) -> None:
        """Each file whole, in the order in which no key is missing in between."""
        for path, key in ((self.before, before), (self.signing, signing)):
            fresh = path.with_suffix(".new")
            fresh.write_text(key * 32 + "\n")
            fresh.replace(path)


@pytest.fixture
def rotation(tmp_path: Path) -> Rotation:
    found = Rotation(tmp_path)
    found.write("b", "a")
    return found


@pytest.fixture
async def following() -> AsyncIterator[Callable[[Keyring[Any]], None]]:
    tasks: list[asyncio.Task[None]] = []
    yield lambda keyring: tasks.append(asyncio.get_running_loop().create_task(keyring.run(), name="keyring"))
    for task in tasks:
        task.cancel()


def signer(*keys: str) -> Signer:
    return Signer([(key * 32).encode() for key in keys])


async def test_what_the_files_say_now_signs_and_what_they_say_no_more_verifies_nothing(
    rotation: Rotation, following: Callable[[Keyring[Any]], None]
) -> None:
    told: list[str] = []
    keyring = Keyring(lambda: told.append("changed"), make=partial(mesh_signer, environ={}), look_every_s=LOOK_EVERY_S)
    keyring.adopt(keyring.load(config(secrets=rotation.secrets)))
    following(keyring)
    by_b = keyring.signer.seal("p", b"x")
    rotation.write("c", "b")
    await until(lambda: bool(told), "the change is seen")
    assert keyring.signer.seal("p", b"x") == signer("c").seal("p", b"x")
    assert keyring.signer.opened("p", by_b) == (b"x", 1)
    told.clear()
    rotation.write("d", "c")
    await until(lambda: bool(told), "the next one too")
    assert keyring.signer.open("p", by_b) is None


async def test_a_file_that_cannot_be_used_changes_nothing(
    rotation: Rotation, following: Callable[[Keyring[Any]], None], caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []
    keyring = Keyring(lambda: told.append("changed"), make=partial(mesh_signer, environ={}), look_every_s=LOOK_EVERY_S)
    keyring.adopt(keyring.load(config(secrets=rotation.secrets)))
    following(keyring)
    good = keyring.signer
    with caplog.at_level(logging.ERROR):
        rotation.signing.write_text("\n")
        await until(lambda: "stay as they were" in caplog.text, "it is said")
    assert (keyring.signer, told) == (good, [])
    assert "empty" in caplog.text
    rotation.write("c", "b")
    await until(lambda: bool(told), "the repaired file counts")
    assert keyring.signer.seal("p", b"x") == signer("c").seal("p", b"x")


async def test_a_change_between_reading_and_following_is_news(
    rotation: Rotation, following: Callable[[Keyring[Any]], None]
) -> None:
    told: list[str] = []
    keyring = Keyring(lambda: told.append("changed"), make=partial(mesh_signer, environ={}), look_every_s=LOOK_EVERY_S)
    keys = keyring.load(config(secrets=rotation.secrets))
    rotation.write("c", "b")
    keyring.adopt(keys)
    following(keyring)
    await until(lambda: bool(told), "the change is seen")


async def test_a_configuration_that_signs_nothing_needs_no_files(tmp_path: Path) -> None:
    keyring = Keyring(lambda: None, make=partial(routing_signer, environ={}), look_every_s=LOOK_EVERY_S)
    with pytest.raises(LookupError):
        _ = keyring.signer
    keyring.adopt(keyring.load(config(secrets={"signing_keys": [f"file:{tmp_path / 'missing'}"]})))
    assert (keyring.signer, keyring.is_watching) == (None, False)


async def test_a_key_of_the_nodes_own_is_followed_as_well(tmp_path: Path) -> None:
    """It comes back from a backup, say."""
    node = {"id": "gw-eu", "region": "eu", "data_dir": str(tmp_path)}
    keyring = Keyring(lambda: None, make=partial(mesh_signer, environ={}), look_every_s=LOOK_EVERY_S)
    keys = keyring.load(config(node=node))
    assert keys.files == (str(tmp_path / "keys" / "signing"),)
    assert None not in keys.seen


async def ask(bench: Bench, cookie: bytes = b"") -> Reply:
    line = b"Cookie: %b\r\n" % cookie if cookie else b""
    return await bench.ask(b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n" % line)


def cookie_of(reply: Reply) -> bytes:
    return (reply.field(b"set-cookie") or b"").partition(b";")[0]


async def test_sessions_outlive_a_rotation_of_key_files_and_end_with_their_key(rotation: Rotation) -> None:
    """Looked at once a second, and believed at the second look: this takes some seconds."""
    service = {"sticky_session": {}, "load_balancing": {"algorithm": "round_robin"}}
    async with Bench(service=service, document={"secrets": rotation.secrets}) as bench:

        async def named(connection: Connection, name: bytes) -> None:
            while True:
                await connection.head()
                await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + name)

        for name in (b"1", b"2", b"3"):
            await bench.endpoint(partial(named, name=name))
        await bench.publish()
        first = await ask(bench)
        session = cookie_of(first)

        async def rotated(signing: str, before: str) -> None:
            routing = bench.plane.snapshot.routing if bench.plane.snapshot else None
            rotation.write(signing, before)
            await until(
                lambda: bench.plane.snapshot is not None and bench.plane.snapshot.routing is not routing,
                "the keys are read anew",
            )

        await rotated("c", "b")
        for _ in range(3):
            kept = await ask(bench, session)
            assert kept.body == first.body
            assert cookie_of(kept), "by the new key, so that the old one may go"
        renewed = cookie_of(kept)
        await rotated("d", "c")
        again = await ask(bench, renewed)
        assert again.body == first.body
        lost = await ask(bench, session)
        assert cookie_of(lost)
        assert bench.log[-1]["session"] == "session_begun: cookie_refused"
