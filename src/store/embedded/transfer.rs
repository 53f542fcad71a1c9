//! Moving documents to and from another store.

use async_trait::async_trait;
use rusqlite::{Connection, Transaction, params};

use super::rows::{add, from_text, to_text};
use super::{EmbeddedStore, changes};
use crate::domain::clock::Timestamp;
use crate::domain::revocation::Revocation;
use crate::domain::store_error::StoreError;
use crate::registry::Inserted;
use crate::store::{Document, Export, Store, Taken, UsedAssertion, record};

/// How many documents are exported at once.
const AT_ONCE: usize = 1000;

#[async_trait]
impl Store for EmbeddedStore {
    async fn export(&self, after: Option<&str>) -> Result<Export, StoreError> {
        let after = after.and_then(|cursor| cursor.parse().ok()).unwrap_or(0_i64);
        let mut rows = self.read(move |connection| rows(connection, after)).await?;
        let more = rows.len() > AT_ONCE;
        rows.truncate(AT_ONCE);
        let next = rows.last().filter(|_| more).map(|(seq, ..)| seq.to_string());
        let mut export = Export { documents: Vec::new(), left_out: Vec::new(), next };
        for (_, client, text) in rows {
            match from_text(&text) {
                Ok(document) => export.documents.push(document),
                Err(_) => export.left_out.push(client),
            }
        }
        Ok(export)
    }

    async fn import(&self, documents: Vec<Document>) -> Result<Taken, StoreError> {
        let import = move |transaction: &Transaction<'_>| {
            let mut taken = Taken::default();
            for document in documents {
                let Ok(id) = document.get_str(record::CLIENT_ID).map(str::to_owned) else {
                    continue;
                };
                match to_text(document.clone()) {
                    Err(_) => taken.left_out.push(id),
                    Ok(_) => {
                        taken.new += usize::from(add(transaction, &id, document)? == Inserted::Yes);
                    }
                }
            }
            Ok(taken)
        };
        self.writer.write(import).await
    }

    async fn import_revocations(&self, revocations: Vec<Revocation>) -> Result<(), StoreError> {
        let import = move |transaction: &Transaction<'_>| {
            for revocation in &revocations {
                changes::keep(transaction, revocation)?;
            }
            Ok(())
        };
        self.writer.write(import).await
    }

    async fn used_assertions(
        &self,
        after: Option<&UsedAssertion>,
    ) -> Result<Vec<UsedAssertion>, StoreError> {
        let (client, jti) = after
            .map_or((String::new(), [0; 32]), |last| (last.client.to_string(), last.jti_digest));
        let used = move |connection: &Connection| {
            let mut rows = connection.prepare_cached(
                "SELECT client_id, jti, until FROM used_assertions \
                 WHERE (client_id, jti) > (?1, ?2) ORDER BY client_id, jti LIMIT ?3",
            )?;
            let limit = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
            let rows = rows.query_map(params![client, jti, limit], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, [u8; 32]>(1)?, row.get::<_, i64>(2)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        let rows = self.read(used).await?;
        let used = rows.into_iter().map(|(client, jti_digest, until)| {
            let client = client.parse().map_err(StoreError::new)?;
            let until = Timestamp(u64::try_from(until).unwrap_or_default());
            Ok(UsedAssertion { client, jti_digest, until })
        });
        used.collect()
    }
}

/// The rows of clients as they stand, one more than is exported at once.
fn rows(connection: &Connection, after: i64) -> rusqlite::Result<Vec<(i64, String, String)>> {
    let mut rows = connection.prepare_cached(
        "SELECT seq, client_id, document FROM clients WHERE seq > ?1 ORDER BY seq LIMIT ?2",
    )?;
    let limit = i64::try_from(AT_ONCE + 1).unwrap_or(i64::MAX);
    let rows =
        rows.query_map(params![after, limit], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    rows.collect()
}
