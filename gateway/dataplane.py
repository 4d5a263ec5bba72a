"""The data plane of one worker: listeners, the snapshot in force, and what it counts.

    publish(message)  --->  RoutingSnapshot, swapped in one assignment; a request keeps the one it started with
    listen(...)       --->  connections, each a ClientConnection (gateway/proxy/client.py)
    report()          --->  what the control process hears

It needs nothing but its last snapshot: with everything else gone it keeps serving.
"""
