"""Which tables does a class have, and how do they come from one version to the next?

    <schema>.meta   one row: whose data it is, and how often it was changed; its row lock is the writers' turn
    the others      as in sync/sqlite/schema.py, for the same questions

Keys are kept as their UTF-8 bytes: whatever the database's encoding and collation are, they sort as every other store
sorts them. A migration is one script, applied under the database's own lock; a format from a later version is refused.
"""

from __future__ import annotations

import hashlib
from typing import Final

from sync.errors import StoreUnavailable
from sync.postgres.server import Connection

LOCK: Final = 0x71DE_DA7A
"""Of all advisory locks of the database, the one under which tables are made and changed."""
MAX_IDENTIFIER: Final = 63

SHARED_TABLES: Final = """
CREATE TABLE IF NOT EXISTS @store (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    region text NOT NULL, name text NOT NULL, system text NOT NULL)
"""

MIGRATIONS: Final = (
    """
CREATE TABLE @meta (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only), format integer NOT NULL,
    version bigint NOT NULL DEFAULT 0, clock bigint NOT NULL DEFAULT 0, position bigint NOT NULL DEFAULT 0,
    origin text NOT NULL DEFAULT '', lineage text NOT NULL DEFAULT '',
    renewed text NOT NULL DEFAULT '', is_encrypted boolean NOT NULL DEFAULT false
) WITH (fillfactor = 10);
INSERT INTO @meta (format) VALUES (0);
CREATE TABLE @stream (
    id integer PRIMARY KEY, name text NOT NULL UNIQUE,
    keys bigint NOT NULL DEFAULT 0, tombstones bigint NOT NULL DEFAULT 0, in_conflict bigint NOT NULL DEFAULT 0,
    log_operations bigint NOT NULL DEFAULT 0, log_bytes bigint NOT NULL DEFAULT 0,
    conflict_records bigint NOT NULL DEFAULT 0, conflict_bytes bigint NOT NULL DEFAULT 0,
    position bigint NOT NULL DEFAULT 0,
    pruned bytea NOT NULL DEFAULT '\\x80', horizon bytea NOT NULL DEFAULT '\\x80',
    horizon_position bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
CREATE TABLE @origin (id integer PRIMARY KEY, name text COLLATE "C" NOT NULL UNIQUE);
CREATE TABLE @head (
    stream integer, origin integer, seq bigint NOT NULL, digest bytea NOT NULL, PRIMARY KEY (stream, origin)
) WITH (fillfactor = 50);
CREATE TABLE @log (
    stream integer, position bigint, origin integer NOT NULL, seq bigint NOT NULL,
    cipher bigint, head bytea NOT NULL, salt bytea NOT NULL, value bytea NOT NULL, PRIMARY KEY (stream, position));
ALTER TABLE @log ALTER value SET STORAGE EXTERNAL, ALTER head SET STORAGE MAIN;
CREATE UNIQUE INDEX log_dot ON @log (stream, origin, seq);
CREATE TABLE @held (
    stream integer, origin integer, seq bigint, visible_at double precision, cipher bigint, reason text NOT NULL,
    key bytea NOT NULL, head bytea NOT NULL, salt bytea NOT NULL, value bytea NOT NULL,
    PRIMARY KEY (stream, origin, seq));
CREATE TABLE @state (
    stream integer, flags integer NOT NULL, origin integer, seq bigint, digest bigint NOT NULL, key bytea,
    state bytea NOT NULL, PRIMARY KEY (stream, key)
) WITH (fillfactor = 80);
CREATE INDEX state_in_conflict ON @state (stream, key) WHERE flags >= 2;
CREATE TABLE @done (
    client text COLLATE "C", sequence bigint, origin integer NOT NULL, seq bigint NOT NULL, at_ms bigint NOT NULL,
    status integer NOT NULL, request bytea NOT NULL, PRIMARY KEY (client, sequence));
CREATE TABLE @client (name text COLLATE "C" PRIMARY KEY, highest bigint NOT NULL) WITH (fillfactor = 80);
CREATE TABLE @conflict (
    stream integer, origin integer, seq bigint, winner_seq bigint NOT NULL, bytes bigint NOT NULL,
    detected_ms bigint NOT NULL, winner_origin text NOT NULL, key bytea NOT NULL, loser bytea NOT NULL,
    PRIMARY KEY (stream, origin, seq));
CREATE TABLE @dropped (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream integer NOT NULL, origin integer NOT NULL,
    seq bigint NOT NULL, key bytea NOT NULL);
CREATE TABLE @acknowledged (
    stream integer, member text COLLATE "C", origin text COLLATE "C", seq bigint NOT NULL,
    PRIMARY KEY (stream, member, origin));
CREATE TABLE @note (stream integer, name text COLLATE "C", value bytea NOT NULL, PRIMARY KEY (stream, name));
""",
)
"""From each format to the next."""
FORMAT: Final = len(MIGRATIONS)


def schema_of(residency_class: str, prefix: str) -> str:
    """The schema's name. Two classes never share one."""
    name = f"{prefix}_{residency_class}"
    if len(name.encode()) > MAX_IDENTIFIER:
        name = f"{name[:40]}_{hashlib.sha256(residency_class.encode()).hexdigest()[:16]}"
    return name


def named(schema: str, text: str) -> str:
    """A statement whose tables (`@log`) are those of the schema. `#stream`: the id of the stream that $1 names."""
    return text.replace("#stream", "(SELECT id FROM @stream WHERE name = $1)").replace("@", f'"{schema}".')


async def prepare(connection: Connection, schema: str, *, shared: str) -> None:
    """Make the tables, or bring them up to date; in the caller's transaction. Raises StoreUnavailable.

    `shared`: the schema of what all classes have in common.
    """
    await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
    for name in (shared, schema):
        # Asked first: whoever may not make schemas can still use those that were made for it.
        if not await connection.fetchval("SELECT to_regnamespace(quote_ident($1)) IS NOT NULL", name):
            await connection.execute(f'CREATE SCHEMA "{name}"')
    if await connection.fetchval("SELECT to_regclass($1) IS NULL", named(shared, "@store")):
        await connection.execute(named(shared, SHARED_TABLES))
    found = 0
    if await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", named(schema, "@meta")):
        found = await connection.fetchval(named(schema, "SELECT format FROM @meta"))
    if found > FORMAT:
        raise StoreUnavailable(
            f"schema {schema} has format {found}, expected at most {FORMAT}: a later version made it"
        )
    for migration in MIGRATIONS[found:]:
        await connection.execute(named(schema, migration))
    if found < FORMAT:
        await connection.execute(named(schema, "UPDATE @meta SET format = $1"), FORMAT)
