//! Moving documents to and from another store.

use async_trait::async_trait;
use rusqlite::{Connection, Row, Transaction, params};

use crate::clients::Inserted;
use crate::domain::clock::Timestamp;
use crate::domain::revocation::Revocation;
use crate::domain::store_error::StoreError;
use crate::store::{Document, Export, Store, Taken, UsedAssertion, record};

use super::past_damage::{either_copy, past_damage};
use super::rows::{add, from_text, is_of, text, to_text};
use super::{EmbeddedStore, changes};

/// How many documents are exported at once.
const AT_ONCE: usize = 1000;

#[async_trait]
impl Store for EmbeddedStore {
    async fn export(&self, after: Option<&str>) -> Result<Export, StoreError> {
        let after = after.and_then(|cursor| cursor.parse().ok()).unwrap_or(0_i64);
        let some = move |connection: &Connection| {
            past_damage(connection, (after, AT_ONCE + 1), whole, |id| Err(id.to_owned()))
        };
        let mut rows = self.read("clients", some).await?;
        let more = rows.len() > AT_ONCE;
        rows.truncate(AT_ONCE);
        let next = rows.last().filter(|_| more).map(|(seq, _)| seq.to_string());
        let mut export = Export { documents: Vec::new(), left_out: Vec::new(), next };
        for (_, row) in rows {
            match row {
                Ok(document) => export.documents.push(document),
                Err(client) => export.left_out.push(client),
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
        let unreadable = self.unreadable.clone();
        let used = move |connection: &Connection| {
            let limit = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
            either_copy(("used_assertions", "used_assertions_until"), &unreadable, |index| {
                let mut rows = connection.prepare_cached(&format!(
                    "SELECT client_id, jti, until FROM used_assertions {index} \
                     WHERE (client_id, jti) > (?1, ?2) ORDER BY client_id, jti LIMIT ?3",
                ))?;
                let rows =
                    rows.query_map(params![client, jti, limit], |row| Ok(used_assertion(row)))?;
                rows.collect::<rusqlite::Result<Vec<_>>>()
            })
        };
        Ok(self.read("used_assertions", used).await?.into_iter().flatten().collect())
    }
}

/// The document of a row, if it can be read whole; else the client.
fn whole(row: &Row<'_>) -> rusqlite::Result<Result<Document, String>> {
    let document = row.get_ref("document")?.as_str().ok().and_then(|it| from_text(it).ok());
    let client_id = text(row, "client_id")?;
    Ok(document.filter(|document| is_of(document, &client_id)).ok_or(client_id))
}

/// One that is damaged was never found by anybody either.
fn used_assertion(row: &Row<'_>) -> Option<UsedAssertion> {
    let until = Timestamp(u64::try_from(row.get::<_, i64>(2).ok()?).unwrap_or_default());
    Some(UsedAssertion {
        client: text(row, 0).ok()?.parse().ok()?,
        jti_digest: row.get(1).ok()?,
        until,
    })
}
