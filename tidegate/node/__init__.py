"""A node's life: the processes it is made of, how they start, talk, restart, drain and hand over."""
