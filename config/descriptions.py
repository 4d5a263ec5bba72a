"""What is each option for? The string below its field in the model, read from the source when somebody asks.

pydantic would read them while the models are made (`use_attribute_docstrings`), in every process of every node. That
was 0.11 of the 0.40 s of processor time that a worker needed to start, for words that only editors and mistakes need.
"""

from __future__ import annotations

import ast
import inspect
import sys
from functools import cache
from itertools import pairwise

from config.models.model import Model


def description_of(model: type[Model], field: str) -> str | None:
    """By the attribute's name; None when the source says nothing, or is not there."""
    for one in model.__mro__:
        if issubclass(one, Model) and field in one.__annotations__:
            return _in_module(one.__module__).get((one.__name__, field))
    return None


@cache
def _in_module(name: str) -> dict[tuple[str, str], str]:
    """By class and field."""
    try:
        source = inspect.getsource(sys.modules[name])
    except (OSError, TypeError):  # no file of it, or a module that never had one
        return {}
    found = {}
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.ClassDef):
            for field, text in _of_class(statement):
                found[statement.name, field] = text
    return found


def _of_class(block: ast.ClassDef) -> list[tuple[str, str]]:
    return [
        (field.target.id, inspect.cleandoc(below.value.value))
        for field, below in pairwise(block.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    ]
