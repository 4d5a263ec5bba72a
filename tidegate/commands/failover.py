"""`tidegate failover [REGION]`: let another region lead, or (`--plan`) say what would happen and what would be lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TextIO
from urllib.parse import urlencode

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tidegate.commands import DONE
from tidegate.commands.remote import Declined, NotReached, ask, code_of


def failover(admin: str, *, body: Mapping[str, Any], token: str | None, as_json: bool, out: TextIO, err: TextIO) -> int:
    """`body` is that of POST /v1/failover; a plan is asked for by GET, which needs only a viewer."""
    try:
        if body["action"] == "plan":
            query = urlencode({"to": body["to"]} if body["to"] else {})
            told = ask(admin, "GET", f"/v1/failover?{query}", token=token)
        else:
            told = ask(admin, "POST", "/v1/failover", token=token, body=dict(body))
    except (NotReached, Declined) as error:
        return code_of(error, err)
    if as_json:
        json.dump(told, out, indent=2, ensure_ascii=False)
        out.write("\n")
    else:
        _show(told, Console(file=out, highlight=False, soft_wrap=True), is_plan=body["action"] == "plan")
    return DONE


def _show(told: Mapping[str, Any], console: Console, *, is_plan: bool) -> None:
    home = told["first_choice"]
    console.print(
        f"{escape(told['primary'])} leads"
        + ("" if told["primary"] == home else f" instead of {escape(home)}")
        + f"; trigger {told['trigger']}, node {escape(told['leader'] or 'none')} decides"
    )
    if told["asks"]:
        console.print(f"[yellow]a person is asked:[/] {escape(told['asks'])}")
    if not is_plan:
        return
    plan = told["plan"]
    if plan["to"] is None:
        console.print("[red]no region would follow[/] without force:")
    else:
        console.print(
            f"[bold]{escape(plan['to'])}[/] would follow; lost would be {escape(str(plan['would_lose']))}; "
            f"{plan['in_flight']} requests are in flight to {escape(told['primary'])}"
        )
    console.print(escape(plan["why"]), style="dim")
    if plan["dns"] is not None:
        _show_name(plan["dns"], console)
    _show_candidates(plan["candidates"], console)


def _show_name(dns: Mapping[str, Any], console: Console) -> None:
    now, would = dns["targets"], dns["would"]
    console.print(
        f"{escape(dns['name'])} points to {escape(', '.join(now) or 'nothing that is known')}"
        f"; it would point to {escape(', '.join(would['targets']) or 'the same')}"
        f" ({escape(would['region'])}), and resolvers may keep the old for {would['ttl_s']:g} s"
    )
    if dns["problem"] is not None:
        console.print(f"[red]it could not be moved:[/] {escape(dns['problem'])}")


def _show_candidates(candidates: list[Mapping[str, Any]], console: Console) -> None:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("region", "may", "would lose", "against it"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "region")
    for one in candidates:
        may = "[green]yes[/]" if one["may"] else "[red]no[/]" if one["objections"] else "[yellow]by force[/]"
        against = "; ".join([*one["objections"], *one["with_force"]])
        table.add_row(escape(one["region"]), may, escape(one["would_lose"]), escape(against))
    console.print(table)
