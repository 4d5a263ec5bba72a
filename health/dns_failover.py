"""How does a name in the DNS come to point to another region, once, and by nobody who is not the leader any more?

    read     the name's A, AAAA and CNAME, and the epoch beside it     from the server itself, signed
    refuse   an epoch above ours is recorded: we lead no longer        `StaleEpoch`, nothing is sent
    update   RFC 2136, signed by TSIG (RFC 8945), with low TTL:
             prerequisites    everything that was read is still exactly so
             changes          the name's records, and our epoch        all or nothing, by the server
    lost     somebody else changed it in between                       read again, at most `ATTEMPTS` times

The epoch stands in a TXT record at `_tidegate-epoch.<name>`, for beside a CNAME nothing may stand. It is a prerequisite
like the rest, so of two leaders, an old one and a new, the old one's update fails at the server, whenever it arrives.
An update whose answer was lost may have been done; asking again finds that out, and what is so already is not sent.

Needs the extra `dns`. Nothing here decides anything: whoever leads calls it, with the epoch under which it leads.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.tsigkeyring
import dns.update

TIMEOUT_S = 5.0
"""Of each question; an update goes at most `ATTEMPTS` times through four of them."""
ATTEMPTS = 3
EPOCH_LABEL = "_tidegate-epoch"

_POINTING = (dns.rdatatype.A, dns.rdatatype.AAAA, dns.rdatatype.CNAME)
_LOST = frozenset({dns.rcode.NXRRSET, dns.rcode.YXRRSET, dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN})
"""What a server says when a prerequisite does not hold."""


class DnsFailed(Exception):
    """The server did not do it, or did not say that it did; the message says what came instead."""


class StaleEpoch(DnsFailed):
    """A later leader has been here."""

    def __init__(self, *, ours: int, recorded: int) -> None:
        super().__init__(
            f"epoch {recorded} is recorded in the zone, expected none above ours, {ours}; where no later leader can "
            f"have been (a mesh made anew), delete the TXT record {EPOCH_LABEL} beside the name"
        )
        self.recorded = recorded


@dataclass(frozen=True, slots=True)
class Key:
    """The key that signs. `secret` is base64, as `tsig.secret` resolves to."""

    name: str
    algorithm: Literal["hmac-sha256", "hmac-sha384", "hmac-sha512"]
    secret: str


@dataclass(frozen=True, slots=True)
class Pointer:
    """The name that is moved, and where it is kept."""

    server: str
    """Name or address of the server that takes updates."""
    port: int
    zone: str
    name: str
    """In the zone; `@` for the zone itself, which cannot point to a name."""
    ttl_s: float
    key: Key | None
    """None: unsigned, for servers that go by addresses."""


@dataclass(frozen=True, slots=True)
class Pointed:
    """What came of it, for the decisions journal."""

    before: tuple[str, ...]
    """Addresses, or the one name, that it pointed to; empty: to nothing."""
    now: tuple[str, ...]
    epoch: int
    changed: bool
    """False when it was so already."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What stands in the zone, by type; and the epoch record as it is."""

    pointing: Mapping[dns.rdatatype.RdataType, dns.rrset.RRset | None]
    epoch: dns.rrset.RRset | None

    def targets(self) -> tuple[str, ...]:
        return _texts(self.pointing.values())

    def epoch_number(self) -> int:
        texts = _texts([self.epoch])
        if not texts:
            return 0
        number = texts[0].strip('"')
        if len(texts) != 1 or not (number.isascii() and number.isdecimal()):
            raise DnsFailed(f"found {texts[0][:100]} where an epoch is recorded, expected one number")
        return int(number)


async def pointed(pointer: Pointer, *, timeout_s: float = TIMEOUT_S) -> tuple[tuple[str, ...], int]:
    """Where the name points now, and the epoch recorded beside it (0: none). Raises `DnsFailed`."""
    seen = await _Server(pointer, timeout_s).read()
    return seen.targets(), seen.epoch_number()


def texts(pointer: Pointer, targets: Sequence[str]) -> tuple[str, ...]:
    """`targets` as `pointed` and `point` show them. Raises ValueError."""
    return _texts(_wanted(pointer, targets))


async def point(pointer: Pointer, targets: Sequence[str], *, epoch: int, timeout_s: float = TIMEOUT_S) -> Pointed:
    """Point the name to `targets`: IP addresses, or one name. Raises `StaleEpoch` and `DnsFailed`."""
    server = _Server(pointer, timeout_s)
    wanted = _wanted(pointer, targets)
    if epoch < 1:
        raise ValueError(f"epoch {epoch}, expected at least 1")
    for _ in range(ATTEMPTS):
        seen = await server.read()
        recorded = seen.epoch_number()
        if recorded > epoch:
            raise StaleEpoch(ours=epoch, recorded=recorded)
        if recorded == epoch and seen.targets() == _texts(wanted):
            return Pointed(seen.targets(), seen.targets(), epoch, changed=False)
        if await server.replace(seen, wanted, epoch):
            return Pointed(seen.targets(), _texts(wanted), epoch, changed=seen.targets() != _texts(wanted))
    raise DnsFailed(f"somebody else changed the name at the same time, {ATTEMPTS} times in a row")


