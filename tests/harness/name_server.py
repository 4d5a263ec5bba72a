"""A real name server on loopback, UDP and TCP, that answers what a test says: also wrongly, too much, or not at all.

async with NameServer() as server:
    server.records["api.test.", "A"] = ["10.0.0.1"]
    server.behaviour["api.test."] = SILENT
"""

from __future__ import annotations

import asyncio
import struct
from types import TracebackType
from typing import Literal, Self, cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

Behaviour = Literal["servfail", "silent", "garbage", "nxdomain", "refused"]

MAX_DATAGRAM = 1232


class NameServer:
    """Knows `records`, by name (with its last dot) and type; what it does not know at all is NXDOMAIN."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.behaviour: dict[str, Behaviour] = {}
        """By name, or by `name/type`."""
        self.ttl = 1
        self.negative_ttl = 1
        self.asked: list[tuple[str, str]] = []
        self.by_tcp = 0
        self.port = 0
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._tcp = await asyncio.start_server(self._converse, "127.0.0.1", 0)
        self.port = self._tcp.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        self._udp, _ = await loop.create_datagram_endpoint(lambda: _Udp(self), ("127.0.0.1", self.port))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
            await self._tcp.wait_closed()

    def answer(self, wire: bytes, *, is_tcp: bool) -> bytes | None:
        """What goes back, if anything."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name, kind = question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        self.by_tcp += is_tcp
        behaviour = self.behaviour.get(f"{name}/{kind}", self.behaviour.get(name))
        if behaviour == "silent":
            return None
        if behaviour == "garbage":
            return wire[:2] + b"\xff" * 40
        reply = dns.message.make_response(query, recursion_available=True)
        known = {key for key, _ in self.records}
        if behaviour in ("servfail", "refused"):
            reply.set_rcode(dns.rcode.from_text(behaviour))
        elif behaviour == "nxdomain" or name not in known:
            reply.set_rcode(dns.rcode.NXDOMAIN)
            self._add_soa(reply)
        else:
            self._add(reply, name, kind)
        answer = reply.to_wire(max_size=65535)
        if not is_tcp and len(answer) > MAX_DATAGRAM:
            reply.answer.clear()
            reply.flags |= dns.flags.TC
            answer = reply.to_wire()
        return answer

    def _add(self, reply: dns.message.Message, name: str, kind: str) -> None:
        """Follows aliases; round a loop of them once, as a server that does not notice it."""
        seen: set[str] = set()
        while ("CNAME" in self._kinds(name)) and name not in seen:
            seen.add(name)
            target = self.records[name, "CNAME"][0]
            reply.answer.append(dns.rrset.from_text(name, self.ttl, "IN", "CNAME", target))
            name = target
        texts = self.records.get((name, kind), [])
        if texts:
            reply.answer.append(dns.rrset.from_text_list(name, self.ttl, "IN", kind, texts))
        elif not seen or name not in seen:
            self._add_soa(reply)

    def _kinds(self, name: str) -> set[str]:
        return {kind for key, kind in self.records if key == name}

    def _add_soa(self, reply: dns.message.Message) -> None:
        soa = f"ns.test. admin.test. 1 3600 600 86400 {self.negative_ttl}"
        reply.authority.append(dns.rrset.from_text("test.", self.negative_ttl, "IN", "SOA", soa))

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                answer = self.answer(await reader.readexactly(length), is_tcp=True)
                if answer is not None:
                    writer.write(struct.pack("!H", len(answer)) + answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._server.answer(data, is_tcp=False)
        if answer is not None:
            self._transport.sendto(answer, addr)
