"""What a configuration names beside itself, read from real files. How each kind is followed has a test of its own."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from config.models import Config
from config.secrets import SecretUnavailable
from gateway.sources import Sources
from tests.harness.routing import config, routed


class Spawned:
    """Names of what was started; none of it runs."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self.names.append(name)
        work.close()


def changed() -> None:
    raise AssertionError("nothing has changed")


def signed_with(reference: str) -> Config:
    """Sessions that read their own writes are told by a signed token."""
    collection = {"name": "notes", "data_type": "note", "conflict": "vector_clock"}
    route = routed(consistency="read_your_writes")
    return config(route, secrets={"signing_keys": [reference]}, sync={"collections": [collection]})


def test_what_names_no_file_is_not_followed() -> None:
    spawned = Spawned()
    sources = Sources(changed, spawn=spawned, environ={})
    plain = config(routed())
    sources.adopt(plain, sources.load(plain))
    assert (spawned.names, sources.signer) == ([], None)


def test_nothing_changes_before_it_is_adopted_and_what_is_followed_is_followed_once(tmp_path: Path) -> None:
    spawned = Spawned()
    sources = Sources(changed, spawn=spawned, environ={})
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(name.encode() * 16)
    plain = config(routed())
    one, two = (signed_with(f"file:{tmp_path / name}") for name in ("one", "two"))
    sources.adopt(plain, sources.load(plain))
    loaded = sources.load(one)
    assert (spawned.names, sources.signer) == ([], None)
    sources.adopt(one, loaded)
    first = sources.signer
    assert first is not None
    sources.adopt(two, sources.load(two))
    assert sources.signer is not first
    assert spawned.names == ["signing keys"]


def test_a_source_that_cannot_be_read_leaves_all_as_it_was(tmp_path: Path) -> None:
    sources = Sources(changed, spawn=Spawned(), environ={})
    (tmp_path / "key").write_bytes(b"k" * 32)
    there, missing = signed_with(f"file:{tmp_path / 'key'}"), signed_with("env:NOWHERE")
    sources.adopt(there, sources.load(there))
    before = sources.signer
    with pytest.raises(SecretUnavailable):
        sources.load(missing)
    assert sources.signer is before
