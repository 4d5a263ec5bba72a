"""What is compiled is there, and means the same compiled."""

from __future__ import annotations

import ast

from scripts.compile import MODULES, ROOT


def test_each_module_is_there_once() -> None:
    assert len(set(MODULES)) == len(MODULES)
    assert [module for module in MODULES if not (ROOT / module).is_file()] == []


def test_none_defines_a_class_with_options_which_mypyc_would_drop() -> None:
    found = [
        f"{module}: {node.name}"
        for module in MODULES
        for node in ast.walk(ast.parse((ROOT / module).read_text()))
        if isinstance(node, ast.ClassDef) and node.keywords
    ]
    assert found == []
