//! That there is no client of an id is remembered for a moment, so that an unknown id does not cost
//! a look into the store each time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use latchkey::audit::{Action, AuditRecord, Author, Recorder};
use latchkey::clients::ClientCache;
use latchkey::clients::cached::{CacheLimits, CachedClients};
use latchkey::clients::{ClientRepository, Inserted, ListQuery, Page};
use latchkey::domain::auth_method::AuthMethod;
use latchkey::domain::client::Client;
use latchkey::domain::clock::Timestamp;
use latchkey::domain::id::ClientId;
use latchkey::domain::permission::Permission;
use latchkey::domain::store_error::StoreError;
use latchkey::oauth::ClientStore;
use latchkey::revocation::list::Revocations;
use latchkey::store::MemoryStore;
use tokio::sync::Notify;

/// A store that counts how often it is read.
#[derive(Default)]
struct Counted {
    store: MemoryStore,
    reads: AtomicUsize,
    /// Told when a read has its answer, which it does not give before `go`.
    slow: Option<(Notify, Notify)>,
}

#[async_trait]
impl ClientRepository for Counted {
    async fn insert(&self, client: &Client, record: &AuditRecord) -> Result<Inserted, StoreError> {
        self.store.insert(client, record).await
    }

    async fn read(&self, id: &ClientId) -> Result<Option<Client>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let found = self.store.read(id).await;
        if let Some((answered, go)) = &self.slow {
            answered.notify_one();
            go.notified().await;
        }
        found
    }

    async fn replace(
        &self,
        old: &Client,
        new: &Client,
        record: &AuditRecord,
    ) -> Result<bool, StoreError> {
        self.store.replace(old, new, record).await
    }

    async fn remove(&self, old: &Client, record: &AuditRecord) -> Result<bool, StoreError> {
        self.store.remove(old, record).await
    }

    async fn list(&self, query: &ListQuery) -> Result<Option<Page>, StoreError> {
        self.store.list(query).await
    }

    async fn holders(&self, permission: &Permission) -> Result<Vec<Client>, StoreError> {
        self.store.holders(permission).await
    }

    async fn successors(&self, former: &ClientId) -> Result<Vec<Client>, StoreError> {
        self.store.successors(former).await
    }

    async fn key_holders(
        &self,
        thumbprints: &[String],
        most: usize,
    ) -> Result<Vec<Client>, StoreError> {
        self.store.key_holders(thumbprints, most).await
    }
}

/// Clients remembered before a store, each absence for an hour, as far as a test is concerned.
fn cached(store: Counted, absent_for: Duration) -> (Arc<CachedClients>, Arc<Counted>) {
    let store = Arc::new(store);
    let revocations = Arc::new(Revocations::new(HOUR, Duration::ZERO));
    let limits = CacheLimits { capacity: 100, for_at_most: None, absent_for };
    (Arc::new(CachedClients::new(store.clone(), revocations, limits)), store)
}

const HOUR: Duration = Duration::from_secs(3600);

fn id(name: &str) -> ClientId {
    name.parse().unwrap()
}

async fn add(to: &dyn ClientRepository, name: &str) {
    let now = Timestamp(1_800_000_000);
    let client = Client::new(id(name), name.to_owned(), AuthMethod::default(), now);
    let recorder = Recorder::default();
    let pair = (None, Some(&client));
    let record = recorder.change(&Author::server(), Action::ClientCreated, pair, now).unwrap();
    assert_eq!(to.insert(&client, &record).await.unwrap(), Inserted::Yes);
}

impl Counted {
    /// How often it was read since this was last asked.
    fn reads(&self) -> usize {
        self.reads.swap(0, Ordering::SeqCst)
    }
}

#[actix_web::test]
async fn an_unknown_id_is_looked_up_once() {
    let (clients, store) = cached(Counted::default(), HOUR);
    add(&*clients, "known").await;
    for (name, is_there) in [("known", true), ("unknown", false)] {
        let asked = (0..50).map(|_| async { clients.find(&id(name)).await.unwrap().is_some() });
        assert_eq!(join_all(asked).await, [is_there; 50]);
        assert_eq!(store.reads(), 1, "{name}");
    }
}

#[actix_web::test]
async fn one_that_is_added_here_is_there_at_once() {
    let (clients, _) = cached(Counted::default(), HOUR);
    assert!(clients.find(&id("svc")).await.unwrap().is_none());
    add(&*clients, "svc").await;
    assert!(clients.find(&id("svc")).await.unwrap().is_some());
}

#[actix_web::test]
async fn one_that_another_replica_added_is_there_when_that_is_heard() {
    let (clients, store) = cached(Counted::default(), HOUR);
    let forget: fn(&CachedClients) = |clients| clients.forget(&id("first"));
    let forget_all: fn(&CachedClients) = |clients| clients.forget_all();
    for (name, hear) in [("first", forget), ("second", forget_all)] {
        assert!(clients.find(&id(name)).await.unwrap().is_none());
        add(&store.store, name).await;
        assert!(clients.find(&id(name)).await.unwrap().is_none(), "nothing was heard");
        hear(&clients);
        assert!(clients.find(&id(name)).await.unwrap().is_some());
    }
}

#[actix_web::test]
async fn an_absence_that_is_over_is_looked_up_again() {
    let (clients, store) = cached(Counted::default(), Duration::ZERO);
    assert!(clients.find(&id("svc")).await.unwrap().is_none());
    add(&store.store, "svc").await;
    assert!(clients.find(&id("svc")).await.unwrap().is_some());
}

/// The news comes between the answer of the store and the moment in which it is remembered.
#[actix_web::test]
async fn an_absence_that_was_overtaken_is_not_remembered() {
    let slow = Some((Notify::new(), Notify::new()));
    let (clients, store) = cached(Counted { slow, ..Counted::default() }, HOUR);
    let (answered, go) = store.slow.as_ref().unwrap();
    let asked = async { clients.find(&id("svc")).await.unwrap().is_none() };
    let overtaken = async {
        answered.notified().await;
        add(&store.store, "svc").await;
        clients.forget(&id("svc"));
        go.notify_one();
    };
    let (was_absent, ()) = tokio::join!(asked, overtaken);
    assert!(was_absent);
    go.notify_one();
    assert!(clients.find(&id("svc")).await.unwrap().is_some());
}

#[actix_web::test]
async fn a_flood_of_ids_drives_no_client_out() {
    let (clients, store) = cached(Counted::default(), HOUR);
    add(&*clients, "known").await;
    assert!(clients.find(&id("known")).await.unwrap().is_some());
    store.reads();
    for n in 0..30_000 {
        assert!(clients.find(&id(&format!("unknown{n}"))).await.unwrap().is_none());
    }
    assert_eq!(store.reads(), 30_000);
    assert!(clients.find(&id("known")).await.unwrap().is_some());
    assert_eq!(store.reads(), 0, "it is still at hand");
    for n in 0..30_000 {
        assert!(clients.find(&id(&format!("unknown{n}"))).await.unwrap().is_none());
    }
    assert!(store.reads() >= 20_000, "no more than so many are remembered");
}
