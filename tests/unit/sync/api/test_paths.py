from __future__ import annotations

import pytest

from sync.api.paths import MAX_KEY_BYTES, Target, target_of
from sync.api.problems import Problem


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/data/v1/batch", Target("batch")),
        ("/data/v1/openapi.json", Target("openapi")),
        ("/data/v1/notes?prefix=a", Target("list", "notes")),
        ("/data/v1/notes/changes", Target("changes", "notes")),
        ("/data/v1/notes/conflicts", Target("conflicts", "notes")),
        ("/data/v1/notes/k", Target("record", "notes", "k")),
        ("/data/v1/notes/a/b%20%C3%A4", Target("record", "notes", "a/b ä")),
        ("/data/v1/notes/a/b/conflict", Target("conflict", "notes", "a/b")),
        ("/data/v1/notes/conflict", Target("record", "notes", "conflict")),
    ],
)
def test_a_path_names_one_thing(path: str, target: Target) -> None:
    assert target_of(path) == target


@pytest.mark.parametrize(
    "path",
    ["/", "/data/v2/x", "/data/v1/notes/", "/data/v1/notes/%ff", "/data/v1/notes/a%00b", "/data/v1/notes/a%2Fconflict"],
)
def test_what_names_nothing_is_refused(path: str) -> None:
    with pytest.raises(Problem):
        target_of(path)


def test_keys_are_bounded() -> None:
    assert target_of("/data/v1/notes/" + "k" * MAX_KEY_BYTES).key
    with pytest.raises(Problem, match="expected at most"):
        target_of("/data/v1/notes/" + "k" * (MAX_KEY_BYTES + 1))
