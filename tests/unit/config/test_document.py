"""Text becomes data with places, and whatever is wrong with it becomes a problem with a place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.document import MAX_BYTES, MAX_NODES, Data, child, decode, parse, parse_value
from config.problems import Place


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("a: NO", {"a": "NO"}),
        ("a: yes", {"a": "yes"}),
        ("a: 12:30:45", {"a": "12:30:45"}),
        ("a: 0o14", {"a": 12}),
        ("a: 010", {"a": 10}),
        ("a: true", {"a": True}),
        ("a: ~", {"a": None}),
        ("a:", {"a": None}),
        ("a: 1.5e3", {"a": 1500.0}),
        ("a: '5'", {"a": "5"}),
        ("a: ! 5", {"a": "5"}),
        ("a: 2027-06-01", {"a": "2027-06-01"}),
        ("a: [1, {b: c}]", {"a": [1, {"b": "c"}]}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("<<: {a: 1}", {"<<": {"a": 1}}),
        ("%YAML 1.2\n---\na: 1\n...\n", {"a": 1}),
    ],
)
def test_yaml_1_2_is_read(text: str, data: Data) -> None:
    document = parse(text, file="t.yaml")
    assert document.problems == []
    assert document.root == data


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "t.yaml:1:1 (file): found an empty file, expected a mapping with regions, services and routes"),
        (
            "# only words\n",
            "t.yaml:1:1 (file): found an empty file, expected a mapping with regions, services and routes",
        ),
        ("a: 1\nb: 2\na: 3", "t.yaml:3:1 a: found the key a second time, first in line 1, expected each key once"),
        (
            "a:\n  - {b: 1, b: 2}",
            "t.yaml:2:12 a[0].b: found the key a second time, first in line 2, expected each key once",
        ),
        ("a: 1\n---\nb: 2", "t.yaml:2:1 (file): found a second document, expected one document a file"),
        ("a:\n\tb: 1", "t.yaml:2:1 (file): found a tab, expected spaces, because YAML does not indent with tabs"),
        ("1: a", "t.yaml:1:1 (file): found the key 1, expected a key that is text"),
        ("a: {true: b}", "t.yaml:1:5 a: found the key true, expected a key that is text"),
        ("? [a]\n: b", "t.yaml:1:3 (file): found a list or mapping as a key, expected a key that is text"),
        ("a: *b", "t.yaml:1:4 (file): found the alias *b, expected an anchor of that name before it"),
        ("a: &b [*b]", "t.yaml:1:8 (file): found the alias *b inside what it stands for, expected no loops"),
        (
            "a: !!python/object:os.system x",
            't.yaml:1:4 (file): found the tag "tag:yaml.org,2002:python/object:os.system", expected no tags',
        ),
        ("a: .inf", 't.yaml:1:4 (file): found ".inf", expected a number that is finite'),
        ("a: 1e999", 't.yaml:1:4 (file): found "1e999", expected a number that is finite'),
        ("a: " + "9" * 5000, "t.yaml:1:4 (file): found a number of 5000 digits, expected at most 300"),
        ("a: [", "t.yaml:2:1 (file): found YAML that cannot be read"),
        ("a: b: c", "t.yaml:1:5 (file): found YAML that cannot be read"),
        ("a: \x00", "t.yaml:1:4 (file): found a character that YAML does not allow"),
        ("a: 'x\ud800'", "t.yaml:1:6 (file): found half a surrogate pair, expected text in UTF-8"),
        ("[" * 5000, "t.yaml:1:49 (file): found values nested 49 deep, expected at most 48"),
        ("{a: " * 5000, "t.yaml:1:193 (file): found values nested 49 deep, expected at most 48"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, said: str) -> None:
    first = str(parse(text, file="t.yaml").problems[0])
    assert first.startswith(said)


def test_several_mistakes_are_told_together() -> None:
    document = parse("a: 1\na: 2\n3: x\nb: .nan", file="t.yaml")
    assert [(one.line, one.column) for one in document.problems] == [(2, 1), (3, 1), (4, 4)]


def test_a_bomb_of_aliases_goes_no_further_than_a_message() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    document = parse("\n".join(lines), file="t.yaml")
    assert document.root is None
    assert [one.found for one in document.problems] == ["aliases that expand beyond all bounds"]


def test_a_chain_of_aliases_cannot_nest_without_end() -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 100))]
    document = parse("\n".join(lines), file="t.yaml")
    assert document.root is None
    assert document.problems[0].found == "aliases that expand beyond all bounds"


def test_a_file_of_unreasonable_size_is_not_read() -> None:
    document = parse("#" * (MAX_BYTES + 1), file="t.yaml")
    assert document.problems[0].expected == f"at most {MAX_BYTES} bytes"


def test_values_are_counted() -> None:
    document = parse("[" + "1," * (MAX_NODES + 1) + "]", file="t.yaml")
    assert document.problems[0].found == f"more than {MAX_NODES} values"


def test_keys_and_values_know_their_places() -> None:
    document = parse("a:\n  b: [1, {c: 2}]\n", file="t.yaml")
    assert document.place(("a", "b", 1, "c")) == Place("t.yaml", 2, 14)
    assert document.key_place(("a", "b", 1, "c")) == Place("t.yaml", 2, 11)
    assert document.key_place(("a", "b", 0)) == Place("t.yaml", 2, 7)


def test_what_is_not_there_stands_where_it_should_be() -> None:
    document = parse("a:\n  b: 1\n", file="t.yaml")
    assert document.place(("a", "missing", "deeper")) == Place("t.yaml", 2, 3)
    assert parse("", file="t.yaml").place(("a",)) == Place("t.yaml", 1, 1)


def test_an_aliased_value_stands_where_it_was_written() -> None:
    document = parse("a: &x {b: 1}\nc: *x\n", file="t.yaml")
    assert document.place(("c", "b")) == Place("t.yaml", 1, 11)


def test_bytes_that_are_no_utf_8_have_a_place() -> None:
    text, problems = decode(b"a: b\nc: \xff\n", file="t.yaml")
    assert text == ""
    assert [str(one) for one in problems] == ["t.yaml:2:4 (file): found the byte 0xff, expected text in UTF-8"]
    assert decode(b"\xef\xbb\xbfa: 1", file="t.yaml") == ("a: 1", ())


def test_a_value_by_itself_may_be_anything() -> None:
    assert parse_value("[1, 2]") == (True, [1, 2])
    assert parse_value("us-east") == (True, "us-east")
    assert parse_value("[::1]:80")[0] is False


def test_a_child_that_is_not_there_is_nothing() -> None:
    data: Data = {"a": [1]}
    assert child(data, "a") == [1]
    assert child([1], 0) == 1
    assert child([1], 1) is None
    assert child([1], "a") is None
    assert child(5, 0) is None


@given(st.text(alphabet=st.characters(codec="utf-8")) | st.text("{}[]:,-*&!|>'\"#%@` \n\tab01.~?<"))
def test_every_text_is_read_or_complained_of(text: str) -> None:
    document = parse(text, file="t.yaml")
    assert () in document.values or document.problems
