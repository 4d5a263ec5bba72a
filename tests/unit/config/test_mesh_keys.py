"""Named keys are read where they stand; without any, one is made once, and every process of the node gets the same."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from config.mesh_keys import KEY_BYTES, KeysUnusable, data_keys, routing_signer, signing_keys
from config.models import Config
from tests.unit.config.written import accepted, file


def configured(data_dir: Path, rest: str = "") -> Config:
    environ = {"NEW": "new key", "OLD": "old key"}
    return accepted(file(rest=f"node: {{id: n, region: eu-west, data_dir: {data_dir}}}\n{rest}"), environ=environ)


def test_named_keys_come_in_their_order_and_nothing_is_made(tmp_path: Path) -> None:
    config = configured(tmp_path, "secrets: {signing_keys: [env:NEW, env:OLD], data_keys: [env:OLD]}")
    environ = {"NEW": "new key", "OLD": "old key"}
    assert signing_keys(config, environ=environ) == (b"new key", b"old key")
    assert data_keys(config, environ=environ) == (b"old key",)
    assert list(tmp_path.iterdir()) == []


def test_a_made_key_is_kept_for_its_owner_only_and_differs_by_use(tmp_path: Path) -> None:
    config = configured(tmp_path)
    first = signing_keys(config, environ={})
    assert signing_keys(config, environ={}) == first
    assert data_keys(config, environ={}) != first
    assert stat.S_IMODE((tmp_path / "keys" / "signing").stat().st_mode) == 0o600


def test_all_who_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    config = configured(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: signing_keys(config, environ={}), range(32)))
    assert len(made) == 1
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["signing"]


def test_a_cut_key_is_refused_rather_than_replaced(tmp_path: Path) -> None:
    config = configured(tmp_path)
    signing_keys(config, environ={})
    (tmp_path / "keys" / "signing").write_bytes(b"short")
    with pytest.raises(KeysUnusable, match=f"holds 5 bytes, expected {KEY_BYTES}"):
        signing_keys(config, environ={})


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be")
    with pytest.raises(KeysUnusable, match=r"keys/signing.*expected a file that this user may write"):
        signing_keys(configured(tmp_path / "taken"), environ={})


def test_only_what_signs_something_reads_the_keys(tmp_path: Path) -> None:
    plain = accepted(file(rest=f"node: {{id: n, region: eu-west, data_dir: {tmp_path}}}"))
    assert routing_signer(plain, environ={}) is None
    assert list(tmp_path.iterdir()) == []
    sticky = accepted(
        file(service="sticky_session: {}", rest=f"node: {{id: n, region: eu-west, data_dir: {tmp_path}}}")
    )
    first, again = routing_signer(sticky, environ={}), routing_signer(sticky, environ={})
    assert first is not None
    assert again is not None
    assert again.open("x", first.seal("x", b"y")) == b"y"
