"""What would a route's shaping do to this request and its answer? One line a policy, for `explain`."""

from __future__ import annotations

from collections.abc import Iterator

from config.core.signing import Signer
from gateway.core import reasons
from gateway.core.compression import negotiated
from gateway.core.cors import origin_of
from gateway.core.head import RequestHead
from gateway.core.shaping import AnswerRules, Shaping
from gateway.errors import RequestRefused

Line = dict[str, str]


def explained(
    shaping: Shaping, head: RequestHead, service: str, signer: Signer | None, copy_to: str | None = None
) -> Iterator[Line]:
    """`service` is the one that was chosen, `copy_to` the endpoint for a copy; None where nobody would get one."""
    if shaping.redirect is not None:
        location = shaping.redirect.location(head).decode("ascii")
        yield _line("redirect", str(shaping.redirect.status), f"to {location}")
        return
    if shaping.split is not None:
        kept = shaping.split.is_sticky and shaping.split.kept(head, signer) is not None
        why = "its cookie names it" if kept else "by this client's place among the weights"
        unread = shaping.split.is_sticky and signer is None and shaping.split.cookie.encode() in head.block
        yield _line("split", service, "its cookie cannot be read without the node's keys" if unread else why)
    if shaping.max_request is not None:
        yield _line("limits", f"at most {shaping.max_request} bytes", "of a request's body")
    if shaping.buffers_request:
        yield _line("buffer_request", "whole", "the body is read before an endpoint is chosen")
    yield from _request(shaping, head)
    if shaping.mirror is not None:
        whither = f"to {copy_to}" if copy_to is not None else f"to nobody now: {reasons.NO_HEALTHY_ENDPOINT}"
        yield _line("mirror", shaping.mirror.service, f"a copy of {shaping.mirror.share:.2%} of requests, {whither}")
    if shaping.answer is not None:
        yield from _answer(shaping.answer, head)


def _request(shaping: Shaping, head: RequestHead) -> Iterator[Line]:
    rules = shaping.request
    if rules is None:
        return
    if rules.path is not None:
        try:
            path, query = rules.path.apply(head.path, head.query)
            yield _line("rewrite", (path + query).decode("ascii"), f"by {rules.path.pattern.pattern.decode()}")
        except RequestRefused as error:
            yield _line("rewrite", "refused", f"{error.reason}: {error.detail}")
    if rules.host_line is not None:
        yield _line("rewrite host", rules.host_line[6:-2].decode(), "in place of the client's")
    if rules.fields is not None:
        yield _line("request_headers", _names(rules.fields.added), f"without {_list(rules.fields.dropped)}")


def _answer(rules: AnswerRules, head: RequestHead) -> Iterator[Line]:
    if rules.cors is not None:
        origin = origin_of(head)
        if origin is None:
            yield _line("cors", "no page", "the request has no Origin")
        else:
            may = rules.cors.allows(origin)
            yield _line("cors", "allowed" if may else "denied", origin.decode("ascii", "backslashreplace"))
    if rules.max_size is not None:
        yield _line("limits", f"at most {rules.max_size} bytes", "of an answer's body")
    if rules.fields is not None:
        yield _line("response_headers", _names(rules.fields.added), f"without {_list(rules.fields.dropped)}")
    if rules.body is not None:
        kinds = _list((*rules.body.types, *rules.body.families))
        yield _line("response_body", f"{len(rules.body.replacements)} replacements", f"in {kinds}")
    if rules.coding is not None:
        accepted = b",".join(head.values(b"accept-encoding"))
        chosen = negotiated(accepted, rules.coding.offered)
        yield _line(
            "compression", chosen or "none", "as the client accepts it" if chosen else "the client accepts none"
        )


def _names(lines: bytes) -> str:
    return ", ".join(line.partition(b":")[0].decode() for line in lines.split(b"\r\n")[:-1]) or "none added"


def _list(names: tuple[bytes, ...]) -> str:
    return ", ".join(name.decode() for name in names) or "nothing"


def _line(name: str, outcome: str, reason: str) -> Line:
    return {"name": name, "outcome": outcome, "reason": reason}
