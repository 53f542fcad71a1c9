//! What all processes on one store agree on; here that is one, at different times.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::clients::SharedFacts;
use crate::domain::store_error::StoreError;

use super::EmbeddedStore;
use super::failure::META;
use super::past_damage::matching;
use super::rows::READABLE;

#[async_trait]
impl SharedFacts for EmbeddedStore {
    async fn agreed(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let name = name.to_owned();
        self.read(META, move |connection| agreed(connection, &name).optional()).await
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
            let which = format!(
                "EXISTS (SELECT 1 FROM json_each({READABLE}, '$.secrets') AS secret \
                 WHERE CASE secret.type WHEN 'object' \
                 THEN secret.value ->> 'checksummed' END)"
            );
            // Of what cannot be read anything is thought possible.
            let which = format!("NOT json_valid(document) OR {which}");
            matching(connection, &which, &[], 1, |_| Some(()), |_| Some(()))
        };
        Ok(!self.read("clients", found).await?.is_empty())
    }
}

fn agreed(connection: &Connection, name: &str) -> rusqlite::Result<Vec<u8>> {
    connection.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0))
}
