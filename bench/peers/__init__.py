"""The contestants: one module each, which writes a proxy's configuration, starts it and reads its counters."""
