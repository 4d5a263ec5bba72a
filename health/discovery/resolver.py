"""What does the DNS say of a name?

    dns        A and AAAA at once                         one server an address, at the configured port
    dns_srv    SRV, then A and AAAA of each target        priority, weight and port are the record's

    no such name | no addresses      denied: the zone itself says so (RFC 2308)
    LookupFailed                     nobody said anything usable: SERVFAIL, silence, nonsense, a chain of aliases
                                     without end

Names are absolute; with `system` the search list of resolv.conf applies as it does to other programs. /etc/hosts is
not read. An answer that does not fit a datagram is asked for again by TCP. Any one name costs at most `LIFETIME_S` for
each of the two steps and `TARGETS` targets, whatever is answered.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable
from typing import cast

import dns.asyncresolver
import dns.exception
import dns.message
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.rdtypes.IN.A
import dns.rdtypes.IN.SRV
import dns.resolver
import dns.ttl

from health.core.discovery import Answer, Found, LookupFailed, Name, with_scaled_weights

LIFETIME_S = 5.0
"""All servers and repetitions together, as resolv.conf has it for one server."""

TARGETS = 64
"""Targets of SRV records whose addresses are looked up, the preferred ones first."""
AT_ONCE = 16
PORT = 53
NO_SUCH_NAME = "no such name"
NO_ADDRESSES = "no addresses"

_FAMILIES = ((dns.rdatatype.A, 4), (dns.rdatatype.AAAA, 6))


class Resolver:
    """Asks the servers in `resolvers`, or those of the system."""

    def __init__(self, resolvers: str | tuple[str, ...], *, lifetime_s: float = LIFETIME_S) -> None:
        self._resolvers = resolvers
        self._lifetime_s = lifetime_s
        self._made: dns.asyncresolver.Resolver | None = None
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def lookup(self, name: Name) -> Answer:
        """Raises `LookupFailed`."""
        try:
            if name.kind == "dns_srv":
                return await self._services(name.host)
            found, ttls, unanswered, denial = await self._addresses(name.host)
        except LookupFailed:
            self._made = None  # the system may have been told of other servers meanwhile
            raise
        port = name.port or 0
        servers = tuple(Found(0, address, port, name.host) for address in found)
        return Answer(servers, min(ttls, default=0.0), denial, frozenset(unanswered))

    async def _services(self, host: str) -> Answer:
        answer = await self._ask(host, dns.rdatatype.SRV)
        if isinstance(answer, Denial):
            return Answer((), answer.ttl_s, answer.reason)
        records = [cast("dns.rdtypes.IN.SRV.SRV", record) for record in answer.rrset or ()]
        offered = sorted(
            (record.priority, -record.weight, record.target.to_text(omit_final_dot=True), record.port)
            for record in records
            if record.target != dns.name.root  # RFC 2782: a target of "." offers nothing
        )[:TARGETS]
        targets = sorted({target for _, _, target, _ in offered})
        outcomes = await asyncio.gather(*(self._addresses(target) for target in targets), return_exceptions=True)
        found: list[Found] = []
        ttls = [_ttl(answer)]
        unanswered: set[tuple[str, int]] = set()
        for target, outcome in zip(targets, outcomes, strict=True):
            if isinstance(outcome, LookupFailed):
                unanswered |= {(target, 4), (target, 6)}
                continue
            if isinstance(outcome, BaseException):
                raise outcome
            addresses, its_ttls, its_unanswered, _ = outcome
            ttls += its_ttls
            unanswered |= its_unanswered
            for priority, weight, of, port in offered:
                if of == target:
                    found += [Found(priority, address, port, target, -weight) for address in addresses]
        if targets and not found and len(unanswered) == 2 * len(targets):
            raise LookupFailed(f"none of {len(targets)} targets could be looked up")
        return Answer(tuple(with_scaled_weights(found)), min(ttls), NO_ADDRESSES, frozenset(unanswered))

    async def _addresses(self, host: str) -> tuple[list[str], list[float], set[tuple[str, int]], str]:
        """Addresses, TTLs, what was not answered, and the denial. Raises `LookupFailed` when nothing was answered."""
        outcomes = await asyncio.gather(*(self._ask(host, kind) for kind, _ in _FAMILIES), return_exceptions=True)
        addresses: list[str] = []
        ttls: list[float] = []
        denied: list[Denial] = []
        unanswered: dict[tuple[str, int], LookupFailed] = {}
        for (_, family), outcome in zip(_FAMILIES, outcomes, strict=True):
            if isinstance(outcome, LookupFailed):
                unanswered[host, family] = outcome
            elif isinstance(outcome, BaseException):
                raise outcome
            elif isinstance(outcome, Denial):
                denied.append(outcome)
            else:
                ttls.append(_ttl(outcome))
                addresses += [cast("dns.rdtypes.IN.A.A", record).address for record in outcome.rrset or ()]
        if not addresses and unanswered:
            raise next(iter(unanswered.values()))
        if addresses:
            return _usable(addresses), ttls, set(unanswered), ""
        reason = NO_SUCH_NAME if all(one.reason == NO_SUCH_NAME for one in denied) else NO_ADDRESSES
        return [], [one.ttl_s for one in denied], set(), reason

    async def _ask(self, host: str, kind: dns.rdatatype.RdataType) -> dns.resolver.Answer | Denial:
        async with self._gate:
            try:
                return await self._resolver().resolve(host, kind, lifetime=self._lifetime_s)
            except dns.resolver.NXDOMAIN as error:
                responses = (error.kwargs.get("responses") or {}).values()
                return Denial(NO_SUCH_NAME, min(map(_negative_ttl, responses), default=0.0))
            except dns.resolver.NoAnswer as error:
                return Denial(NO_ADDRESSES, _negative_ttl(error.kwargs.get("response")))
            except dns.resolver.LifetimeTimeout:
                raise LookupFailed(f"no answer in {self._lifetime_s:g}s") from None
            except dns.resolver.NoNameservers as error:
                raise LookupFailed(_words(error)) from None
            except (dns.exception.DNSException, OSError, UnicodeError) as error:
                raise LookupFailed(f"{type(error).__name__}: {error}"[:200]) from None

    def _resolver(self) -> dns.asyncresolver.Resolver:
        if self._made is None:
            is_system = self._resolvers == "system"
            made = dns.asyncresolver.Resolver(configure=is_system)
            made.use_search_by_default = is_system
            if not is_system:
                made.nameservers = [_server(text) for text in self._resolvers]
            self._made = made
        return self._made


class Denial:
    """A zone says that there is none."""

    def __init__(self, reason: str, ttl_s: float) -> None:
        self.reason = reason
        self.ttl_s = ttl_s


def _server(text: str) -> dns.nameserver.Nameserver:
    try:
        return dns.nameserver.Do53Nameserver(str(ipaddress.ip_address(text)), PORT)
    except ValueError:
        host, _, port = text.rpartition(":")
        return dns.nameserver.Do53Nameserver(host.strip("[]"), int(port))


def _ttl(answer: dns.resolver.Answer) -> float:
    return float(answer.chaining_result.minimum_ttl)


def _negative_ttl(response: dns.message.QueryMessage | None) -> float:
    """Of the zone's SOA record; 0, which the configured bounds raise, when it sent none."""
    try:
        ttl = dns.ttl.MAX_TTL if response is None else response.resolve_chaining().minimum_ttl
    except dns.exception.DNSException:
        return 0.0
    return float(ttl) if ttl < dns.ttl.MAX_TTL else 0.0


def _usable(addresses: Iterable[str]) -> list[str]:
    """What one can connect to: 0.0.0.0, :: and multicast addresses are how some zones say that there is nobody."""
    parsed = {address: ipaddress.ip_address(address) for address in addresses}
    return [text for text, address in parsed.items() if not address.is_unspecified and not address.is_multicast]


def _words(error: dns.resolver.NoNameservers) -> str:
    """`SERVFAIL from 10.0.0.53`, for the last server asked; dnspython's own sentence names the whole question."""
    errors = error.kwargs.get("errors") or []
    if not errors:
        return "no name server is configured"
    server, _, _, cause, _ = errors[-1]
    what = cause if isinstance(cause, str) else f"{type(cause).__name__}"
    return f"{what} from {server}"[:200]
