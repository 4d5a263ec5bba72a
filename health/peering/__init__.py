"""How nodes talk to each other: authenticated, of one mesh, in one protocol, and nobody speaks for another region.

    client ──HTTP(S) + who I am──> server ── one of: TLS certificate of the region | signature with the shared secret
                                      ├── /peer/v1/hello, soft, acceptor    answered here
                                      └── /peer/v1/sync/*                   brought to the sync process

who is who         health/peering/identity.py    what a node claims, and whether that is one of us
signed requests    health/peering/signing.py     where there is no TLS: time, nonce, body
TLS                health/peering/certificates.py  contexts, and which region a certificate speaks for
listening          health/peering/server.py      the checks, the table of paths, problem documents
forwarding         health/peering/forward.py     to the sync process over its Unix socket
asking             health/peering/client.py      kept connections, timeouts, typed failures
lines              health/peering/lines.py       kept, proven once: many questions to the sync process of a peer
"""
