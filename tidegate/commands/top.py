"""`tidegate top`: a node's regions, endpoints and drains, each second anew. `--once`, and a pipe, show one frame."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tidegate.commands import DONE
from tidegate.commands.drain import sentence
from tidegate.commands.remote import Declined, NotReached, ask, code_of

EVERY_S = 1.0
COLOURS = {"up": "green", "degraded": "yellow", "down": "red", "untested": "dim"}


def top(admin: str, *, once: bool, token: str | None, as_json: bool, out: TextIO, err: TextIO) -> int:
    try:
        told = ask(admin, "GET", "/v1/status", token=token)
        if as_json:
            json.dump(told, out, indent=2, ensure_ascii=False)
            out.write("\n")
            return DONE
        console = Console(file=out, highlight=False)
        if once or not console.is_terminal:
            console.print(frame(told, None, 0.0))
            return DONE
        return _watch(admin, told, console, token=token)
    except (NotReached, Declined) as error:
        return code_of(error, err)


def _watch(admin: str, told: dict[str, Any], console: Console, *, token: str | None) -> int:
    before, at = told, time.monotonic()
    with Live(frame(told, None, 0.0), console=console, screen=True, auto_refresh=False) as live:
        try:
            while True:
                time.sleep(EVERY_S)
                told, now = ask(admin, "GET", "/v1/status", token=token), time.monotonic()
                live.update(frame(told, before, now - at), refresh=True)
                before, at = told, now
        except KeyboardInterrupt:
            return DONE


def frame(told: Mapping[str, Any], before: Mapping[str, Any] | None, seconds: float) -> Group:
    """One picture; rates are over the time since `before`."""
    flying = sum(child.get("in_flight", 0) for child in told["processes"]["children"])
    head = f"{told['node']} in {told['region']}: {told['state']}, {flying} in flight, {told['primary']} leads"
    earlier = {one["endpoint"]: one for one in before["endpoints"]} if before else {}
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("endpoint", "health", "in flight", "per second", "failed", "rtt", "reason"):
        table.add_column(heading, no_wrap=True, overflow="ellipsis" if heading == "reason" else "fold")
    for one in told["endpoints"]:
        attempts = one["attempts"] - earlier.get(one["endpoint"], one)["attempts"]
        colour = COLOURS.get(one["health"], "yellow")
        table.add_row(
            escape(one["endpoint"]),
            f"[{colour}]{escape(one['health'])}[/]",
            str(one["in_flight"]),
            f"{attempts / seconds:.0f}" if seconds else "-",
            str(one["connect_failures"] + one["failures"]),
            "-" if one["rtt_s"] is None else f"{one['rtt_s'] * 1000:.1f} ms",
            escape(one["reason"]),
        )
    regions = "  ".join(
        f"[{COLOURS.get(one['health'], 'yellow')}]{escape(one['region'])} {one['healthy']}/{one['total']}[/]"
        for one in told["regions"]
    )
    notes = [Text(f"degraded: {reason}", style="yellow") for reason in told["degraded"]]
    drains = [Text(sentence(one), style="cyan") for one in told["drains"]]
    return Group(Text(head, style="bold"), Text.from_markup(regions), *notes, *drains, table)
