"""What the gateway knows: pure functions and small ledgers. No sockets, clocks, randomness, logging or tasks."""
