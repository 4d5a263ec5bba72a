"""Faults, known traffic, invariants, experiments: Tidegate against real failure.

    python -m chaos [--short] [NAME...]      one line a promise, exit 1 when one was broken

    experiments/     one file a hypothesis: given, when, then
    rig.py           what they share: a real node, real backends, a faulty link between them, clients that count
    toxiproxy.py     the faulty link: the Toxiproxy server, and a typed adapter over its Python client
    report.py        what came of it, for people and for exit codes

Nothing of the product imports this: it drives Tidegate from outside, as a user and the network would.
"""
