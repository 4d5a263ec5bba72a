"""Secrets stay where they are kept until the moment they are used.

    env:NAME      an environment variable
    file:path     a file's content, one newline at its end not counted

The configuration holds references only (`config.models.SecretReference`), so that no dump, log or digest of it can
give a secret away. At load each reference is checked: what it names is there and not empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel

from config.models.values import SecretReference
from config.problems import KeyPath

MAX_BYTES = 1 << 20
"""A file of API keys has some thousand lines; what is larger is not a secret but a mistake."""


class SecretUnavailable(Exception):
    """What a reference names is not there. The message names the reference, never a secret."""

    def __init__(self, reference: SecretReference, found: str, expected: str) -> None:
        super().__init__(f"{reference}: found {found}, expected {expected}")
        self.reference = reference
        self.found = found
        self.expected = expected


def resolve(reference: SecretReference, *, environ: Mapping[str, str]) -> bytes:
    """The secret itself. Raises SecretUnavailable."""
    content = _variable(reference, environ) if reference.kind == "env" else _content(reference)
    if not content:
        raise SecretUnavailable(reference, "an empty secret", "one that is not empty")
    return content


def references(value: object, path: KeyPath = ()) -> Iterator[tuple[KeyPath, SecretReference]]:
    """Every reference of a configuration and the path at which it stands."""
    if isinstance(value, SecretReference):
        yield path, value
    elif isinstance(value, BaseModel):
        for name, info in type(value).model_fields.items():
            yield from references(getattr(value, name), (*path, info.alias or name))
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from references(one, (*path, key))
    elif isinstance(value, tuple):
        for index, one in enumerate(value):
            yield from references(one, (*path, index))


def _variable(reference: SecretReference, environ: Mapping[str, str]) -> bytes:
    value = environ.get(reference.name)
    if value is None:
        raise SecretUnavailable(
            reference, "no such environment variable", f"{reference.name} to be set where the node is started"
        )
    return value.encode("utf-8", "surrogateescape")


def _content(reference: SecretReference) -> bytes:
    path = Path(reference.name)
    try:
        if not path.is_file():
            raise SecretUnavailable(reference, "no such file" if not path.exists() else "no regular file", "a file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SecretUnavailable(
            reference, f"a file that cannot be read ({error.strerror})", "a readable file"
        ) from None
    if len(content) > MAX_BYTES:
        raise SecretUnavailable(reference, "a file that is too large", f"at most {MAX_BYTES} bytes")
    return content.removesuffix(b"\n").removesuffix(b"\r")
