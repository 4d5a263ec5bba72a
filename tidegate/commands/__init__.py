"""What each command of `tidegate` does; `tidegate/cli.py` only reads the words of the command line.

A command returns one of the exit codes of API.md. What it heavily needs it imports when it runs: `tidegate --version`
must not wait for a YAML parser.
"""

from __future__ import annotations

DONE = 0
FAILED = 1
MISUSED = 2
"""The configuration or the command line is wrong."""
UNREACHABLE = 3
REFUSED = 4
"""By role, state or safety."""
