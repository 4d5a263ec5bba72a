"""The front door: command line, node lifecycle, admin API, demo. It alone wires the rooms together."""
