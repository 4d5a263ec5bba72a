"""What is compiled is there, and means the same compiled."""

from __future__ import annotations

import ast
import os
from pathlib import Path

from scripts.compile import MODULES, ROOT, clean, is_stale


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


def test_what_was_compiled_from_an_older_source_is_stale(tmp_path: Path) -> None:
    source, compiled = (tmp_path / "sync" / name for name in ("store.py", "store.cpython-311-x86_64-linux-gnu.so"))
    source.parent.mkdir()
    assert not is_stale(tmp_path)
    for path, at in ((source, 1000), (compiled, 2000)):
        path.touch()
        os.utime(path, (at, at))
    assert not is_stale(tmp_path)
    os.utime(source, (3000, 3000))
    assert is_stale(tmp_path)
    source.unlink()
    assert is_stale(tmp_path)
    clean(tmp_path)
    assert not is_stale(tmp_path)
