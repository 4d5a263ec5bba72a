"""Where nodes agree: rows by compare-and-set, fenced by epoch; soft rows that nobody has to keep.

the values         health/core/rows.py        Row, SoftRow, what a store refuses
the interface      health/state/store.py      StateStore: what everybody else uses
one node           health/state/embedded.py   one SQLite file; also what a node keeps for itself alone
soft rows          health/state/soft.py       announcements, votes and loads, with leases by this node's clock
their way          health/state/board.py      through what the nodes share; by gossip over the peer channel otherwise
                   health/state/redis.py      on a Redis server
                   health/state/postgres.py   in a PostgreSQL
"""
