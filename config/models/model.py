"""What all configuration models have in common, and how a field says what it takes.

Values are checked strictly, in the form of JSON: a number is never taken for text, nor text for a number. Nothing that
is refused is replaced by a default. Whoever constrains a value says in a sentence what was expected instead.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from config.units import Refused, shown


class Model(BaseModel):
    """A frozen block of the file. Keys that it does not name are errors."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        serialize_by_alias=True,
    )


class Refusal(Refused):
    """A refusal of one key of a model, found by the model: `at` is that key's path below the model."""

    def __init__(self, found: str, expected: str, *at: str | int) -> None:
        super().__init__(found, expected)
        self.at = at


def text(value: object, expected: str) -> str:
    """The value, if it is text. Raises Refused."""
    if not isinstance(value, str):
        raise Refused(shown(value), expected)
    return value


def matching(pattern: str, expected: str) -> tuple[Any, Any]:
    """A whole-text pattern: what checks it, and what tells editors. Use as `Annotated[str, *matching(...)]`."""
    compiled = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if compiled.fullmatch(value) is None:
            raise Refused(shown(value), expected)
        return value

    return AfterValidator(check), Field(json_schema_extra={"pattern": f"^(?:{pattern})$"})


def as_list(value: str | tuple[str, ...]) -> str | list[str]:
    """How a value that is one word or a list is written."""
    return value if isinstance(value, str) else list(value)
