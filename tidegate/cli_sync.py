"""The words of `tidegate sync ...`: the clients' data, how it is replicated and what waits for a person."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from tidegate import commands
from tidegate.commands.remote import DEFAULT_ADMIN
from tidegate.options import AdminOption, ConfigOption, JsonOption, ReasonOption, TokenOption

HELP = "The clients' data: how it is replicated, and what waits for a person."
app = typer.Typer(help=HELP, no_args_is_help=True)

CollectionArgument = Annotated[str, typer.Argument(help="A collection of the configuration.")]
KeyArgument = Annotated[str, typer.Argument(help="The key.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")]


@app.callback()
def sync() -> None:
    """The clients' data: how it is replicated, and what waits for a person."""


@app.command()
def status(admin: AdminOption = DEFAULT_ADMIN, token: TokenOption = None, as_json: JsonOption = False) -> None:
    """Say how each collection is kept, and how the peers are."""
    from tidegate.commands import sync as syncing  # noqa: PLC0415 - see tidegate/commands

    raise typer.Exit(syncing.status(admin, token=token, as_json=as_json, out=sys.stdout, err=sys.stderr))


@app.command()
def lag(admin: AdminOption = DEFAULT_ADMIN, token: TokenOption = None, as_json: JsonOption = False) -> None:
    """Say how far each collection here is behind each peer; 1 when one is critical."""
    from tidegate.commands import sync as syncing  # noqa: PLC0415

    raise typer.Exit(syncing.lag(admin, token=token, as_json=as_json, out=sys.stdout, err=sys.stderr))


