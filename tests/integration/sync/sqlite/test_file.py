from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sync.cipher import Cipher
from sync.core.writes import Written
from sync.errors import StoreUnavailable
from sync.sqlite.file import MAX_BATCH_BYTES, ClassFile, Writes, group_commit, open_file, positions
from tests.harness.replicas import plan
from tests.integration.sync.store_contract import NOTES, NOW, put


def open_one(path: Path, reports: list[Any] | None = None) -> ClassFile:
    found: list[Any] = [] if reports is None else reports
    return open_file(
        path,
        region="eu",
        store="aaaaaaaa",
        plans={NOTES: plan("last_write_wins", name=NOTES)},
        cipher=Cipher("note", [b"k"], encrypts=False, chance=os.urandom),
        max_skew_s=0.5,
        max_conflict_bytes=1 << 20,
        chance=os.urandom,
        report=lambda message, **facts: found.append((message, facts)),
    )


def test_a_new_incarnation_is_reported_with_its_reason(tmp_path: Path) -> None:
    reports: list[Any] = []
    open_one(tmp_path / "a.db", reports).close()
    open_one(tmp_path / "a.db", reports).close()
    ((message, facts),) = reports
    assert message == "a new incarnation of a store"
    assert facts["because"] == "a new file"


def test_neighbouring_writes_share_a_transaction_and_get_their_own_answers(tmp_path: Path) -> None:
    opened = open_one(tmp_path / "a.db")
    commits: list[Any] = []
    opened.ledger.on_commit = commits.append
    works = [Writes(opened.ledger, [(put(f"k{at}", b"v"), NOW), (put(f"l{at}", b"v"), NOW)]) for at in range(10)]
    outcomes = group_commit([*works, lambda: "between", *works])
    assert len(commits) == 2
    assert outcomes[10] == ("between", None)
    answers = [
        result for results, error in outcomes if isinstance(results, list) and error is None for result in results
    ]
    assert [answer.seq for answer in answers if isinstance(answer, Written)] == list(range(1, 41))
    assert positions(opened.ledger) == {NOTES: 40}
    opened.close()


def test_a_group_ends_at_its_bytes(tmp_path: Path) -> None:
    opened = open_one(tmp_path / "a.db")
    commits: list[Any] = []
    opened.ledger.on_commit = commits.append
    big = b"x" * (MAX_BATCH_BYTES // 2 + 1)
    group_commit([Writes(opened.ledger, [(put(f"k{at}", big), NOW)]) for at in range(3)])
    assert len(commits) == 3
    opened.close()


def test_a_failure_is_told_to_every_caller_of_the_group(tmp_path: Path) -> None:
    opened = open_one(tmp_path / "a.db")
    opened.close()
    outcomes = group_commit([Writes(opened.ledger, [(put("k", b"v"), NOW)]) for _ in range(2)])
    assert all(isinstance(error, StoreUnavailable) for _, error in outcomes)


def test_a_file_that_is_none_is_not_opened_and_not_touched(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"nonsense" * 1000)
    with pytest.raises(StoreUnavailable):
        open_one(tmp_path / "a.db")
    assert (tmp_path / "a.db").read_bytes() == b"nonsense" * 1000
