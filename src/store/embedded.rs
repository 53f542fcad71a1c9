//! The store that needs no server: SQLite in a folder.
//!
//! Documents are JSON, as MongoDB writes it (relaxed extended JSON), beside the few columns that
//! are searched. The database survives `kill -9` at any moment: write-ahead log, full sync.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use mongodb::bson::{Bson, DateTime};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, params};
use serde_json::Value;

use crate::domain::client::Client;
use crate::domain::clock::Timestamp;
use crate::domain::id::ClientId;
use crate::domain::permission::Permission;
use crate::domain::signing_key::PublishedKey;
use crate::domain::store_error::StoreError;
use crate::oauth::{AssertionStore, SigningKeyStore};
use crate::registry::{Cursor, Inserted, ListQuery, Page, Registry, SharedFacts};
use crate::tasks::{Changes, Upkeep};

use super::writer::Writer;
use super::{Document, Export, Store, record};

/// The major version of what is written here; a higher one is refused.
const SCHEMA: i64 = 1;

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
CREATE TABLE IF NOT EXISTS used_assertions (
    client_id   TEXT    NOT NULL,
    jti         BLOB    NOT NULL,  -- SHA-256
    until       INTEGER NOT NULL,
    PRIMARY KEY (client_id, jti)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS used_assertions_until ON used_assertions (until);
CREATE TABLE IF NOT EXISTS signing_keys (kid TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
";

/// Why an embedded store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or its lock file cannot be used.
    #[error("the folder `{path}` cannot be used")]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process has it open.
    #[error("the store in `{0}` is in use by another process; stop that one first")]
    Locked(PathBuf),
    /// A newer Latchkey wrote it.
    #[error(
        "the store in `{path}` was written by a newer version (schema {found}, known up to {SCHEMA})"
    )]
    Newer {
        /// Which folder.
        path: PathBuf,
        /// The schema it has.
        found: i64,
    },
    /// The database cannot be opened.
    #[error("the database in `{path}` cannot be opened")]
    Database {
        /// Which folder.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The writing thread cannot be started.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// SQLite in a folder, for one process.
pub struct EmbeddedStore {
    writer: Writer,
    readers: Arc<Readers>,
    _lock: File,
}

impl EmbeddedStore {
    /// Opens the store in `folder`, making it if it is not there, and locks it.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let lock = lock(folder)?;
        let file = folder.join("latchkey.db");
        let database = |source| OpenError::Database { path: folder.to_owned(), source };
        let connection = Connection::open(&file).map_err(database)?;
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
            .map_err(database)?;
        let found =
            connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(database)?;
        if found > SCHEMA {
            return Err(OpenError::Newer { path: folder.to_owned(), found });
        }
        connection.execute_batch(TABLES).map_err(database)?;
        connection.pragma_update(None, "user_version", SCHEMA).map_err(database)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(Self {
            writer: Writer::start(connection)?,
            readers: Arc::new(Readers { file, idle: Mutex::default() }),
            _lock: lock,
        })
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = self.readers.clone();
        let done = tokio::task::spawn_blocking(move || readers.with(read)).await;
        done.map_err(StoreError::new)?.map_err(StoreError::new)
    }
}

/// The folder is the operator's alone: what is in it is as good as a key.
fn lock(folder: &Path) -> Result<File, OpenError> {
    let failed = |source| OpenError::Folder { path: folder.to_owned(), source };
    make_private(folder).map_err(failed)?;
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("lock"))
        .map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn make_private(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Connections that only read; as many as have ever read at once.
struct Readers {
    file: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.open()?,
        };
        let outcome = read(&connection);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        outcome
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.file, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        Ok(connection)
    }
}

fn to_text(document: Document) -> String {
    Bson::Document(document).into_relaxed_extjson().to_string()
}

/// A row that is no document is damage: it is an error, not an absence.
fn from_text(text: &str) -> rusqlite::Result<Document> {
    let damaged = |error: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error)
    };
    let json: Value = serde_json::from_str(text).map_err(|error| damaged(Box::new(error)))?;
    match Bson::try_from(json) {
        Ok(Bson::Document(document)) => Ok(document),
        Ok(_) => Err(damaged("not a document".into())),
        Err(error) => Err(damaged(Box::new(error))),
    }
}

fn find(connection: &Connection, id: &str) -> rusqlite::Result<Option<Document>> {
    let mut found =
        connection.prepare_cached("SELECT document FROM clients WHERE client_id = ?1")?;
    let text: Option<String> = found.query_row([id], |row| row.get(0)).optional()?;
    text.map(|text| from_text(&text)).transpose()
}

/// The date of a change: now, and later than any before it.
fn tick(connection: &Connection) -> rusqlite::Result<i64> {
    let last: Option<i64> = connection
        .prepare_cached("SELECT max(updated_at) FROM clients")?
        .query_row([], |row| row.get(0))?;
    Ok(DateTime::now().timestamp_millis().max(last.unwrap_or(0) + 1))
}

