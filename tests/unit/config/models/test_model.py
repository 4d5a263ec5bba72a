"""What every model has in common."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import ValidationError

from config.models.model import Model, Refusal, as_list, matching, text
from config.units import Refused


class Sample(Model):
    name: Annotated[str, *matching("[a-z]+", "lower-case letters")] = "a"
    count: int = 0


def test_a_key_that_is_not_named_is_refused() -> None:
    with pytest.raises(ValidationError):
        Sample.model_validate({"other": 1})


def test_a_number_is_not_taken_for_text_nor_text_for_a_number() -> None:
    for data in ({"name": 5}, {"count": "5"}, {"count": True}, {"count": 5.0}):
        with pytest.raises(ValidationError):
            Sample.model_validate(data)


def test_a_pattern_holds_for_the_whole_text() -> None:
    assert Sample.model_validate({"name": "abc"}).name == "abc"
    for name in ("", "abc\n", "Abc", "ab1"):
        with pytest.raises(ValidationError) as raised:
            Sample.model_validate({"name": name})
        assert raised.value.errors()[0]["ctx"]["error"].expected == "lower-case letters"


def test_a_refusal_knows_the_key_that_it_is_about() -> None:
    refusal = Refusal("a", "b", "key", 0)
    assert (refusal.found, refusal.expected, refusal.at) == ("a", "b", ("key", 0))


def test_only_text_is_text() -> None:
    assert text("a", "text") == "a"
    with pytest.raises(Refused, match="found 5, expected text"):
        text(5, "text")


def test_a_word_or_a_list_is_written_as_what_it_is() -> None:
    assert as_list("*") == "*"
    assert as_list(("a", "b")) == ["a", "b"]
