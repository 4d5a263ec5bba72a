"""Files of users and keys, as they come and go."""

from __future__ import annotations

from pathlib import Path

from config.models.values import SecretReference
from gateway.admission.material import Materials
from gateway.core.key_file import read_keys


def test_a_bad_file_leaves_what_was_read_before_and_nothing_where_nothing_was(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("broken")
    materials = Materials(environ={})
    held = materials.hold(SecretReference("file", str(file)), read_keys)
    assert (held.value, "line 1" in held.problem) == (None, True)
    file.write_text("a: key-number-one\n")
    assert materials.hold(held.reference, read_keys) is held, "a reload keeps the holder"
    ring = held.value
    assert ring is not None
    file.write_text("broken again")
    held.load()
    assert held.value is ring
    file.unlink()
    held.load()
    assert held.value is ring
    assert "no such file" in held.problem


def test_a_reference_to_the_environment_is_read_and_not_watched() -> None:
    materials = Materials(environ={"KEYS": "a: key-number-one"})
    held = materials.hold(SecretReference("env", "KEYS"), read_keys)
    assert held.value is not None
    assert materials.files == []
    materials.keep_only([])
    assert materials.hold(held.reference, read_keys) is not held
