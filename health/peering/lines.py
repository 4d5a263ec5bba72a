"""A kept line to what is behind a peer's listener: proven once, then questions and answers without a request for each.

    asks ──WebSocket──> the peer's listener, which proves who asks as for any request ──Unix socket──> answers
    hello <── who answers, and a word by chance
    question ──> answer, or a refusal that says why; one at a time, in order

Between nodes without TLS everything behind the hello is sealed: HMAC(key, direction, number, message), where the key
is made of `peer.secret`, of both sides' names and of a word by chance from each. So nothing can be changed, left out,
said again or turned round, and a recorded beginning is worth nothing. Over TLS there is nothing to add.

A line does not outlive `LIFE_S`, nor the mesh's signing key by which it began: whoever asks then proves again who it
is, with the keys and certificates of that time.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
from aiohttp import ClientWebSocketResponse, WSMessage, WSMsgType, web

from config.core.signing import Signer
from health.peering.identity import Identity, Peer

LIFE_S: Final = 600.0
EXTRA_LIFE_S: Final = 60.0
"""How much longer the answering side bears a line: it is the asking side's to end it between two questions."""
SILENT_S: Final = 60.0
"""Without a question for so long, nobody is there any more."""
_PURPOSE: Final = "peer line"
_TAG_BYTES: Final = hashlib.sha256().digest_size
_ANSWER, _REFUSAL = b"\0", b"\1"


class LineBroken(Exception):
    """The line has ended, or what came over it was not said like this at the other end."""


class LineRefused(Exception):
    """The other side does not answer this question. The line goes on."""

    def __init__(self, status: int, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason


Socket = web.WebSocketResponse | ClientWebSocketResponse
"""Either end."""


class Hello(msgspec.Struct):
    """What the answering side says first."""

    who: dict[str, str]
    """Its identity, as in the headers of an answer."""
    word: str


class Refusal(msgspec.Struct):
    status: int
    reason: str
    detail: str


class Seal:
    """One direction of one line. Without a key, messages go as they are."""

    def __init__(self, key: bytes | None, direction: bytes) -> None:
        self._key = key
        self._direction = direction
        self._number = 0

    def close(self, message: bytes) -> bytes:
        return message if self._key is None else message + self._tag(self._key, message)

    def open(self, sealed: bytes) -> bytes:
        """Raises LineBroken."""
        if self._key is None:
            return sealed
        message, tag = sealed[:-_TAG_BYTES], sealed[-_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(self._key, message)):
            raise LineBroken("found a message without the seal of this place, expected the other side's next one")
        return message

    def _tag(self, key: bytes, message: bytes) -> bytes:
        number, self._number = self._number, self._number + 1
        return hmac.digest(key, self._direction + number.to_bytes(8) + message, "sha256")


def seals(signer: Signer | None, *, asking: str, nonce: str, hello: Hello) -> tuple[Seal, Seal]:
    """For questions and for answers. `asking`: the node that does; `nonce`: of its signed request."""
    key = None
    if signer is not None:
        names = (hello.who.get(name, "") for name in ("Tidegate-Node", "Tidegate-Region"))
        key = signer.sign(_PURPOSE, "\n".join((asking, nonce, *names, hello.word)).encode())
    return Seal(key, b"question"), Seal(key, b"answer")


class Line:
    """The asking end. `now` is monotonic seconds."""

    def __init__(self, socket: ClientWebSocketResponse, peer: Peer, sealing: tuple[Seal, Seal], now: float) -> None:
        self.peer = peer
        self.is_whole = True
        """False once an answer was missed: what comes next would be taken for it."""
        self._socket = socket
        self._questions, self._answers = sealing
        self._began = now

    def may_be_used(self, now: float) -> bool:
        return self.is_whole and not self._socket.closed and now - self._began < LIFE_S

    async def ask(self, question: bytes, *, timeout_s: float) -> bytes:
        """Raises LineBroken or LineRefused, and TimeoutError."""
        self.is_whole = False
        async with asyncio.timeout(timeout_s):
            try:
                await self._socket.send_bytes(self._questions.close(question))
            except ConnectionError as error:
                raise LineBroken(str(error) or "the line has ended") from error
            answer = self._answers.open(_binary(await self._socket.receive()))
        self.is_whole = True
        if answer[:1] == _ANSWER:
            return answer[1:]
        try:
            refusal = msgspec.json.decode(answer[1:], type=Refusal)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise LineBroken(f"found an answer that is none: {error}") from error
        raise LineRefused(refusal.status, refusal.reason[:100], refusal.detail[:500])

    async def close(self) -> None:
        await self._socket.close()


async def greeted(
    socket: ClientWebSocketResponse, identity: Identity, signer: Signer | None, *, nonce: str, now: float
) -> Line:
    """The line, once the other side has said who it is. Raises LineBroken and Stranger."""
    try:
        hello = msgspec.json.decode(_binary(await socket.receive()), type=Hello)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LineBroken(f"found a greeting that is none: {error}") from error
    peer = identity.recognise(hello.who)
    return Line(socket, peer, seals(signer, asking=identity.node, nonce=nonce, hello=hello), now)


Answer = Callable[[bytes], Awaitable[bytes]]


async def serve(
    request: web.BaseRequest,
    answer: Answer,
    *,
    identity: Identity,
    signer: Signer | None,
    max_question: int,
    clock: Callable[[], float],
) -> web.StreamResponse:
    """The answering end, until either side leaves. `answer` raises LineRefused. The listener has proven who asks."""
    # aiohttp takes what is below the size that it is given.
    socket = web.WebSocketResponse(max_msg_size=max_question + _TAG_BYTES + 1, compress=False)
    await socket.prepare(request)
    hello = Hello(dict(identity.headers), secrets.token_hex(16))
    await socket.send_bytes(msgspec.json.encode(hello))
    questions, answers = seals(
        signer,
        asking=request.headers.get("Tidegate-Peer-Node", ""),
        nonce=request.headers.get("Tidegate-Nonce", ""),
        hello=hello,
    )
    ends = clock() + LIFE_S + EXTRA_LIFE_S
    try:
        while clock() < ends:
            question = questions.open(_binary(await socket.receive(SILENT_S)))
            if identity.headers != hello.who:
                break
            try:
                said = _ANSWER + await answer(question)
            except LineRefused as refused:
                said = _REFUSAL + msgspec.json.encode(Refusal(refused.status, refused.reason, str(refused)))
            await socket.send_bytes(answers.close(said))
    except (LineBroken, TimeoutError, ConnectionError):
        pass  # the other side has left, or is not whom it said to be: either way there is nobody to answer
    await socket.close()
    return socket


async def relayed(outer: Socket, inner: Socket) -> None:
    """Carry messages both ways, one at a time, until either side leaves. Whoever opened `inner` ends it."""
    async with asyncio.TaskGroup() as group:
        ways = [group.create_task(_carried(outer, inner)), group.create_task(_carried(inner, outer))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
    await outer.close()


async def _carried(source: Socket, sink: Socket) -> None:
    with contextlib.suppress(ConnectionError):
        while (message := await source.receive()).type is WSMsgType.BINARY:
            await sink.send_bytes(message.data)


def is_line(headers: Mapping[str, str]) -> bool:
    """Whether a request asks for one."""
    return headers.get("Upgrade", "").lower() == "websocket"


def _binary(message: WSMessage) -> bytes:
    """Raises LineBroken."""
    if message.type is not WSMsgType.BINARY:
        raise LineBroken(f"the line has ended ({message.type.name.lower()})")
    data: bytes = message.data
    return data
