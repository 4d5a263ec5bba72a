"""`tidegate decisions`: what was decided, by whom, why, and what came of it."""

from __future__ import annotations

import json
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape

from tidegate.commands import DONE
from tidegate.commands.remote import Declined, NotReached, ask, code_of

_COLOURS = {"done": "green", "refused": "yellow", "failed": "red", "unknown": "red", "interrupted": "red"}


def decisions(admin: str, *, limit: int, token: str | None, as_json: bool, out: TextIO, err: TextIO) -> int:
    try:
        told = ask(admin, "GET", f"/v1/decisions?limit={limit}", token=token)
    except (NotReached, Declined) as error:
        return code_of(error, err)
    if as_json:
        json.dump(told, out, indent=2, ensure_ascii=False)
        out.write("\n")
        return DONE
    console = Console(file=out, highlight=False, soft_wrap=True)
    for one in told["decisions"]:
        console.print(_line(one))
    return DONE


def _line(one: dict[str, Any]) -> str:
    """A sentence a decision: a table of seven columns fits no terminal."""
    colour = _COLOURS.get(one["outcome"], "dim")
    epoch = "" if one["epoch"] is None else f" in epoch {one['epoch']}"
    why = f": {one['why']}" if one["why"] else ""
    detail = f": {one['detail']}" if one.get("detail") else ""
    return (
        f"[dim]{escape(one['at'])}[/] {escape(one['what'])} {escape(one['target'])} "
        f"[{colour}]{escape(one['outcome'])}[/]{escape(detail)} "
        f"[dim]by[/] {escape(one['author'])} on {escape(one['node'])}{epoch}{escape(why)}"
    )
