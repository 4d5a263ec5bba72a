"""`tidegate nodes`: the nodes of the mesh as one of them hears them, for a person or as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tidegate.commands import DONE
from tidegate.commands.remote import Declined, NotReached, ask, code_of


def nodes(admin: str, *, token: str | None, as_json: bool, out: TextIO, err: TextIO) -> int:
    try:
        told = ask(admin, "GET", "/v1/nodes", token=token)
    except (NotReached, Declined) as error:
        return code_of(error, err)
    if as_json:
        json.dump(told, out, indent=2, ensure_ascii=False)
        out.write("\n")
    else:
        _show(told, Console(file=out, highlight=False, soft_wrap=True))
    return DONE


def _show(told: Mapping[str, Any], console: Console) -> None:
    console.print(f"leader: {escape(told['leader'] or 'none')}; {escape(told['election'])}")
    if told["state"] != "ok":
        console.print(f"[yellow]decisions are frozen:[/] {escape(told['state'])}")
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("node", "region", "address", "state", "version", "configuration", "in flight", "heard"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "node")
    for node in told["nodes"]:
        config = escape(node["config"][:12])
        table.add_row(
            escape(node["node"]) + (" [green]leads[/]" if node["leader"] else ""),
            escape(node["region"]),
            escape(node["address"] or "-"),
            escape(node["state"]),
            escape(node["version"]),
            config if node["same_config"] else f"[yellow]{config} differs[/]",
            str(node["in_flight"]),
            f"{node['age_s']:.1f} s ago",
        )
    console.print(table)
    for silent in told["unreached"]:
        console.print(f"[yellow]no answer from[/] {escape(silent['address'])}: {escape(silent['reason'])}")
