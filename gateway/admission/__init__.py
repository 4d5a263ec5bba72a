"""What admission needs of the world: credential files, password hashing, keys of token issuers, shared counters."""
