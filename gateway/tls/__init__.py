"""TLS on both sides of the gateway: whose certificates are shown, whose are believed, and when files are read anew.

gateway/tls/server.py      what a listener shows to clients, and the alert that they get when it fails
gateway/tls/upstream.py    how an endpoint is spoken to, and what went wrong when it could not be
gateway/tls/material.py    all contexts of one configuration; made anew when a file changes
gateway/tls/accepting.py   from an accepted socket to a connection whose handshake is done
gateway/tls/session.py     that connection's bytes, encrypted and decrypted
"""
