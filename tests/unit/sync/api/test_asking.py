from __future__ import annotations

import pytest

from config.core.signing import Signer
from sync.api import asking
from sync.api.problems import Problem
from sync.core.op_ids import OpId
from sync.core.writes import Write

SIGNER = Signer([b"k" * 32])


def test_entity_tags_are_read_without_their_quotes() -> None:
    assert asking.tags_of(None) is None
    assert asking.tags_of(" * ") == ("*",)
    assert asking.tags_of('"a", W/"b"') == ("a", "b")
    with pytest.raises(Problem):
        asking.tags_of("a")


def test_the_digest_of_a_request_tells_requests_apart_and_repeats_alike() -> None:
    write = Write(stream="notes", key="k", kind="put", value=b"v", op_id=OpId("desk", 1))
    digest = asking.with_digest(write, SIGNER).request
    assert digest == asking.with_digest(write, SIGNER).request
    others = [
        Write(stream="notes", key="k", kind="put", value=b"w", op_id=OpId("desk", 1)),
        Write(stream="notes", key="l", kind="put", value=b"v", op_id=OpId("desk", 1)),
        Write(stream="notes", key="k", kind="delete", value=b"v", op_id=OpId("desk", 1)),
        Write(stream="notes", key="k", kind="put", value=b"v", context={}, op_id=OpId("desk", 1)),
        Write(stream="notes", key="k", kind="put", value=b"v", if_match=("*",), op_id=OpId("desk", 1)),
    ]
    assert digest not in {asking.with_digest(other, SIGNER).request for other in others}
    assert asking.with_digest(Write(stream="notes", key="k", kind="put"), SIGNER).request == b""


def test_json_has_to_be_json_and_other_types_are_left_alone() -> None:
    asking.check_value("application/json; charset=utf-8", b"[1]")
    asking.check_value("text/plain", b"[1")
    with pytest.raises(Problem, match="no JSON"):
        asking.check_value("application/json; charset=utf-8", b"[1")
