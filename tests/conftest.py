"""What holds for every test: random cases are repeatable in CI, and are not timed on a machine that others share."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("tidegate", deadline=None)
settings.register_profile("tidegate-ci", deadline=None, derandomize=True)
settings.load_profile("tidegate-ci" if os.environ.get("CI") else "tidegate")
