"""Documents are a kilobyte and hardly compressible; whatever is lost, changed or told twice on the way is found."""

from __future__ import annotations

import json
import zlib

import pytest

from bench.sync.documents import UnlikeWhatWasWritten, batched, documents, prove, value_of


def test_a_document_is_a_kilobyte_of_json_that_hardly_compresses() -> None:
    written = documents("r1", 50)
    assert all(980 <= len(one.value) <= 1024 for one in written)
    assert [json.loads(one.value)["n"] for one in written] == list(range(50))
    together = b"".join(one.value for one in written)
    assert len(zlib.compress(together, 9)) > 0.7 * len(together)
    assert len({one.value for one in written + documents("r2", 50)}) == 100


def test_keys_of_a_run_sort_as_they_were_written_and_batches_hold_them_all() -> None:
    written = documents("r1", 1100)
    assert sorted(written) == written
    batches = list(batched(written, 500))
    assert [len(one) for one in batches] == [500, 500, 100]
    assert [one for batch in batches for one in batch] == written


def test_all_that_was_written_is_proof_in_any_order() -> None:
    written = documents("r1", 5)
    assert prove(reversed(written), [one.key for one in written]) == 5


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda found: found[:-1], "found 4 documents, expected 1 more, such as r1-0000004"),
        (lambda found: [*found, found[0]], "found r1-0000000 twice"),
        (lambda found: [*found[:-1], (found[-1].key, value_of("r1-0000003"))], "found another value under r1-0000004"),
        (lambda found: [*found, ("r2-0000000", value_of("r2-0000000"))], "not among what was written"),
    ],
)
def test_what_is_not_as_written_is_no_proof(change: object, said: str) -> None:
    written = documents("r1", 5)
    assert callable(change)
    with pytest.raises(UnlikeWhatWasWritten, match=said):
        prove(change(written), [one.key for one in written])
