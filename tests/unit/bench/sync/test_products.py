"""What goes out to the products, byte by byte where that is ours to write, and which of them are asked for."""

from __future__ import annotations

import json

import pytest

from bench.sync.__main__ import chosen, everyone
from bench.sync.documents import documents
from bench.sync.products.redis import command
from bench.sync.products.tidegate import batch_of
from bench.sync.sections import last_of_batches


def test_a_batch_holds_every_document_whole() -> None:
    written = documents("r1", 3)
    operations = json.loads(batch_of(written))["operations"]
    assert [(one["method"], one["collection"], one["key"]) for one in operations] == [
        ("PUT", "notes", document.key) for document in written
    ]
    assert [one["value"] for one in operations] == [json.loads(document.value) for document in written]


def test_a_command_is_an_array_of_bulk_strings() -> None:
    assert command(b"SET", b"k", b"two\r\nlines") == b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10\r\ntwo\r\nlines\r\n"


def test_the_last_batches_are_known_by_their_last_documents() -> None:
    assert last_of_batches("r1", 1000) == ["r1-0000499", "r1-0000999"]
    assert last_of_batches("r1", 100_000)[0] == "r1-0096499"
    assert len(last_of_batches("r1", 100_000)) == 8


def test_products_are_chosen_by_name_and_a_stranger_is_refused() -> None:
    assert [one.name for one in chosen(everyone(), "redis,TIDEGATE")] == ["Tidegate", "Redis", "Redis, defaults"]
    assert len(chosen(everyone(), "")) == 5
    with pytest.raises(SystemExit, match="found mongodb, expected some of"):
        chosen(everyone(), "mongodb")
