"""`tidegate debug-header` and `tidegate explain --id`: have a real request explained, and read the explanation.

debug-header       ──> Tidegate-Debug: ...         send it with a request, say with curl -H
the answer         ──> Tidegate-Explanation: ID
explain --id ID    ──> what was decided, and what came of it
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TextIO

from tidegate.commands import DONE
from tidegate.commands.explain import show
from tidegate.commands.remote import Declined, NotReached, ask, code_of

COMES_WITHIN_S = 3.0
"""Data planes report each second."""


def make_header(admin: str, *, valid_s: float, as_json: bool, token: str | None, out: TextIO, err: TextIO) -> int:
    """Print a field for requests that are to be explained."""
    try:
        made = ask(admin, "POST", "/v1/explanations", token=token, body={"valid_s": valid_s})
    except (NotReached, Declined) as error:
        return code_of(error, err)
    out.write(json.dumps(made) + "\n" if as_json else f"{made['name']}: {made['value']}\n")
    return DONE


def by_id(
    admin: str,
    explanation_id: str,
    *,
    as_json: bool,
    token: str | None,
    out: TextIO,
    err: TextIO,
    sleep: Callable[[float], None] = time.sleep,
    within_s: float = COMES_WITHIN_S,
) -> int:
    """Print the explanation with this id; one that is not there yet is waited for."""
    waited_s = 0.0
    while True:
        try:
            found = ask(admin, "GET", f"/v1/explanations/{explanation_id}", token=token)
        except (NotReached, Declined) as error:
            if isinstance(error, Declined) and error.status == 404 and waited_s < within_s:
                sleep(0.5)
                waited_s += 0.5
                continue
            return code_of(error, err)
        _show(found, as_json=as_json, out=out)
        return DONE


def _show(found: dict[str, Any], *, as_json: bool, out: TextIO) -> None:
    show(found, as_json=as_json, out=out)
    if not as_json:
        outcome = found["outcome"]
        where = outcome["endpoint"] or "nobody else"
        out.write(f"answered with {outcome['status']} by {where}, attempts: {outcome['attempts']}")
        out.write(f" ({outcome['reason']})\n" if outcome["reason"] else "\n")
        for failure in outcome["failures"]:
            out.write(f"  {failure['endpoint']}: {failure['failure']}\n")