fn privileged(document: &Document) -> bool {
    let permissions =
        document.get_array(record::PERMISSIONS).map(Vec::as_slice).unwrap_or_default();
    let mut named = permissions.iter().filter_map(Bson::as_str);
    named.any(|name| name.parse().is_ok_and(|permission: Permission| permission.is_ours()))
}

fn add(
    transaction: &Transaction<'_>,
    id: &str,
    mut document: Document,
) -> rusqlite::Result<Inserted> {
    let now = match document.get_datetime(record::UPDATED_AT) {
        Ok(date) => date.timestamp_millis(),
        Err(_) => tick(transaction)?,
    };
    document.insert(record::UPDATED_AT, DateTime::from_millis(now));
    let privileged = privileged(&document);
    let added = transaction
        .prepare_cached(
            "INSERT INTO clients (client_id, updated_at, privileged, document) \
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        )?
        .execute(params![id, now, privileged, to_text(document)])?;
    Ok(if added == 1 { Inserted::Yes } else { Inserted::Duplicate })
}

#[async_trait]
impl Registry for EmbeddedStore {
    async fn insert(&self, client: &Client) -> Result<Inserted, StoreError> {
        let id = client.id.clone();
        let mut document = record::to_document(client);
        document.insert(record::VERSION, 1_i64);
        self.writer.write(move |transaction| add(transaction, id.as_str(), document)).await
    }

    async fn read(&self, id: &ClientId) -> Result<Option<Client>, StoreError> {
        let id = id.clone();
        let found = self.read(move |connection| find(connection, id.as_str())).await?;
        Ok(found.as_ref().and_then(record::to_client))
    }

    async fn replace(&self, old: &Client, new: &Client) -> Result<bool, StoreError> {
        let (id, expected) = (old.id.clone(), old.revision);
        let change = record::Change::between(old, new);
        let replace = move |transaction: &Transaction<'_>| {
            let Some(mut document) = find(transaction, id.as_str())? else { return Ok(false) };
            if record::revision(&document) != expected {
                return Ok(false);
            }
            let now = tick(transaction)?;
            document.extend(change.set);
            document.insert(record::UPDATED_AT, DateTime::from_millis(now));
            for name in change.unset {
                document.remove(name);
            }
            let privileged = privileged(&document);
            transaction
                .prepare_cached(
                    "UPDATE clients SET updated_at = ?2, privileged = ?3, document = ?4 WHERE client_id = ?1",
                )?
                .execute(params![id.as_str(), now, privileged, to_text(document)])?;
            Ok(true)
        };
        self.writer.write(replace).await
    }

    async fn list(&self, query: &ListQuery) -> Result<Page, StoreError> {
        let after = query.after.as_ref().and_then(|cursor| cursor.0.parse().ok()).unwrap_or(0_i64);
        let limit = query.limit;
        let mut rows = self.read(move |connection| page(connection, after, limit + 1)).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more);
        Ok(Page {
            next: next.map(|(seq, _)| Cursor(seq.to_string())),
            clients: rows.iter().filter_map(|(_, document)| record::to_client(document)).collect(),
        })
    }

    async fn is_held(&self, permission: &Permission) -> Result<bool, StoreError> {
        let (ours, name) = (permission.is_ours(), permission.to_string());
        let held = move |connection: &Connection| {
            let narrowed = if ours { "privileged = 1 AND" } else { "" };
            let sql = format!(
                "SELECT 1 FROM clients WHERE {narrowed} EXISTS \
                 (SELECT 1 FROM json_each(document, '$.permissions') WHERE value = ?1) LIMIT 1"
            );
            connection.query_row(&sql, [name], |_| Ok(())).optional()
        };
        Ok(self.read(held).await?.is_some())
    }
}

fn page(
    connection: &Connection,
    after: i64,
    limit: usize,
) -> rusqlite::Result<Vec<(i64, Document)>> {
    let mut rows = connection
        .prepare_cached("SELECT seq, document FROM clients WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = rows.query_map(params![after, limit], |row| {
        Ok((row.get(0)?, from_text(row.get_ref(1)?.as_str()?)?))
    })?;
    rows.collect()
}

#[async_trait]
impl SharedFacts for EmbeddedStore {
    async fn agreed(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let name = name.to_owned();
        self.read(move |connection| agreed(connection, &name).optional()).await
    }

    async fn agree(&self, name: &str, proposal: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (name, proposal) = (name.to_owned(), proposal.to_vec());
        let agree = move |transaction: &Transaction<'_>| {
            transaction.execute(
                "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                params![name, proposal],
            )?;
            agreed(transaction, &name)
        };
        self.writer.write(agree).await
    }

    async fn has_checksummed_secrets(&self) -> Result<bool, StoreError> {
        let found = |connection: &Connection| {
            let sql = "SELECT 1 FROM clients, json_each(document, '$.secrets') AS secret \
                       WHERE secret.value ->> 'checksummed' LIMIT 1";
            connection.query_row(sql, [], |_| Ok(())).optional()
        };
        Ok(self.read(found).await?.is_some())
    }
}

fn agreed(connection: &Connection, name: &str) -> rusqlite::Result<Vec<u8>> {
    connection.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0))
}

