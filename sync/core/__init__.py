"""What the data room knows without touching the world: clocks, dots, merging, policies, tokens. Pure."""
