"""What stands for the images: our own by the Dockerfile, the two servers by the system's packages.

The servers' entrypoints do what those of the official images do: PostgreSQL is initialised with the user, password and
database of its environment, opened to the network by password, and run as its own user.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.architecture.tree import REPOSITORY
from tests.integration.compose.project import Image, read_image

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

POSTGRES_ENTRYPOINT = """
set -eu
mkdir -p /run/postgresql "$PGDATA"
chown postgres /run/postgresql "$PGDATA"
chmod 700 "$PGDATA"
as_postgres='setpriv --reuid=postgres --regid=postgres --init-groups'
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf '%s\\n' "$POSTGRES_PASSWORD" > /run/password
  chown postgres /run/password
  $as_postgres initdb --username="$POSTGRES_USER" --pwfile=/run/password --auth-host=scram-sha-256 > /dev/null
  echo "CREATE DATABASE \\"$POSTGRES_DB\\"" | $as_postgres postgres --single postgres > /dev/null
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
fi
exec $as_postgres "$@"
"""


def images() -> Mapping[str, Image]:
    """By name without tag, for all that our compose files name."""
    if shutil.which("redis-server") is None:
        pytest.fail("there is no redis-server: run scripts/setup --tests", pytrace=False)
    return {
        "tidegate": read_image((REPOSITORY / "Dockerfile").read_text(encoding="utf-8")),
        "postgres": Image(
            entrypoint=("sh", "-c", POSTGRES_ENTRYPOINT, "docker-entrypoint.sh"),
            environment={"PATH": f"{_postgres_programs()}:{SYSTEM_PATH}", "PGDATA": "/var/lib/postgresql/data"},
        ),
        "redis": Image(environment={"PATH": SYSTEM_PATH}, working_dir="/data"),
    }


def covers() -> Mapping[str, Path]:
    """Our image's packages are the environment under test."""
    return {"/opt/tidegate": Path(sys.prefix)}


def _postgres_programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        pytest.fail("there is no PostgreSQL server: run scripts/setup --tests", pytrace=False)
    return found[-1].parent
