"""Faults, known traffic, invariants, experiments: Tidegate against real failure.

    python -m chaos [--short] [NAME...]      one line a promise, the figure table, exit 1 when a promise was broken

    experiments/     one file a hypothesis: given, when, then
    mesh/            three regions of real nodes, databases and links, each region in a network of its own
    traffic/         clients whose every answer is on record
    checking/        what must hold, judged on records alone: promises and figures
    faults.py        what can be done to a mesh
    upon_acknowledgement.py, orders.py    a kill at the worst moment; what operators do
    column.py        one run: traffic, fault, healing, quiesce, final read, judgement
    remains.py       what a run leaves behind: final reads, logs, files
    series.py        many runs, each result kept as soon as it is there
    table.py, timeline.py    the report, made of results alone
    rig.py, hypothesis.py    the small rig: one node, two backends, one link
    toxiproxy.py     the faulty link: the Toxiproxy server, and a typed adapter over its Python client

Nothing of the product imports this: it drives Tidegate from outside, as a user and the network would.
"""
