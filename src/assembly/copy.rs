//! Copies one store into another, with all that its secrets and tokens need to stay good.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;

use futures_util::future::try_join_all;

use crate::audit::AuditQuery;
use crate::clients::pepper::{self, NoPepper};
use crate::domain::clock::Timestamp;
use crate::domain::store_error::StoreError;
use crate::signing::key_exchange::FIRST_KEY;
use crate::store::Store;

use super::{OpenStore, StoreOpenError, admin_file};

/// How many used assertions are written at once: the embedded store commits them together.
const AT_ONCE: usize = 256;
/// How many revocations are read at once.
const REVOCATIONS: usize = 10_000;

/// Why a store cannot be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The administrator's file cannot be copied.
    #[error("`{0}` cannot be used: {1}")]
    File(PathBuf, io::Error),
    /// The other store verifies other secrets.
    #[error(
        "the store to write has been in use on its own: it holds another pepper, with which the \
         copied secrets would not verify; copy into an empty one"
    )]
    OtherPepper,
    /// Revocations of an unknown kind, or damaged ones.
    #[error(
        "the store to read holds revocations that this version cannot read: `latchkey store check` says which and what to do"
    )]
    UnreadableRevocations,
    /// The pepper of the store to read is lost.
    #[error(transparent)]
    Pepper(#[from] NoPepper),
    /// A store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A store cannot be used.
    #[error(transparent)]
    Open(#[from] StoreOpenError),
}

/// What was copied.
#[derive(Debug, Default)]
pub struct Copied {
    /// Clients that are new in the other store.
    pub clients: usize,
    /// Clients that it had already.
    pub known: usize,
    /// Clients whose documents cannot be read whole, or not be kept there as they stand.
    pub left_out: Vec<String>,
    /// Public halves of signing keys.
    pub signing_keys: usize,
    /// Assertions that were used, and must not be again.
    pub used_assertions: usize,
    /// What revokes tokens.
    pub revocations: usize,
    /// Records of who changed what that are new in the other store.
    pub audit_records: usize,
    /// Where the administrator's credentials went, if there was such a file and is none there yet.
    pub admin_file: Option<PathBuf>,
}

/// Copies `from` into `to`; tells `progress` how many clients were looked at. The clients come
/// last: none of them is there without what protects it. May be run again.
pub async fn copy_store(
    from: &OpenStore,
    to: &OpenStore,
    progress: impl Fn(usize),
) -> Result<Copied, CopyError> {
    from.prepare().await?;
    to.prepare().await?;
    let (source, target) = (from.store(), to.store());
    copy_pepper(&*source, &*target).await?;
    if let Some(first) = source.agreed(FIRST_KEY).await? {
        target.agree(FIRST_KEY, &first).await?;
    }
    while source.move_on(AT_ONCE).await? > 0 {} // no record stays behind in a document
    let mut copied = Copied {
        // Before any client: no revoked token is good on the other side.
        revocations: copy_revocations(&*source, &*target).await?,
        audit_records: copy_audit_records(&*source, &*target).await?,
        signing_keys: copy_signing_keys(&*source, &*target).await?,
        used_assertions: copy_used_assertions(&*source, &*target).await?,
        admin_file: copy_admin_file(from, to)?,
        ..Copied::default()
    };

    let mut after = None;
    loop {
        let export = source.export(after.as_deref()).await?;
        let found = export.documents.len();
        let taken = target.import(export.documents).await?;
        copied.clients += taken.new;
        copied.known += found - taken.new - taken.left_out.len();
        copied.left_out.extend(export.left_out.into_iter().chain(taken.left_out));
        progress(copied.clients + copied.known);
        match export.next {
            Some(next) => after = Some(next),
            None => return Ok(copied),
        }
    }
}

async fn copy_pepper(from: &dyn Store, to: &dyn Store) -> Result<(), CopyError> {
    let Some(ours) = from.agreed(pepper::FACT).await? else {
        let lost = from.has_checksummed_secrets().await?;
        return if lost { Err(NoPepper::Lost.into()) } else { Ok(()) };
    };
    let theirs = to.agree(pepper::FACT, &ours).await?;
    if theirs == ours { Ok(()) } else { Err(CopyError::OtherPepper) }
}

async fn copy_signing_keys(from: &dyn Store, to: &dyn Store) -> Result<usize, CopyError> {
    let shared = from.published().await?;
    for kid in &shared.tombstones {
        to.leave_tombstone(kid).await?;
    }
    for key in &shared.keys {
        to.publish(key).await?;
    }
    Ok(shared.keys.len())
}

async fn copy_used_assertions(from: &dyn Store, to: &dyn Store) -> Result<usize, CopyError> {
    let mut copied = 0;
    let mut used = from.used_assertions(None).await?;
    while let Some(last) = used.last() {
        for some in used.chunks(AT_ONCE) {
            let each = some.iter().map(|u| to.use_once(&u.client, u.jti_digest, u.until));
            try_join_all(each).await?;
        }
        copied += used.len();
        used = from.used_assertions(Some(last)).await?;
    }
    Ok(copied)
}

async fn copy_revocations(from: &dyn Store, to: &dyn Store) -> Result<usize, CopyError> {
    let (mut copied, mut after) = (0, None);
    loop {
        let page = from.revocations(None, after.as_deref(), REVOCATIONS).await?;
        if page.unknown > 0 {
            return Err(CopyError::UnreadableRevocations);
        }
        copied += page.revocations.len();
        to.import_revocations(page.revocations).await?;
        after = page.next;
        if after.is_none() {
            return Ok(copied);
        }
    }
}

/// An event that was delivered is not delivered again.
async fn copy_audit_records(from: &dyn Store, to: &dyn Store) -> Result<usize, CopyError> {
    let untold = from.untold(Timestamp::default(), usize::MAX >> 1).await?;
    let untold: HashSet<String> = untold.into_iter().map(|record| record.id).collect();
    let mut copied = 0;
    let mut query = AuditQuery { limit: AT_ONCE, ..AuditQuery::default() };
    loop {
        let records = from.records(&query).await?;
        let Some(oldest) = records.last() else { return Ok(copied) };
        let taken = try_join_all(records.iter().map(|record| to.append(record))).await?;
        copied += taken.into_iter().filter(|taken| *taken).count();
        let told = records.iter().map(|record| record.id.clone());
        to.told(&told.filter(|id| !untold.contains(id)).collect::<Vec<_>>()).await?;
        query.after = Some(oldest.id.clone());
    }
}

fn copy_admin_file(from: &OpenStore, to: &OpenStore) -> Result<Option<PathBuf>, CopyError> {
    let (Some(from), Some(to)) = (from.folder(), to.folder()) else { return Ok(None) };
    let (from, to) = (admin_file::path(from), admin_file::path(to));
    let Some(credentials) = admin_file::read(&from).map_err(|e| CopyError::File(from, e))? else {
        return Ok(None);
    };
    match admin_file::write(&to, &credentials) {
        Ok(()) => Ok(Some(to)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(CopyError::File(to, error)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use serde_json::Map;

    use super::*;
    use crate::assembly::open_store;
    use crate::audit::{Action, Author, Recorder};
    use crate::config::StoreUrl;
    use crate::domain::jwk::Algorithm;
    use crate::domain::revocation::{Revocation, Revoked};
    use crate::domain::signing_key::PublishedKey;
    use crate::jose::PrivateKey;
    use crate::store::{MemoryStore, UsedAssertion};

    async fn used(store: &OpenStore) -> Vec<UsedAssertion> {
        let (store, mut all) = (store.store(), Vec::new());
        loop {
            let some = store.used_assertions(all.last()).await.unwrap();
            if some.is_empty() {
                return all;
            }
            all.extend(some);
        }
    }

    #[tokio::test]
    async fn everything_arrives_however_much_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let embedded =
            |name: &str| open_store(&StoreUrl::Folder(folder.path().join(name))).unwrap();
        let memory = || OpenStore::Memory(Arc::new(MemoryStore::default()));
        let stores = [memory(), embedded("a"), embedded("b"), memory()];

        let first = stores[0].store();
        first.agree(pepper::FACT, &[7; 32]).await.unwrap();
        first.agree(FIRST_KEY, b"kid").await.unwrap();
        let key = PublishedKey {
            jwk: PrivateKey::generate(Algorithm::EdDSA).unwrap().public().clone(),
            published: Timestamp(1),
            signs_from: Timestamp(1),
            signs_until: Timestamp(2),
            imported: Some(Timestamp(3)),
            retired: Some(Timestamp(4)),
        };
        first.publish(&key).await.unwrap();
        first.leave_tombstone("old").await.unwrap();
        let recorder = Recorder::default();
        let revocations: Vec<Revocation> = (0..300)
            .map(|number| {
                let revoked = Revoked::Token { jti: format!("jti {number}") };
                Revocation { revoked, until: Timestamp(number) }
            })
            .collect();
        for revocation in &revocations {
            let action = Action::TokensRevoked;
            let record = recorder.record(&Author::server(), action, Map::new(), Timestamp(7));
            first.revoke(revocation, &record.unwrap()).await.unwrap();
        }
        let all = AuditQuery { limit: 1000, ..AuditQuery::default() };
        let records = first.records(&all).await.unwrap();
        let told: Vec<String> = records.iter().take(100).map(|it| it.id.clone()).collect();
        first.told(&told).await.unwrap();
        for number in 0..2500 {
            let client = format!("client {}", number % 7).parse().unwrap();
            let digest = crate::random::bytes().unwrap();
            assert!(first.use_once(&client, digest, Timestamp(number)).await.unwrap());
        }

        for pair in stores.windows(2) {
            let [from, to] = pair else { continue };
            let copied = copy_store(from, to, |_| ()).await.unwrap();
            assert_eq!((copied.signing_keys, copied.used_assertions), (1, 2500));
            assert_eq!((copied.revocations, copied.audit_records), (300, 300));
            assert_eq!(used(from).await, used(to).await);
            let store = to.store();
            let shared = store.published().await.unwrap();
            assert_eq!(shared.keys, std::slice::from_ref(&key));
            assert_eq!(shared.tombstones, ["old"], "a retired key stays retired");
            assert_eq!(store.agreed(pepper::FACT).await.unwrap(), Some(vec![7; 32]));
            let page = store.revocations(None, None, REVOCATIONS).await.unwrap();
            let names = |list: &[Revocation]| -> BTreeSet<String> {
                list.iter().map(|it| format!("{} {}", it.revoked.name(), it.until.0)).collect()
            };
            assert_eq!(names(&page.revocations), names(&revocations));
            assert_eq!(store.records(&all).await.unwrap(), records, "in the same order");
            let untold = store.untold(Timestamp(0), 1000).await.unwrap();
            assert_eq!(untold.len(), 200, "nobody is told twice");
            assert_eq!(store.agreed(FIRST_KEY).await.unwrap(), Some(b"kid".to_vec()));
        }

        let other = memory();
        other.store().agree(pepper::FACT, &[8; 32]).await.unwrap();
        let refused = copy_store(&stores[0], &other, |_| ()).await;
        assert!(matches!(refused, Err(CopyError::OtherPepper)));
        assert!(used(&other).await.is_empty());
    }
}
