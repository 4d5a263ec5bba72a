"""The data API: HTTP on a Unix socket, behind the gateway's route to `builtin:data` (API.md).

    server.py      the socket; which path goes to whom
    paths.py       what a path names: collection, key, and which of the things below
    asking.py      a request's headers and body, as a Write
    answering.py   ETag, Tidegate-Context, Tidegate-Session, Tidegate-Durability, siblings
    records.py     GET, PUT, PATCH, DELETE of a key; lists
    batches.py     POST /batch, for offline queues
    feeds.py       changes: long poll, SSE, WebSocket
    conflicts.py   what waits for a person, and what lost by the clock
    problems.py    every error, as a problem document (RFC 9457)
    openapi.py     the document that describes it

Who may do it was decided by the gateway; here only what is asked is judged. Unknown collections are refused.
"""
