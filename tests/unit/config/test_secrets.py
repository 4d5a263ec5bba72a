"""A secret is fetched when it is used, and shows itself nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.models import SecretReference
from config.secrets import MAX_BYTES, SecretUnavailable, references, resolve
from tests.unit.config.written import accepted, file


def test_a_variable_is_read_when_it_is_asked_for() -> None:
    assert resolve(SecretReference("env", "KEY"), environ={"KEY": "hunter2"}) == b"hunter2"


def test_a_file_is_read_without_the_newline_at_its_end(tmp_path: Path) -> None:
    for content in (b"hunter2\n", b"hunter2\r\n", b"hunter2"):
        (tmp_path / "key").write_bytes(content)
        assert resolve(SecretReference("file", f"{tmp_path}/key"), environ={}) == b"hunter2"


@pytest.mark.parametrize(("content", "found"), [(b"", "an empty secret"), (b"\n", "an empty secret")])
def test_an_empty_file_is_no_secret(tmp_path: Path, content: bytes, found: str) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(SecretUnavailable) as raised:
        resolve(SecretReference("file", f"{tmp_path}/key"), environ={})
    assert raised.value.found == found


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    for name, found in (("missing", "no such file"), ("", "no regular file")):
        with pytest.raises(SecretUnavailable) as raised:
            resolve(SecretReference("file", f"{tmp_path}/{name}"), environ={})
        assert raised.value.found == found


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"x" * (MAX_BYTES + 1))
    with pytest.raises(SecretUnavailable) as raised:
        resolve(SecretReference("file", f"{tmp_path}/key"), environ={})
    assert raised.value.expected == f"at most {MAX_BYTES} bytes"


def test_a_variable_that_is_not_set_is_told() -> None:
    with pytest.raises(SecretUnavailable) as raised:
        resolve(SecretReference("env", "KEY"), environ={})
    assert str(raised.value).startswith("env:KEY: found no such environment variable")


def test_every_reference_is_found_with_its_path() -> None:
    rest = "secrets: {signing_keys: [env:A, env:B]}\nstores: {limits: {kind: redis, region: env:C, global: env:D}}"
    config = accepted(file(rest=rest), environ=dict.fromkeys("ABCD", "hunter2"))
    assert [(path, str(one)) for path, one in references(config)] == [
        (("secrets", "signing_keys", 0), "env:A"),
        (("secrets", "signing_keys", 1), "env:B"),
        (("stores", "limits", "region"), "env:C"),
        (("stores", "limits", "global"), "env:D"),
    ]


def test_no_dump_holds_a_secret() -> None:
    config = accepted(file(rest="secrets: {signing_keys: [env:KEY]}"), environ={"KEY": "hunter2"})
    for text in (config.model_dump_json(), repr(config), str(config.model_dump())):
        assert "hunter2" not in text
    assert "env:KEY" in config.model_dump_json()
