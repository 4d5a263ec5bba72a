"""The options that several commands have, spelt once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", envvar="TIDEGATE_CONFIG", help="Configuration file.", show_default=True)
]
AdminOption = Annotated[
    str, typer.Option("--admin", envvar="TIDEGATE_ADMIN", help="Admin API of the node, http://host:port.")
]
TokenOption = Annotated[
    str | None,
    typer.Option("--token", envvar="TIDEGATE_TOKEN", help="Bearer token; better set TIDEGATE_TOKEN, `ps` shows this."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]
ServiceOption = Annotated[bool, typer.Option("--service", help="The name is a service's.")]
EndpointOption = Annotated[bool, typer.Option("--endpoint", help="It is an endpoint's, service/region/host:port.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the journal and for whoever looks.")]
LocalOption = Annotated[bool, typer.Option("--local", help="On this node only; needs no majority.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Stay until it is done, with a progress bar.")]
