"""Nothing under `core/` touches the world; the rule is shown to fail on each way of touching it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.purity import impurities
from tests.architecture.tree import REPOSITORY, expect_none, plant


def test_everything_under_core_is_pure() -> None:
    expect_none(impurities(REPOSITORY))


@pytest.mark.parametrize(
    "source",
    [
        "import asyncio\n",
        "import socket\n",
        "import os\n",
        "import time\n",
        "import logging\n",
        "import structlog\n",
        "import secrets\n",
        "import uuid\n",
        "import threading\n",
        "from pathlib import Path\n",
        "from urllib.request import urlopen\n",
        "import urllib.request\n",
        "import aiohttp\n",
        "import gateway.proxy.client\n",
        "from config import loader\n",
        "def late():\n    import os\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import asyncio\n",
    ],
)
def test_importing_the_world_is_found(tmp_path: Path, source: str) -> None:
    plant(tmp_path, {"gateway/core/thing.py": source})
    (found,) = impurities(tmp_path)
    assert found.startswith("gateway/core/thing.py:")


@pytest.mark.parametrize(
    "source",
    [
        "open('x')\n",
        "print('x')\n",
        "eval('1')\n",
        "order = id(order)\n",
        "import datetime\ndatetime.datetime.now()\n",
        "from datetime import date\ndate.today()\n",
        "from datetime import datetime\ndatetime.fromtimestamp(0)\n",
    ],
)
def test_calling_for_files_clocks_or_identity_is_found(tmp_path: Path, source: str) -> None:
    plant(tmp_path, {"config/core/thing.py": source})
    assert len(list(impurities(tmp_path))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import random\nrandom.random()\n",
        "from random import choice\n",
        "import random\nrng = random.Random()\n",
        "from random import Random\nrng = Random()\n",
    ],
)
def test_making_chance_is_found(tmp_path: Path, source: str) -> None:
    plant(tmp_path, {"health/core/thing.py": source})
    assert list(impurities(tmp_path)) != []


def test_chance_time_and_values_may_be_passed_in(tmp_path: Path) -> None:
    source = (
        "from __future__ import annotations\n"
        "import random\n"
        "from collections.abc import Sequence\n"
        "from datetime import UTC, datetime\n"
        "from urllib.parse import urlsplit\n"
        "import httptools, msgspec\n"
        "from config.models import Config\n"
        "from gateway.core import routes\n"
        "from gateway.messages import EndpointState\n"
        "dice = random.Random(1)\n"
        "def pick(rng: random.Random, *, now: float) -> datetime:\n"
        "    return datetime.fromtimestamp(now + rng.random(), tz=UTC)\n"
    )
    plant(tmp_path, {"gateway/core/thing.py": source})
    assert list(impurities(tmp_path)) == []


def test_modules_that_core_may_use_are_held_to_the_same_rule(tmp_path: Path) -> None:
    plant(tmp_path, {"config/models/listener.py": "import socket\n", "gateway/messages.py": "import time\n"})
    assert len(list(impurities(tmp_path))) == 2


def test_modules_outside_core_may_touch_the_world(tmp_path: Path) -> None:
    plant(tmp_path, {"gateway/proxy/client.py": "import asyncio, socket, random\nrandom.random()\nopen('x')\n"})
    assert list(impurities(tmp_path)) == []
