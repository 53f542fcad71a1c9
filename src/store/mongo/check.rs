//! Looks at every document that a server reads, as it reads it. Nothing is written.

use std::collections::HashSet;

use futures_util::TryStreamExt;
use mongodb::Database;
use mongodb::bson::{RawDocumentBuf, doc};

use crate::clients::pepper;
use crate::domain::store_error::StoreError;
use crate::store::inspection::Inspection;
use crate::store::revocation::of_document;
use crate::store::{Document, record};

use super::audit::kept;
use super::{
    AUDIT, MongoStore, REVOCATIONS, SIGNING_KEYS, clients, facts, indexes, paging, readable, within,
};

/// How many documents are read at once.
const AT_ONCE: usize = 1000;
const REMOVE_ONE: &str = "remove all but one with the tools of the database";
const MAKE_INDEX: &str = "start the server, which makes it; what is in its way is named here too";

impl MongoStore {
    /// Looks at everything; tells `progress` how far it is, now and then.
    pub async fn inspect(
        &self,
        mut progress: impl FnMut(&Inspection) + Send + 'static,
    ) -> Result<Inspection, StoreError> {
        let inspect = |database: Database| async move {
            let mut found = Inspection::default();
            all_clients(&database, &mut found, &mut progress).await?;
            for collection in [AUDIT, REVOCATIONS, SIGNING_KEYS] {
                all(&database, collection, &mut found, &mut progress).await?;
            }
            if !within(indexes::has_unique_client_ids(&database)).await? {
                let name = "clientId".to_owned();
                found.found("index", name, "`clients` has no unique index on it", MAKE_INDEX);
            }
            let pepper = within(facts::agreed(&facts::meta(&database), pepper::FACT)).await?;
            found.pepper(pepper.as_deref());
            Ok(found)
        };
        self.run_all(inspect).await
    }
}

async fn all_clients(
    database: &Database,
    found: &mut Inspection,
    progress: &mut (impl FnMut(&Inspection) + Send),
) -> Result<(), StoreError> {
    let (mut after, mut ids) = (None, HashSet::new());
    loop {
        let page = within(paging::page(&clients(database), after, AT_ONCE)).await?;
        for document in page.0.iter().map(|document| readable(document)) {
            found.client(&document);
            if let Ok(id) = document.get_str(record::CLIENT_ID)
                && !ids.insert(id.to_owned())
            {
                found.found("client", id.to_owned(), "another has the same id", REMOVE_ONE);
            }
        }
        progress(found);
        after = page.1.as_deref().and_then(paging::after);
        if after.is_none() {
            return Ok(());
        }
    }
}

async fn all(
    database: &Database,
    collection: &str,
    found: &mut Inspection,
    progress: &mut (impl FnMut(&Inspection) + Send),
) -> Result<(), StoreError> {
    let documents = database.collection::<RawDocumentBuf>(collection);
    let batch = u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
    let find = documents.find(doc! {}).batch_size(batch);
    let mut documents = within(async { find.await }).await?;
    while let Some(document) = within(documents.try_next()).await? {
        look(&readable(&document), collection, found);
        if found.looked_at().is_multiple_of(AT_ONCE) {
            progress(found);
        }
    }
    Ok(())
}

fn look(document: &Document, collection: &str, found: &mut Inspection) {
    let name = document.get_str("_id").unwrap_or_default();
    match collection {
        AUDIT => found.audit_record(&kept(document)),
        REVOCATIONS => found.revocation(name.to_owned(), &of_document(document)),
        _ => found.signing_key(name, Some(document)),
    }
}
