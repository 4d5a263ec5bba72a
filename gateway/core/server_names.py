"""Which certificate is shown to a client that asks for this name (SNI)?

    exact name ──> wildcard of the same depth ──> the first certificate

Names are those of the certificates themselves. `*.example.com` stands for exactly one label (RFC 9525 section 6.3): for
`a.example.com`, not for `example.com` or `a.b.example.com`; a `*` anywhere else stands for nothing. Of two certificates
with the same name the first serves. An unknown name gets the first certificate, as does a client that asks for none:
the client then decides whether it trusts that, and what it sees is a certificate error, not a silent cut.
"""

from __future__ import annotations

from collections.abc import Sequence


class ServerNames:
    """The names of several certificates; certificates are known by their positions."""

    __slots__ = ("_exact", "_wildcards")

    def __init__(self, names: Sequence[Sequence[str]]) -> None:
        self._exact: dict[str, int] = {}
        self._wildcards: dict[str, int] = {}
        """By what follows the first label."""
        for position, of_one in enumerate(names):
            for name in of_one:
                plain = name.lower().rstrip(".")
                if plain.startswith("*.") and "*" not in plain[2:]:
                    self._wildcards.setdefault(plain[2:], position)
                elif "*" not in plain:
                    self._exact.setdefault(plain, position)

    def choose(self, server_name: str | None) -> int:
        """Position of the certificate to show."""
        if not server_name:
            return 0
        name = server_name.lower().rstrip(".")
        exact = self._exact.get(name)
        if exact is not None:
            return exact
        label, _, rest = name.partition(".")
        return self._wildcards.get(rest, 0) if label else 0