class _Server:
    """The conversation with the one that keeps the zone."""

    def __init__(self, pointer: Pointer, timeout_s: float) -> None:
        self._pointer = pointer
        self._timeout_s = timeout_s
        self._zone = dns.name.from_text(pointer.zone)
        self._name = dns.name.from_text(pointer.name, self._zone)
        self._epoch_name = dns.name.from_text(EPOCH_LABEL, self._name)
        self._address: str | None = None

    async def read(self) -> _Seen:
        names = [*((self._name, kind) for kind in _POINTING), (self._epoch_name, dns.rdatatype.TXT)]
        *pointing, epoch = await asyncio.gather(*(self._rrset(name, kind) for name, kind in names))
        return _Seen(dict(zip(_POINTING, pointing, strict=True)), epoch)

    async def replace(self, seen: _Seen, wanted: Sequence[dns.rrset.RRset], epoch: int) -> bool:
        """False when what was seen is not so any more."""
        update = dns.update.UpdateMessage(self._zone)
        for kind, rrset in seen.pointing.items():
            _require(update, self._name, kind, rrset)
        _require(update, self._epoch_name, dns.rdatatype.TXT, seen.epoch)
        for kind in _POINTING:
            update.delete(self._name, kind)
        for rrset in wanted:
            update.add(self._name, rrset)
        ttl = _ttl(self._pointer)
        update.replace(self._epoch_name, ttl, dns.rdata.from_text("IN", "TXT", f'"{epoch}"'))
        response = await self._ask(update)
        if response.rcode() in _LOST:
            return False
        self._expect_success(response)
        return True

    async def _rrset(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> dns.rrset.RRset | None:
        query = dns.message.make_query(name, kind)
        query.flags = dns.flags.from_text("")  # its own zone, not what it would look up for others
        response = await self._ask(query)
        if response.rcode() == dns.rcode.NXDOMAIN:
            return None
        self._expect_success(response)
        return response.get_rrset(dns.message.ANSWER, name, dns.rdataclass.IN, kind)

    async def _ask(self, message: dns.message.Message) -> dns.message.Message:
        key = self._pointer.key
        if key is not None:
            try:
                keyring = dns.tsigkeyring.from_text({key.name: (key.algorithm, key.secret)})
            except (ValueError, dns.exception.DNSException):
                raise DnsFailed("the secret of the key is not base64") from None
            message.use_tsig(keyring, keyname=dns.name.from_text(key.name), algorithm=dns.name.from_text(key.algorithm))
        try:
            async with asyncio.timeout(self._timeout_s):
                where = await self._where()
                response = await dns.asyncquery.tcp(message, where, port=self._pointer.port)
        except TimeoutError:
            raise DnsFailed(f"{self._pointer.server} has not answered in {self._timeout_s:g}s") from None
        except dns.tsig.PeerError as error:
            raise DnsFailed(f"{self._pointer.server} refuses our signature: {error}") from None
        except (dns.exception.DNSException, OSError, EOFError) as error:
            what = str(error) or type(error).__name__
            raise DnsFailed(f"no use of {self._pointer.server}: {what}"[:300]) from None
        if key is not None and not response.had_tsig and response.rcode() == dns.rcode.NOERROR:
            raise DnsFailed(f"{self._pointer.server} answered without a signature, expected one by {key.name}")
        return response

    async def _where(self) -> str:
        """TCP to an address: the server's own, or the first of its name."""
        if self._address is None:
            try:
                self._address = str(ipaddress.ip_address(self._pointer.server))
            except ValueError:
                loop = asyncio.get_running_loop()
                found = await loop.getaddrinfo(self._pointer.server, None, type=socket.SOCK_STREAM)
                self._address = str(found[0][4][0])
        return self._address

    def _expect_success(self, response: dns.message.Message) -> None:
        if response.rcode() != dns.rcode.NOERROR:
            raise DnsFailed(f"{self._pointer.server} answered {dns.rcode.to_text(response.rcode())}, expected NOERROR")


def _require(
    update: dns.update.UpdateMessage, name: dns.name.Name, kind: dns.rdatatype.RdataType, rrset: dns.rrset.RRset | None
) -> None:
    """Exactly these records, or none of this type."""
    if rrset is None:
        update.absent(name, kind)
    else:
        update.present(name, *rrset)


def _wanted(pointer: Pointer, targets: Sequence[str]) -> list[dns.rrset.RRset]:
    name = dns.name.from_text(pointer.name, dns.name.from_text(pointer.zone))
    by_kind: dict[str, list[str]] = {}
    for target in targets:
        try:
            kind = "A" if ipaddress.ip_address(target).version == 4 else "AAAA"
            by_kind.setdefault(kind, []).append(target)
        except ValueError:
            by_kind.setdefault("CNAME", []).append(dns.name.from_text(target).to_text())
    if not targets or ("CNAME" in by_kind and len(targets) != 1):
        raise ValueError(f"{', '.join(targets) or 'nothing'} to point to, expected IP addresses or one name")
    return [dns.rrset.from_text_list(name, _ttl(pointer), "IN", kind, texts) for kind, texts in by_kind.items()]


def _ttl(pointer: Pointer) -> int:
    return max(1, round(pointer.ttl_s))


def _texts(rrsets: Iterable[dns.rrset.RRset | None]) -> tuple[str, ...]:
    return tuple(sorted(record.to_text() for rrset in rrsets if rrset is not None for record in rrset))
