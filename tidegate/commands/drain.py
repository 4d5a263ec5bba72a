"""`tidegate drain | undrain REGION`: take traffic away from a region, service or endpoint, and give it back.

`--wait` shows how far it is and ends with it: 0 drained; 1 the deadline passed and something there could not be ended.
The order stands whatever becomes of this command.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO
from urllib.parse import quote, urlencode

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from tidegate.commands import DONE, FAILED
from tidegate.commands.remote import Declined, NotReached, ask, code_of

POLL_S = 0.5
CUT_WITHIN_S = 5.0
"""After the deadline, what still flies is ended; so long it is watched how."""
LONGEST_SILENCE_S = 30.0
"""A node that restarts is waited for; the order is in its store."""


def path_of(kind: str, name: str) -> str:
    """Of the drain of a region, service or endpoint."""
    return f"/v1/{kind}s/{quote(name, safe='')}/drain"


def drain(
    admin: str,
    path: str,
    *,
    body: Mapping[str, Any],
    wait: bool,
    token: str | None,
    as_json: bool,
    out: TextIO,
    err: TextIO,
) -> int:
    def order() -> Any:
        return ask(admin, "POST", path, token=token, body=dict(body))

    return _carried_out(
        order, "drained", admin=admin, path=path, wait=wait, token=token, as_json=as_json, out=out, err=err
    )


def undrain(
    admin: str,
    path: str,
    *,
    query: Mapping[str, str],
    wait: bool,
    token: str | None,
    as_json: bool,
    out: TextIO,
    err: TextIO,
) -> int:
    def order() -> Any:
        return ask(admin, "DELETE", f"{path}?{urlencode(query)}", token=token)

    return _carried_out(
        order, "serving", admin=admin, path=path, wait=wait, token=token, as_json=as_json, out=out, err=err
    )


def _carried_out(
    order: Callable[[], Any],
    goal: str,
    *,
    admin: str,
    path: str,
    wait: bool,
    token: str | None,
    as_json: bool,
    out: TextIO,
    err: TextIO,
) -> int:
    try:
        told = order()
        if wait:
            told = _watched(told, goal, admin=admin, path=path, token=token, console=Console(file=err))
    except (NotReached, Declined) as error:
        return code_of(error, err)
    if as_json:
        json.dump(told, out, indent=2, ensure_ascii=False)
        out.write("\n")
    else:
        Console(file=out, highlight=False, soft_wrap=True).print(escape(sentence(told)))
    return FAILED if wait and (told["state"] != goal or told.get("overdue")) else DONE


def sentence(told: Mapping[str, Any]) -> str:
    """How far a drain is, in one line."""
    flying = f"{told['in_flight']} in flight" + (f", {told['streams']} of them streams" if told["streams"] else "")
    if told.get("sessions") is not None:
        flying += f", {told['sessions']} sessions"
    line = f"{told['target']}: {told['state']}, share {told['share']:.0%}, {flying}"
    if told.get("local"):
        line += "; on this node only, kept on its disk"
    if told.get("overdue"):
        line += "; the deadline has passed"
    if told.get("author"):
        line += f" (by {told['author']}" + (f": {told['reason']})" if told["reason"] else ")")
    return line


def _under_way(told: Mapping[str, Any]) -> str:
    at = f"{told['in_flight']} in flight, {told['streams']} streams"
    return at if told.get("sessions") is None else f"{at}, {told['sessions']} sessions"


def _watched(
    told: dict[str, Any], goal: str, *, admin: str, path: str, token: str | None, console: Console
) -> dict[str, Any]:
    """Until the goal is reached, or the deadline has passed and nothing helps; the resource as it was last."""
    heard_at = time.monotonic()
    overdue_at: float | None = None
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%  {task.fields[at]}"))
    with Progress(*columns, console=console, transient=not console.is_terminal) as progress:
        bar = progress.add_task(escape(told["target"]), total=1.0, at="")
        while True:
            share = told["share"] if goal == "serving" else 1 - told["share"]
            progress.update(bar, completed=share, at=_under_way(told))
            if told.get("overdue") and told["share"] <= 0:
                overdue_at = overdue_at or time.monotonic()
                if time.monotonic() - overdue_at >= CUT_WITHIN_S:
                    return told
            elif told["state"] == goal:
                return told
            if goal == "drained" and told["state"] not in ("draining", "drained"):
                return told  # somebody has taken the order back
            time.sleep(POLL_S)
            try:
                told = ask(admin, "GET", path, token=token)
                heard_at = time.monotonic()
            except Declined as error:
                if error.status != 404:
                    raise
                return told | {"state": "serving", "share": 1.0}
            except NotReached:
                if time.monotonic() - heard_at > LONGEST_SILENCE_S:
                    raise
