"""The data: what happens to one change.

A write's life, and where to read about each step:

    asked           sync/api/                  HTTP on a Unix socket; the gateway proxies `builtin:data` to it
      knowing what  sync/core/contexts.py      the context token; health/core/session_token.py: what a session has seen
    judged          sync/core/local_batch.py   preconditions, operation ids, policy; one operation or a refusal
      merged        sync/core/versions.py      causality: what is true of the key now
      settled       sync/core/policy.py        what becomes of concurrent versions
      stamped       sync/core/clock.py         when, in a mesh whose clocks differ
      chained       sync/core/operation.py     canonical bytes, hash chain
    durable         sync/store.py              the seam: what every store must do; only then is it acknowledged
                    sync/sqlite/               the embedded store; sync/postgres/: a region's database
    sent            sync/replication/          every store pulls from every peer what it lacks and may hold
    arrived         sync/core/arrivals.py      verified, then applied or held
    told            sync/api/                  changes by long poll, SSE, WebSocket

    sync/core/aftermath.py   what a batch leaves to be written down; sync/core/forgetting.py: what goes again
    sync/core/feed.py     which operations make a page of changes
    sync/core/plans.py    what the configuration says of a collection
    sync/core/dots.py     who wrote what, and who has seen it
    sync/core/levels.py   how many regions hold a write; sync/core/confirmations.py: which
    sync/core/digests.py  do two stores hold the same; sync/core/reconciling.py: which of them is wrong
    sync/core/absorbing.py      key states instead of operations: repairs, and snapshots for who was away too long
    sync/core/retention.py      what may be forgotten, and whom nobody waits for any longer
    sync/core/wire.py     what two stores say to each other; sync/core/lag.py: how far one is behind

Everything under `core/` is pure: a simulation runs it, and every store the same.
"""
