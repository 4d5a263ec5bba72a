from __future__ import annotations

import json

import pytest

from sync.core.merge_patch import MAX_DEPTH, PatchRefused, patched

# The table of RFC 7386, appendix A.
RFC = [
    ('{"a":"b"}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'),
    ('{"a":"b"}', '{"a":null}', "{}"),
    ('{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'),
    ('{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'),
    ('{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'),
    ('{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'),
    ('["a","b"]', '["c","d"]', '["c","d"]'),
    ('{"a":"b"}', '["c"]', '["c"]'),
    ('{"a":"foo"}', "null", "null"),
    ('{"a":"foo"}', '"bar"', '"bar"'),
    ('{"e":null}', '{"a":1}', '{"e":null,"a":1}'),
    ("[1,2]", '{"a":"b","c":null}', '{"a":"b"}'),
    ("{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'),
]


@pytest.mark.parametrize(("document", "patch", "result"), RFC)
def test_the_rfcs_own_examples(document: str, patch: str, result: str) -> None:
    assert json.loads(patched(document.encode(), patch.encode())) == json.loads(result)


def test_a_patch_of_nothing_makes_the_document() -> None:
    assert patched(None, b'{"a":1,"b":null}') == b'{"a":1}'


@pytest.mark.parametrize(("document", "patch"), [(b"not json", b"{}"), (b"{}", b"{"), (b"{}", b"\xff")])
def test_what_is_no_json_is_refused(document: bytes, patch: bytes) -> None:
    with pytest.raises(PatchRefused, match="expected a JSON document"):
        patched(document, patch)


def test_depth_is_bounded() -> None:
    deep = b'{"a":' * (MAX_DEPTH + 5) + b"1" + b"}" * (MAX_DEPTH + 5)
    with pytest.raises(PatchRefused, match="deeper"):
        patched(b"{}", deep)
