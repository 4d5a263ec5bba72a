"""Custom conflict resolution: an operator's function makes one value of concurrent versions, for readers only.

    child.py      the process that runs the function: its laws tried first, each call bounded in CPU time and memory
    resolver.py   this side of that process: one question at a time, killed when it does not answer, started again
    merging.py    what a reader gets: the merged value, or all versions and why; remembered; versions of other members

What a function makes is a view, never a write: if every region wrote its result, each result would be one more
concurrent version. A client that writes with the context of what it has read settles the conflict.
"""
