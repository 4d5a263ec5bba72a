"""From region to region: every store pulls from every peer what it lacks and may hold.

    writer's store ── log ──> serving.py  <── Pull ── pulling.py ── receive ──> reader's store
                                                          │ applied, with the next Pull
                     confirmations.py <───────────────────┘  write levels wait here; pruning goes by it

    link.py          how a store reaches a peer, and who that is; the carrier is authenticated elsewhere
    serving.py       answers a Pull: what the receiver lacks of the streams its region may hold
    pulling.py       asks one peer again and again, and applies
    comparing.py     do the others hold the same? asks, and repairs this store (anti-entropy)
    snapshots.py     catches up when the logs no longer reach back
    asking.py        one question of theirs to one peer; lending.py: what a peer gets
    keeping.py       forgets what nobody needs, evicts who is silent for too long
    replicator.py    all of it for one store: starts, watches, reports

Transitive: whoever has an operation passes it on, so that a region cut off from its writer still gets it from a third,
a little later than from its writer.
"""
