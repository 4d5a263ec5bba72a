"""The traffic: what happens to one request.

A request's life, and where to read about each step:

    bytes in      gateway/proxy/client.py     the client's connection: heads framed, checked, answered in order
    what is it    gateway/core/head.py        one request head, refused where it is ambiguous
    which route   gateway/core/routes.py      the first route, in the order written, that matches
    where to      gateway/core/regions.py     the regions that may serve, in order, each with its reason
                  gateway/core/gate.py        the one gate that says which endpoints may serve
                  gateway/core/balancing.py   one endpoint among them
    session       gateway/core/sticky.py      the endpoint that has it, where sessions stick
    decided       gateway/core/decision.py    all of the above for one request; `explain` walks the same path
    its turn      gateway/core/bulkhead.py    how many go at a time, and who waits
                  gateway/core/sharing.py     what one worker does not use of that, and others may
    together      gateway/proxy/exchange.py   one request and its attempts
    bytes out     gateway/proxy/upstream.py   one connection to one endpoint; gateway/proxy/pool.py keeps them
    who is who    gateway/proxy/roles.py      what these three are to each other
    outside       gateway/dataplane.py        listeners, the snapshot in force, counts: what a worker process runs

Everything under `core/` is pure. `gateway/messages.py` is what the control process tells a worker and hears back,
`gateway/node_memory.py` what the workers of a node know together.
"""
