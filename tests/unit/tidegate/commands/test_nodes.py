"""`tidegate nodes` where nobody answers; a node that does is asked in tests/integration."""

from __future__ import annotations

import io

from tidegate.commands import UNREACHABLE
from tidegate.commands.nodes import nodes


def test_a_node_that_is_not_there_is_said_with_exit_code_3() -> None:
    err = io.StringIO()
    code = nodes("http://127.0.0.1:9", token=None, as_json=False, out=io.StringIO(), err=err)
    assert (code, "127.0.0.1:9" in err.getvalue()) == (UNREACHABLE, True)
