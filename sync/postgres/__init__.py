"""The store in PostgreSQL: one schema a residency class, in one database a region. The extra `postgres` brings asyncpg.

    store.py      the Store: streams to classes, callers to the writer's desk or to readers
    desk.py       who waits to write; neighbours share one commit
    ledger.py     a class's writer: judges batches, commits each if nobody else has committed meanwhile
    fetching.py   what a batch asks about
    draft.py      a judged batch on its way into rows
    commit.py     the one statement that commits a batch
    arrivals.py   the writer's side of what peers send
    forgetting.py the writer's side of forgetting
    absorbing.py  the writer's side of repairs and snapshots
    copies.py     the readers' side of them
    views.py      readers: keys, lists, feeds, conflicts, what peers lack
    snapshot.py   several questions to one moment
    schema.py     tables, and how they come from one version to the next
    lineage.py    is this the database that was written last? else a new incarnation
    server.py     connections: opened, bounded in time, given up
    listening.py  hints of what other nodes have committed

Nodes that share a database are one store under one origin. What keeps their sequences gapless is in the statement that
commits: it takes effect only on the version of the class that the batch was judged on, under the row lock of that
version. Whoever was frozen, cut off or declared dead meanwhile changes nothing.
"""
