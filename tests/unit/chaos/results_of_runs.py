"""A result written by hand."""

from __future__ import annotations

from chaos.results import Result
from tidegate.demo.promises import Promise

KEPT = Promise("no write is lost", is_kept=True, found="12 writes")
BROKEN = Promise("no write is lost", is_kept=False, found="1 of 12 writes: a:1")


def result(name: str = "latency", number: int = 1, *, lost: float | None = 0, is_kept: bool = True) -> Result:
    return Result(
        experiment=name,
        number=number,
        seed=number,
        commit="abc",
        profile="full",
        took_s=12.0,
        figures={"lost": lost, "visible_p50": 0.1 * number},
        promises=(KEPT if is_kept else BROKEN,),
        seconds={"eu-west": [(5, 0, 2, 0), (3, 2, 1, 1)]},
        notes=[(0.5, "fault", "links are <slow>"), (0.9, "decision", "gw: leader gw"), (1.5, "healed", "healed")],
    )
