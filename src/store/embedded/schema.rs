//! The tables.

use rusqlite::Connection;

/// The major version of what is written here; a higher one is refused.
pub(super) const SCHEMA: i64 = 2;

/// How many pages the log may have before the writing thread itself moves them into the database, and
/// waits for it: 32 MiB.
pub(super) const LOG_PAGES: i64 = 8000;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS clients (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id   TEXT    NOT NULL UNIQUE,
    updated_at  INTEGER NOT NULL,
    privileged  INTEGER NOT NULL,  -- holds a permission about the server itself
    document    TEXT    NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS clients_updated_at ON clients (updated_at);
CREATE INDEX IF NOT EXISTS clients_privileged ON clients (seq) WHERE privileged = 1;
-- Kept by the triggers below it: which clients have a key.
CREATE TABLE IF NOT EXISTS key_thumbprints (
    thumbprint  TEXT    NOT NULL,
    client_id   TEXT    NOT NULL,
    PRIMARY KEY (thumbprint, client_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS key_thumbprints_client ON key_thumbprints (client_id);
CREATE TRIGGER IF NOT EXISTS key_thumbprints_added AFTER INSERT ON clients BEGIN
    INSERT INTO key_thumbprints SELECT DISTINCT value, new.client_id
        FROM json_each(new.document, '$.keyThumbprints') WHERE type = 'text';
END;
CREATE TRIGGER IF NOT EXISTS key_thumbprints_changed AFTER UPDATE OF document ON clients
    WHEN old.document -> '$.keyThumbprints' IS NOT new.document -> '$.keyThumbprints' BEGIN
    DELETE FROM key_thumbprints WHERE client_id = old.client_id;
    INSERT INTO key_thumbprints SELECT DISTINCT value, new.client_id
        FROM json_each(new.document, '$.keyThumbprints') WHERE type = 'text';
END;
CREATE TRIGGER IF NOT EXISTS key_thumbprints_removed AFTER DELETE ON clients BEGIN
    DELETE FROM key_thumbprints WHERE client_id = old.client_id;
END;
-- Kept by the triggers below it: which client had an id before. A new one is all that has any.
CREATE TABLE IF NOT EXISTS former_client_ids (
    former      TEXT    NOT NULL,
    client_id   TEXT    NOT NULL,
    PRIMARY KEY (former, client_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS former_client_ids_client ON former_client_ids (client_id);
CREATE TRIGGER IF NOT EXISTS former_client_ids_added AFTER INSERT ON clients BEGIN
    INSERT INTO former_client_ids SELECT DISTINCT value, new.client_id
        FROM json_each(new.document, '$.formerClientIds') WHERE type = 'text';
END;
CREATE TRIGGER IF NOT EXISTS former_client_ids_removed AFTER DELETE ON clients BEGIN
    DELETE FROM former_client_ids WHERE client_id = old.client_id;
END;
CREATE TABLE IF NOT EXISTS used_assertions (
    client_id   TEXT    NOT NULL,
    jti         BLOB    NOT NULL,  -- SHA-256
    until       INTEGER NOT NULL,
    PRIMARY KEY (client_id, jti)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS used_assertions_until ON used_assertions (until);
CREATE TABLE IF NOT EXISTS signing_keys (kid TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS revocations (
    name        TEXT    PRIMARY KEY,
    created_at  INTEGER NOT NULL,
    until       INTEGER NOT NULL,
    revoked     TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS revocations_created_at ON revocations (created_at);
CREATE INDEX IF NOT EXISTS revocations_until ON revocations (until);
CREATE TABLE IF NOT EXISTS audit (
    id          TEXT    PRIMARY KEY,
    at          INTEGER NOT NULL,
    actor       TEXT    NOT NULL,
    action      TEXT    NOT NULL,
    client_id   TEXT,
    told        INTEGER NOT NULL,  -- whether whoever wants to be told of it was
    record      TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS audit_client_id ON audit (client_id, id);
CREATE INDEX IF NOT EXISTS audit_actor ON audit (actor, id);
CREATE INDEX IF NOT EXISTS audit_at ON audit (at);
CREATE INDEX IF NOT EXISTS audit_untold ON audit (id) WHERE told = 0;
CREATE TABLE IF NOT EXISTS quotas (
    client_id   TEXT    NOT NULL,
    length      TEXT    NOT NULL,  -- hour or day
    start       INTEGER NOT NULL,
    replica     TEXT    NOT NULL,
    until       INTEGER NOT NULL,
    count       INTEGER NOT NULL,
    PRIMARY KEY (client_id, length, start, replica)
) STRICT;
CREATE INDEX IF NOT EXISTS quotas_until ON quotas (until);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
";

/// The schema of the database; 0 if it is new.
pub(super) fn found(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Makes what is missing of this schema. What was committed is on the disk from here on: a full sync
/// each time. Writes nothing where nothing is missing, for the disk may be full.
pub(super) fn prepare(connection: &Connection, found: i64) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
    connection.execute_batch(TABLES)?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    if found != SCHEMA {
        connection.pragma_update(None, "user_version", SCHEMA)?;
    }
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}