@app.command()
def conflicts(  # noqa: PLR0917 - the words of the command line, in the order of its help
    collection: CollectionArgument,
    key: Annotated[str | None, typer.Argument(help="Show all versions of this key.")] = None,
    after: Annotated[str, typer.Option("--after", help="The `next` of the page before.")] = "",
    limit: LimitOption = 100,
    admin: AdminOption = DEFAULT_ADMIN,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the keys in conflict and what lost by the clock, or show a key's versions."""
    from tidegate.commands import sync as syncing  # noqa: PLC0415

    if key is None:
        query = {"after": after, "limit": str(limit)}
        code = syncing.conflicts(
            admin, collection, query=query, token=token, as_json=as_json, out=sys.stdout, err=sys.stderr
        )
    else:
        code = syncing.versions(admin, collection, key, token=token, as_json=as_json, out=sys.stdout, err=sys.stderr)
    raise typer.Exit(code)


@app.command()
def resolve(  # noqa: PLR0917
    collection: CollectionArgument,
    key: KeyArgument,
    choose: Annotated[str | None, typer.Option("--choose", help="Keep this version.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="Keep the content of this file instead.")] = None,
    content_type: Annotated[str, typer.Option("--content-type", help="Of the file.")] = "application/json",
    context: Annotated[
        str | None, typer.Option("--context", help="Of `conflicts --json`: what came since then stays in conflict.")
    ] = None,
    reason: ReasonOption = "",
    admin: AdminOption = DEFAULT_ADMIN,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Resolve a conflict: keep one of the versions, or a value of your own."""
    from tidegate.commands import sync as syncing  # noqa: PLC0415

    if (choose is None) == (file is None):
        sys.stderr.write("found both or neither of --choose and --file, expected one of them\n")
        raise typer.Exit(commands.MISUSED)
    value = None
    if file is not None:
        try:
            value = file.read_bytes()
        except OSError as error:
            sys.stderr.write(f"{file}: {error.strerror}\n")
            raise typer.Exit(commands.MISUSED) from None
    wanted = syncing.Wanted(collection, key, choose, value, content_type, context, reason)
    raise typer.Exit(syncing.resolve(admin, wanted, token=token, as_json=as_json, out=sys.stdout, err=sys.stderr))


@app.command()
def quarantine(  # noqa: PLR0917
    collection: Annotated[str | None, typer.Argument(help="Of this collection only.")] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Take it up again.")] = False,
    origin: Annotated[str | None, typer.Option("--origin", help="With --retry: of this origin only.")] = None,
    release: Annotated[str | None, typer.Option("--release", help="Go on without this version.")] = None,
    limit: LimitOption = 100,
    reason: ReasonOption = "",
    admin: AdminOption = DEFAULT_ADMIN,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what is received and not applied; ask all peers again (--retry), or give a damaged one up (--release)."""
    from tidegate.commands import sync as syncing  # noqa: PLC0415

    if (retry or release is not None) and collection is None:
        sys.stderr.write(f"found {'--retry' if retry else '--release'} without a collection, expected one\n")
        raise typer.Exit(commands.MISUSED)
    if retry and release is not None:
        sys.stderr.write("found --retry and --release, expected one of them\n")
        raise typer.Exit(commands.MISUSED)
    if release is not None:
        body = {"collection": collection, "action": "release", "version": release, "reason": reason}
        code = syncing.release(admin, body=body, token=token, as_json=as_json, out=sys.stdout, err=sys.stderr)
    elif retry:
        body = {"collection": collection, "origin": origin, "reason": reason}
        code = syncing.retry(admin, body=body, token=token, as_json=as_json, out=sys.stdout, err=sys.stderr)
    else:
        query = {"limit": str(limit)} | ({} if collection is None else {"collection": collection})
        code = syncing.quarantine(admin, query=query, token=token, as_json=as_json, out=sys.stdout, err=sys.stderr)
    raise typer.Exit(code)


@app.command()
def members(admin: AdminOption = DEFAULT_ADMIN, token: TokenOption = None, as_json: JsonOption = False) -> None:
    """Say who is waited for before anything is forgotten, and how comparisons with peers went."""
    from tidegate.commands import upkeep  # noqa: PLC0415

    raise typer.Exit(upkeep.members(admin, token=token, as_json=as_json, out=sys.stdout, err=sys.stderr))


@app.command()
def evict(
    member: Annotated[str, typer.Argument(help="A store, region:id, or a region: all of its stores.")],
    reason: ReasonOption = "",
    admin: AdminOption = DEFAULT_ADMIN,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Wait for a member no longer, on every node that is reached. It comes back by a snapshot, without loss."""
    from tidegate.commands import upkeep  # noqa: PLC0415

    told = upkeep.evict(admin, member, reason=reason, token=token, as_json=as_json, out=sys.stdout, err=sys.stderr)
    raise typer.Exit(told)


@app.command()
def snapshot(
    collection: CollectionArgument,
    region: Annotated[str | None, typer.Option("--from", help="Of a peer in this region.")] = None,
    admin: AdminOption = DEFAULT_ADMIN,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a snapshot of a collection from a peer now, and stay until it is there."""
    from tidegate.commands import upkeep  # noqa: PLC0415

    told = upkeep.snapshot(
        admin, collection, region=region, token=token, as_json=as_json, out=sys.stdout, err=sys.stderr
    )
    raise typer.Exit(told)


@app.command()
def backup(admin: AdminOption = DEFAULT_ADMIN, token: TokenOption = None, as_json: JsonOption = False) -> None:
    """Back up everything that the node holds, encrypted, and stay until it is done."""
    from tidegate.commands import upkeep  # noqa: PLC0415

    raise typer.Exit(upkeep.backup(admin, token=token, as_json=as_json, out=sys.stdout, err=sys.stderr))


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="A backup: a folder with one file a data type.")],
    config: ConfigOption = Path("tidegate.yaml"),
    drill: Annotated[bool, typer.Option("--drill", help="Only show that it could be; the node may run.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Put a backup back into the files of this (stopped) node; what was there is put aside."""
    from tidegate.commands import upkeep  # noqa: PLC0415

    told = upkeep.restore(
        config, folder, is_drill=drill, environ=os.environ, as_json=as_json, out=sys.stdout, err=sys.stderr
    )
    raise typer.Exit(told)
