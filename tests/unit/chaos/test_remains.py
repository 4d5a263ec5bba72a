"""Reading what a run has left on disks."""

from __future__ import annotations

import json
from pathlib import Path

from chaos.remains import arrivals, found_in, is_to_be_read
from chaos.traffic.history import Kept


def test_a_backends_log_is_read_up_to_the_line_that_was_cut_off(tmp_path: Path) -> None:
    line = {"at": 1.0, "backend": "b", "region": "r", "from": "gw", "method": "GET", "path": "/x", "token": "t"}
    line["request_id"] = "i"
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps({**line, "whole": True}) + "\n" + '{"at": 2.0, "back')
    (one,) = arrivals(log)
    assert (one.token, one.node, one.request_id) == ("t", "gw", "i")
    assert [*arrivals(tmp_path / "none")] == []


def test_a_mark_is_found_wherever_it_lies_and_a_file_that_is_gone_has_none(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\x00\x01canary\x00")
    (tmp_path / "b").write_bytes(b"nothing")
    assert found_in([tmp_path / "a", tmp_path / "b", tmp_path / "gone"], b"canary") == ["a"]


def test_keys_are_read_one_by_one_where_a_feed_does_not_say_how_many_versions_there_are() -> None:
    assert is_to_be_read("heap/1", Kept(("a",), ("1@o",)))
    assert is_to_be_read("chain/eu-west-1", Kept(("a", "a"), ("1@o", "1@p")))
    assert not is_to_be_read("chain/eu-west-1", Kept(("a",), ("1@o",)))