#[async_trait]
impl AssertionStore for EmbeddedStore {
    async fn use_once(
        &self,
        client: &ClientId,
        jti_digest: [u8; 32],
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let client = client.clone();
        let until = i64::try_from(until.0).unwrap_or(i64::MAX);
        let insert = move |transaction: &Transaction<'_>| {
            let added = transaction
                .prepare_cached(
                    "INSERT INTO used_assertions (client_id, jti, until) VALUES (?1, ?2, ?3) \
                     ON CONFLICT DO NOTHING",
                )?
                .execute(params![client.as_str(), jti_digest, until])?;
            Ok(added == 1)
        };
        self.writer.write(insert).await
    }
}

#[async_trait]
impl SigningKeyStore for EmbeddedStore {
    async fn publish(&self, key: &PublishedKey) -> Result<(), StoreError> {
        let mut key = key.clone();
        let publish = move |transaction: &Transaction<'_>| {
            let known = transaction
                .query_row(
                    "SELECT document FROM signing_keys WHERE kid = ?1",
                    [&key.jwk.kid],
                    |row| from_text(row.get_ref(0)?.as_str()?),
                )
                .optional()?;
            if let Some(known) = known.as_ref().and_then(record::to_signing_key) {
                key.published = known.published;
            }
            let document = to_text(record::signing_key_document(&key));
            transaction.execute(
                "INSERT OR REPLACE INTO signing_keys (kid, document) VALUES (?1, ?2)",
                params![key.jwk.kid, document],
            )
        };
        self.writer.write(publish).await.map(|_| ())
    }

    async fn published(&self) -> Result<Vec<PublishedKey>, StoreError> {
        let all = |connection: &Connection| {
            let mut rows = connection.prepare_cached("SELECT document FROM signing_keys")?;
            let rows = rows.query_map([], |row| from_text(row.get_ref(0)?.as_str()?))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        Ok(self.read(all).await?.iter().filter_map(record::to_signing_key).collect())
    }

    async fn forget(&self, kid: &str) -> Result<(), StoreError> {
        let kid = kid.to_owned();
        let forget = move |transaction: &Transaction<'_>| {
            transaction.execute("DELETE FROM signing_keys WHERE kid = ?1", [kid])
        };
        self.writer.write(forget).await.map(|_| ())
    }
}

#[async_trait]
impl Upkeep for EmbeddedStore {
    async fn ping(&self) -> Result<(), StoreError> {
        self.read(|connection| connection.query_row("SELECT 1", [], |_| Ok(()))).await
    }

    async fn write_logins(&self, logins: &[(ClientId, Timestamp)]) -> Result<(), StoreError> {
        let logins = logins.to_vec();
        let write = move |transaction: &Transaction<'_>| {
            let mut update = transaction.prepare_cached(
                "UPDATE clients SET document = json_set(document, '$.lastLogin', json(?2)) \
                 WHERE client_id = ?1",
            )?;
            for (client, at) in logins {
                let date = Bson::DateTime(record::date(at)).into_relaxed_extjson().to_string();
                update.execute(params![client.as_str(), date])?;
            }
            Ok(())
        };
        self.writer.write(write).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let now = i64::try_from(now.0).unwrap_or(i64::MAX);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let sweep = move |transaction: &Transaction<'_>| {
            transaction.execute(
                "DELETE FROM used_assertions WHERE (client_id, jti) IN \
                 (SELECT client_id, jti FROM used_assertions WHERE until < ?1 LIMIT ?2)",
                params![now, limit],
            )
        };
        self.writer.write(sweep).await
    }

    async fn changes(&self, since_ms: i64) -> Result<Changes, StoreError> {
        let changed = move |connection: &Connection| {
            let mut rows = connection.prepare_cached(
                "SELECT client_id, updated_at FROM clients WHERE updated_at >= ?1",
            )?;
            let rows =
                rows.query_map([since_ms], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        let rows = self.read(changed).await?;
        let clients =
            rows.into_iter().filter_map(|(id, at)| Some((id.parse().ok()?, at))).collect();
        Ok(Changes { clients, now_ms: DateTime::now().timestamp_millis() })
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn export(&self, after: Option<&str>) -> Result<Export, StoreError> {
        const AT_ONCE: usize = 1000;
        let after = after.and_then(|cursor| cursor.parse().ok()).unwrap_or(0_i64);
        let rows = self.read(move |connection| page(connection, after, AT_ONCE)).await?;
        let next = (rows.len() == AT_ONCE).then(|| rows.last()).flatten();
        Ok(Export {
            next: next.map(|(seq, _)| seq.to_string()),
            documents: rows.into_iter().map(|(_, document)| document).collect(),
        })
    }

    async fn import(&self, documents: Vec<Document>) -> Result<usize, StoreError> {
        let import = move |transaction: &Transaction<'_>| {
            let mut taken = 0;
            for document in documents {
                let Ok(id) = document.get_str(record::CLIENT_ID).map(str::to_owned) else {
                    continue;
                };
                taken += usize::from(add(transaction, &id, document)? == Inserted::Yes);
            }
            Ok(taken)
        };
        self.writer.write(import).await
    }
}
