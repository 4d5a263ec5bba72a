"""Carrying the pure election and agreement of `health/core` to acceptors that are somewhere else.

where a memory is       health/quorum/cells.py      what an acceptor's memory must do: one compare-and-set
                        health/quorum/sqlite.py     a file of this node
                        health/quorum/redis.py      an independent Redis server
                        health/quorum/postgres.py   one PostgreSQL
what answers            health/quorum/acceptors.py  acceptor + memory; or a peer that has them
asking a majority       health/quorum/quorum.py     rounds, fences, the set of acceptors, what was learnt
what comes of it        health/state/agreed.py      a StateStore;   health/election.py: who leads
"""
