"""Everything that is excused from a rule of this folder, each with its reason. An idle excuse fails too."""

from __future__ import annotations

from tests.architecture.tree import REPOSITORY

EXPERIMENT = "an experiment is a test of its own: `make test` runs it, short, and fails when a promise is broken"

EXPERIMENTS = sorted(path for path in (REPOSITORY / "chaos" / "experiments").glob("*.py") if path.name != "__init__.py")

RIG = "part of the rig: `python -m chaos`, run short by `make test`, starts it and fails when it does not do its work"

TWO_REGIONS = (
    "tests/integration/tidegate/node/test_replication.py runs it in real nodes, with kill -9 and in one process"
)

UNMIRRORED: dict[str, str] = {
    "tidegate/node/sync_process.py": TWO_REGIONS,
    "tidegate/options.py": "words of the command line without behaviour; every command's test uses them",
    **{f"chaos/experiments/{path.name}": EXPERIMENT for path in EXPERIMENTS},
    "chaos/churn.py": RIG,
    "chaos/column.py": RIG,
    "chaos/faults.py": RIG,
    "chaos/mesh/admin.py": RIG,
    "chaos/mesh/links.py": RIG,
    "chaos/mesh/mesh.py": RIG,
    "chaos/mesh/servers.py": RIG,
    "chaos/orders.py": RIG,
    "chaos/upon_acknowledgement.py": RIG,
    "chaos/traffic/known.py": RIG,
    "chaos/traffic/requests.py": RIG,
    "chaos/traffic/sockets.py": RIG,
    "chaos/traffic/writers.py": RIG,
    "gateway/core/plans.py": "values without behaviour; test_compiling.py shows how they are made",
    "gateway/proxy/roles.py": "Protocols without behaviour; those who play the roles are tested",
    "sync/core/writes.py": "values without behaviour; test_local_batch.py judges them",
    "sync/store.py": "a Protocol without behaviour; every store passes tests/integration/sync/store_contract.py",
    "sync/replication/link.py": "a Protocol and its errors; whoever carries frames is tested",
    "gateway/proxy/ports.py": "a Protocol without behaviour; gateway/dataplane.py, which has it, is tested",
    "health/quorum/cells.py": "a Protocol without behaviour; every memory that has it is tested",
    "health/state/store.py": "a Protocol without behaviour; every backend that has it is tested",
}
"""Modules without a test file of their own: path of the module -> where it is shown instead."""

LONG_MODULES: dict[str, str] = {
    "gateway/dataplane.py": "what all connections share, under one roof: each part of it is a module of its own",
    "tidegate/node/supervisor.py": "one loop over a few children; what could be cut out of it has been (child, core/)",
    "gateway/proxy/client.py": "one state machine, a connection's; two files would share every field of its state",
    "gateway/proxy/exchange.py": "a plain request's life, where each call counts; what happens to few is elsewhere",
}
"""Modules over 400 lines: path -> why cutting it would make it harder to read."""

LONG_FUNCTIONS: dict[str, str] = {
    "gateway/core/head.py::_read_fields": (
        "runs for every request: 14 fields cost 4.5 us of a head's 7.2 us in one loop; a call a field would add to it"
    ),
}
"""Functions over 60 lines: `path::Class.function` -> why, with the measurement where speed is the reason."""

AWAITED_DEPENDENCIES: dict[str, str] = {}
"""Packages that everybody installs and no module imports yet: package -> what waits for it."""
