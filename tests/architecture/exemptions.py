"""Everything that is excused from a rule of this folder, each with its reason. An idle excuse fails too."""

from __future__ import annotations

EXPERIMENT = "an experiment is a test of its own: `make test` runs it, short, and fails when a promise is broken"

UNMIRRORED: dict[str, str] = {
    "chaos/experiments/endpoint_cut.py": EXPERIMENT,
    "chaos/experiments/slow_region.py": EXPERIMENT,
    "gateway/proxy/roles.py": "Protocols without behaviour; those who play the roles are tested",
    "gateway/proxy/ports.py": "a Protocol without behaviour; gateway/dataplane.py, which has it, is tested",
}
"""Modules without a test file of their own: path of the module -> where it is shown instead."""

LONG_MODULES: dict[str, str] = {
    "gateway/proxy/client.py": "one state machine, a connection's; two files would share every field of its state",
    "gateway/proxy/exchange.py": "one state machine, a request's; what has no state is in attempts, replay and outcome",
}
"""Modules over 400 lines: path -> why cutting it would make it harder to read."""

LONG_FUNCTIONS: dict[str, str] = {
    "gateway/core/head.py::_read_fields": (
        "runs for every request: 14 fields cost 4.5 us of a head's 7.2 us in one loop; a call a field would add to it"
    ),
}
"""Functions over 60 lines: `path::Class.function` -> why, with the measurement where speed is the reason."""
