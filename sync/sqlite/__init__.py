"""The embedded store: one SQLite file a residency class, in the node's data directory.

    store.py      the Store: streams to files, callers to lanes
    file.py       one class's file: opened, checked, identified, closed
    ledger.py     its one writer: judges and commits batches, one transaction each
    arrivals.py   the writer's side of what peers send
    pruning.py    the writer's side of forgetting
    absorbing.py  the writer's side of repairs and snapshots
    copies.py     the readers' side of them
    views.py      its readers: keys, lists, feeds, conflicts, what peers lack
    lanes.py      where blocking work runs: a thread in a node, inline in a simulation
    identity.py   is this the file that this store wrote last? else a new incarnation
    schema.py     tables, and how a connection is set up

A body is stored once, in the log; key state points to it (twice cost a fifth of the speed). WAL with synchronous=FULL:
what was committed survives the power going.
"""
