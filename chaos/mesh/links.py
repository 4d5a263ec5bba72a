"""All links of the mesh: a Toxiproxy server in each region's network and one among the clients, and who is who.

Links are chosen by what they are for (`between`, `of_kind`), and broken together.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from chaos import toxiproxy
from chaos.mesh.network import within
from chaos.mesh.plan import REGIONS, SWITCH, LinkPlan, Setting, address, links
from chaos.toxiproxy import Direction, Link, Toxiproxy

API_PORT = 8474


@dataclass(frozen=True, slots=True)
class Links:
    """Some links, to be broken and healed as one."""

    links: Mapping[LinkPlan, Link]

    def chosen(self, is_wanted: Callable[[LinkPlan], bool]) -> Links:
        return Links({plan: link for plan, link in self.links.items() if is_wanted(plan)})

    def of_kind(self, *kinds: str) -> Links:
        return self.chosen(lambda plan: plan.kind in kinds)

    def between_regions(self) -> Links:
        """Whatever leaves a region for another."""
        return self.chosen(lambda plan: plan.is_between_regions and plan.target != "postgres")

    def around(self, region: str) -> Links:
        """What connects a region with the others, in both directions: not what is within it, not its clients."""
        return self.between_regions().chosen(lambda plan: region in {plan.source, plan.target})

    async def cut(self) -> None:
        await self._each(lambda link: link.cut())

    async def restore(self) -> None:
        await self._each(lambda link: link.restore())

    async def add(self, kind: str, *, directions: Sequence[Direction] = ("downstream",), **attributes: int) -> None:
        for direction in directions:
            await self._each(lambda link, to=direction: link.add(kind, direction=to, **attributes))  # type: ignore[misc]

    async def clear(self) -> None:
        """Whole again, and without faults."""
        await self._each(lambda link: link.clear())

    async def _each(self, act: Callable[[Link], Awaitable[object]]) -> None:
        await asyncio.gather(*(act(link) for link in self.links.values()))


@asynccontextmanager
async def opened(setting: Setting, *, binary: Path, directory: Path) -> AsyncIterator[Links]:
    """Every link of the setting, whole."""
    async with AsyncExitStack() as stack:
        servers: dict[str, Toxiproxy] = {}
        for place, host in (("clients", SWITCH), *((region, address(region)) for region in REGIONS)):
            servers[place] = await stack.enter_async_context(
                toxiproxy.running_at(
                    host,
                    API_PORT,
                    command=_placed(place, (str(binary), "-host", host, "-port", str(API_PORT))),
                    log=directory / f"toxiproxy-{place}.log",
                )
            )
        yield Links(await _made(links(setting), servers))


def _placed(place: str, command: tuple[str, ...]) -> tuple[str, ...]:
    return command if place == "clients" else within(place, command)


async def _made(plans: Iterable[LinkPlan], servers: Mapping[str, Toxiproxy]) -> dict[LinkPlan, Link]:
    return {
        plan: await servers[plan.source].link(plan.name, upstream=plan.upstream, listen=plan.listen) for plan in plans
    }
