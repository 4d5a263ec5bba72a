"""The figure table: columns are faults, rows are figures; each cell the minimum, median and maximum of its runs.

Written as Markdown, in blocks of a few columns, so that it can be read in a terminal and on a page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from chaos.checking.figures import ROWS
from chaos.results import Result

COLUMNS_A_BLOCK = 6


def written(
    results: Sequence[Result], *, order: Sequence[str], facts: Mapping[str, str], words: Mapping[str, str]
) -> str:
    """The whole report's text. `words`: what each experiment is, by its name."""
    runs = {name: [one for one in results if one.experiment == name] for name in order}
    names = [name for name in order if runs[name]]
    lines = ["# What chaos found", "", *_facts(results, facts), ""]
    lines += ["## Promises", "", *_promises(names, runs, words), "", "## Figures", ""]
    lines += [CELLS, ""]
    for start in range(0, len(names), COLUMNS_A_BLOCK):
        lines += [*block(names[start : start + COLUMNS_A_BLOCK], runs), ""]
    return "\n".join(lines)


CELLS = "Each cell: the figure, or minimum / median / maximum where runs differ; `-` where a run cannot give it."


def block(names: Sequence[str], runs: Mapping[str, Sequence[Result]]) -> Iterator[str]:
    """Some columns of the table."""
    yield f"| figure | {' | '.join(f'{name} (n={len(runs[name])})' for name in names)} |"
    yield f"|---|{'---|' * len(names)}"
    for row, (text, form) in ROWS.items():
        cells = [cell([one.figures.get(row) for one in runs[name]], form) for name in names]
        yield f"| {text} | {' | '.join(cells)} |"


def cell(values: Sequence[float | None], form: str) -> str:
    """What the runs gave."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return "-"
    low, middle, high = (form.format(value) for value in (known[0], median(known), known[-1]))
    return low if low == high else f"{low} / {middle} / {high}"


def _facts(results: Sequence[Result], facts: Mapping[str, str]) -> Iterator[str]:
    broken = sum(not one.is_kept for one in results)
    kept = sum(promise.is_kept for one in results for promise in one.promises)
    count = sum(len(one.promises) for one in results)
    commits = ", ".join(sorted({one.commit for one in results}))
    profiles = ", ".join(sorted({one.profile for one in results}))
    yield f"{len(results)} runs, {broken} of them with a broken promise; {kept:,} of {count:,} promises kept."
    yield ""
    yield f"- made by: `make chaos` ({profiles}), commit {commits}"
    yield f"- seeds: {', '.join(str(seed) for seed in sorted({one.seed for one in results}))}"
    yield from (f"- {name}: {value}" for name, value in facts.items())


def _promises(names: Sequence[str], runs: Mapping[str, Sequence[Result]], words: Mapping[str, str]) -> Iterator[str]:
    for name in names:
        broken = [(one, promise) for one in runs[name] for promise in one.promises if not promise.is_kept]
        count = sum(len(one.promises) for one in runs[name])
        picture = f"[timeline](timelines/{name}.svg)"
        yield f"- **{name}**: {words.get(name, '')}. {count - len(broken)} of {count} kept, {picture}"
        yield from (f"  - BROKEN in run {one.number}: {promise.text} ({promise.found})" for one, promise in broken)
