"""`tidegate demo`: three regions on one machine, something real breaking in them, and what became of each request.

    main.py      plays the acts, unattended (`--once`) or for a person who watches
    acts.py      what breaks, what should come of it, and the promises that are checked
    promises.py  the checks themselves, on what was recorded
    traffic.py   clients of three regions asking, open loop, each answer recorded
    cluster.py   the processes: six backends, three Tidegate nodes, started and stopped without a trace
    setting.py   the one configuration file that all nodes read
    backend.py   a real HTTP server that is as far away as its region is
    distance.py  how far that is
    watch.py     what the nodes say of themselves, read from their admin API
    view.py      the picture of all this in a terminal

Nothing here is a stand-in: the nodes are `tidegate serve`, the deaths are `kill -9`, and whether a promise was kept is
read from the backends' own logs and from the answers that clients got.
"""
