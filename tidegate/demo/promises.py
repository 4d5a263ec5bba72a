"""What Tidegate promises, checked on what was recorded: the clients' answers and the backends' logs.

Pure: a list of facts in, `Promise(kept, ...)` out. Each says what was promised, and what was found, in numbers. A check
that had nothing to look at is not kept: nothing shown is not the same as nothing wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tidegate.demo.cluster import Arrival
from tidegate.demo.traffic import Answer

MOST_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise and whether it was kept."""

    text: str
    is_kept: bool
    found: str


def counted(number: int, thing: str) -> str:
    """`1 request`, `1,204 requests`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def described(answer: Answer) -> str:
    """One answer in a few words."""
    outcome = answer.error or f"{answer.status}{f' {answer.reason}' if answer.reason else ''}"
    if answer.is_served:
        outcome = f"{answer.status} by {answer.backend}"
    return f"{answer.method} {answer.path} -> {outcome} in {answer.took_s * 1000:.0f} ms"


def examples(answers: Iterable[Answer]) -> str:
    """The first few, described."""
    shown = [described(answer) for answer in answers]
    more = f" and {len(shown) - MOST_SHOWN} more" if len(shown) > MOST_SHOWN else ""
    return "; ".join(shown[:MOST_SHOWN]) + more


def all_of(text: str, answers: Sequence[Answer], holds: Callable[[Answer], bool]) -> Promise:
    """Every one of these answers is as promised."""
    wrong = [answer for answer in answers if not holds(answer)]
    if not answers:
        return Promise(text, is_kept=False, found="no request to show it by")
    if wrong:
        return Promise(
            text, is_kept=False, found=f"{len(wrong)} of {counted(len(answers), 'request')}: {examples(wrong)}"
        )
    return Promise(text, is_kept=True, found=counted(len(answers), "request"))


def none_failed(answers: Sequence[Answer], *, text: str = "no idempotent request fails") -> Promise:
    """Of the idempotent requests, each was served, or rightly sent elsewhere by residency."""
    return all_of(text, [answer for answer in answers if answer.is_idempotent], lambda answer: not answer.is_failed)


def served_by(answers: Sequence[Answer], *, text: str, expected: Mapping[str, str]) -> Promise:
    """The clients of each region are served from the region expected for it."""
    return all_of(
        text, [one for one in answers if one.is_served], lambda answer: answer.served_from == expected[answer.region]
    )


def logs_agree(answers: Sequence[Answer], arrivals: Sequence[Arrival]) -> Promise:
    """Each answer stands in the log of the very backend that it names: what clients were told is what happened."""
    logged = {(arrival.backend, arrival.method, arrival.path) for arrival in arrivals}
    return all_of(
        "every answer stands in the log of the backend that it names",
        [answer for answer in answers if answer.is_served],
        lambda answer: (answer.backend, answer.method, answer.path) in logged,
    )


def left_alone(backend: str, seen: Sequence[Arrival], *, text: str | None = None) -> Promise:
    """What a witness at a dead backend's port saw from the health bound on: probes, and nothing but probes."""
    text = text or f"after the health bound nothing but probes is sent to {backend}"
    probes = sum(arrival.is_probe for arrival in seen)
    requests = [f"{arrival.method} {arrival.path} from {arrival.node}" for arrival in seen if not arrival.is_probe]
    if requests:
        shown = "; ".join(requests[:MOST_SHOWN])
        return Promise(text, is_kept=False, found=f"{counted(len(requests), 'request')} sent there: {shown}")
    if not probes:
        return Promise(text, is_kept=False, found="not even a probe arrived, so nothing is shown")
    return Promise(text, is_kept=True, found=f"{counted(probes, 'probe')}, 0 requests")


def left_in_time(delays_s: Mapping[str, float | None], *, what: str, bound_s: float) -> Promise:
    """Each node (by id) noticed a death within the bound; None: it did not."""
    text = f"every node gives {what} up within {bound_s:.1f} s"
    late = [
        f"{node}: {'not at all' if delay is None else f'{delay:.2f} s'}"
        for node, delay in delays_s.items()
        if delay is None or delay > bound_s
    ]
    if late or not delays_s:
        return Promise(text, is_kept=False, found=", ".join(late) or "no node to show it by")
    slowest = max(delay for delay in delays_s.values() if delay is not None)
    return Promise(text, is_kept=True, found=f"the slowest took {slowest:.2f} s")


def fails_closed(answers: Sequence[Answer], *, rule: str) -> Promise:
    """With every allowed region down, a bound route answers 503 and says which rule it kept."""
    return all_of(
        f"the bound route answers 503 with Proxy-Status and names the rule {rule!r}",
        answers,
        lambda answer: answer.status == 503 and bool(answer.proxy_status) and answer.rule == rule,
    )


def stayed_home(bound: Sequence[Answer], abroad: Sequence[Arrival], *, home: str) -> Promise:
    """No byte of the bound requests - path or marked body - stands in a log outside the region they are bound to.

    A path occurs once and the body repeats it, so one search of each line finds both.
    """
    text = f"not one byte of it left {home}"
    paths = {answer.path for answer in bound}
    found = [f"{path} at {arrival.backend}" for arrival in abroad for path in paths if path in arrival.line]
    if found:
        return Promise(text, is_kept=False, found="; ".join(found[:MOST_SHOWN]))
    if not paths or not abroad:
        return Promise(text, is_kept=False, found="nothing to show it by")
    searched = (
        f"searched {counted(len(abroad), 'line')} of the other regions' logs for {counted(len(paths), 'request')}"
    )
    return Promise(text, is_kept=True, found=searched)


def only_held_lost(answers: Sequence[Answer], *, died_at: float) -> Promise:
    """A process's death loses at most the requests that it held: none that began after it was gone."""
    after = [answer for answer in answers if answer.began >= died_at]
    held = sum(answer.is_failed for answer in answers if answer.began < died_at)
    promise = all_of("no request that began after the death fails", after, lambda answer: not answer.is_failed)
    return Promise(promise.text, promise.is_kept, f"{promise.found}; {held} lost with the process")


def sentence(answers: Sequence[Answer]) -> str:
    """What happened to how many requests."""
    served = [answer for answer in answers if answer.is_served]
    sent_home = sum(answer.is_refused_by_residency for answer in answers)
    failed = [answer for answer in answers if answer.is_failed]
    parts = [f"{counted(len(answers), 'request')}: {len(served):,} answered"]
    if sent_home:
        parts.append(f"{sent_home:,} sent to the region that may hold their data")
    if failed:
        why = Counter(answer.reason or answer.error or str(answer.status) for answer in failed)
        parts.append(
            f"{len(failed):,} failed ({', '.join(f'{count} {reason}' for reason, count in why.most_common(3))})"
        )
    else:
        parts.append("none failed")
    return ", ".join(parts)
