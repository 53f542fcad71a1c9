//! A replica that heard nothing of the others for long loads everything again: the database that
//! comes back may be an older one, whose changes are dated before what was seen.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use latchkey::clients::ClientCache;
use latchkey::domain::id::ClientId;
use latchkey::domain::state::State;
use latchkey::domain::store_error::StoreError;
use latchkey::replication::client_status::ClientStatuses;
use latchkey::replication::feed::Feed;
use latchkey::replication::{ChangeLog, ClientStatus, ClientStatusPage, RevocationPage};

use crate::harness::{START, Server};

/// Nothing changes here but what is dated long ago.
#[derive(Default)]
struct Restored {
    ended: Mutex<Vec<ClientStatus>>,
    forgotten: AtomicUsize,
    changed: Mutex<Vec<ClientStatus>>,
    /// The places at which changes were read.
    asked: Mutex<Vec<usize>>,
    /// Which reading of changes fails.
    fails_at: AtomicUsize,
}

/// One on each page.
fn page(all: &[ClientStatus], place: usize) -> ClientStatusPage {
    let statuses: Vec<ClientStatus> = all.iter().skip(place).take(1).cloned().collect();
    let next = (place + 1 < all.len()).then(|| (place + 1).to_string());
    ClientStatusPage { looked_at: statuses.len(), statuses, next }
}

#[async_trait]
impl ChangeLog for Restored {
    async fn now_ms(&self) -> Result<i64, StoreError> {
        Ok(i64::try_from(START).unwrap() * 1000)
    }

    async fn changed_since(
        &self,
        _: i64,
        after: Option<&str>,
        _: usize,
    ) -> Result<ClientStatusPage, StoreError> {
        let place = after.map_or(0, |after| after.parse().unwrap());
        let mut asked = self.asked.lock().unwrap();
        asked.push(place);
        if asked.len() == self.fails_at.load(Ordering::SeqCst) {
            return Err(StoreError::new("too slow"));
        }
        Ok(page(&self.changed.lock().unwrap(), place))
    }

    async fn ended_since(
        &self,
        _: i64,
        after: Option<&str>,
        _: usize,
    ) -> Result<ClientStatusPage, StoreError> {
        let place = after.map_or(0, |after| after.parse().unwrap());
        Ok(page(&self.ended.lock().unwrap(), place))
    }

    async fn statuses(&self, _: &[ClientId]) -> Result<Vec<ClientStatus>, StoreError> {
        Ok(vec![])
    }

    async fn revocations(
        &self,
        _: Option<i64>,
        _: Option<&str>,
        _: usize,
    ) -> Result<RevocationPage, StoreError> {
        Ok(RevocationPage { revocations: vec![], unknown: 0, next: None })
    }
}

impl ClientCache for Restored {
    fn forget(&self, _: &ClientId) {}

    fn forget_all(&self) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
    }
}

/// A feed of the server's that has not looked yet, with this news.
fn feed(server: &Server, restored: &Arc<Restored>) -> Feed {
    let app = &server.app;
    let statuses = ClientStatuses {
        revocations: app.health.revocations.clone(),
        revoker: app.clients.revoker.clone(),
        repository: app.clients.repository.clone(),
        recorder: app.clients.recorder.clone(),
        clock: app.clock.clone(),
        shared: true,
        settling: parking_lot::Mutex::default(),
    };
    let keys = app.signing.keys.exchange.clone();
    Feed::new(keys, restored.clone(), restored.clone(), statuses, true)
}

#[actix_web::test]
async fn a_start_reads_page_by_page() {
    let server = Server::start().await;
    let restored = Arc::new(Restored::default());
    let ids: Vec<ClientId> = ["a", "b", "c"].map(|id| id.parse().unwrap()).to_vec();
    let status = |id: &ClientId| ClientStatus {
        id: id.clone(),
        state: State::Draft,
        epoch: 4,
        updated_at_ms: 1000,
    };
    restored.ended.lock().unwrap().extend(ids.iter().map(status));
    feed(&server, &restored).look().await.unwrap();
    for id in ids {
        assert_eq!(server.app.health.revocations.epoch(&id), 5, "{id}");
    }
}

/// Also what was changed behind the place where it failed: all is read once more, from the start.
#[actix_web::test]
async fn the_reading_of_many_changes_goes_on_where_it_failed() {
    let server = Server::start().await;
    let restored = Arc::new(Restored::default());
    let feed = feed(&server, &restored);
    feed.look().await.unwrap();
    let ids: Vec<ClientId> = ["a", "b", "c"].map(|id| id.parse().unwrap()).to_vec();
    let standing = |id: &ClientId| ClientStatus {
        id: id.clone(),
        state: State::Draft,
        epoch: 4,
        updated_at_ms: i64::try_from(START).unwrap() * 1000,
    };
    restored.changed.lock().unwrap().extend(ids.iter().map(standing));
    restored.fails_at.store(3, Ordering::SeqCst);
    let epoch = |id: &ClientId| server.app.health.revocations.epoch(id);

    feed.look().await.unwrap_err();
    assert_eq!(ids.iter().map(epoch).collect::<Vec<_>>(), [5, 5, 0], "what was read counts");
    assert!(!feed.store_answers());
    restored.changed.lock().unwrap()[0].epoch = 6;
    feed.look().await.unwrap();
    assert_eq!(ids.iter().map(epoch).collect::<Vec<_>>(), [7, 5, 5]);
    assert_eq!(*restored.asked.lock().unwrap(), [0, 1, 2, 2, 0, 1, 2]);
}

#[actix_web::test]
async fn everything_is_loaded_again() {
    let server = Server::start().await;
    let app = &server.app;
    let restored = Arc::new(Restored::default());
    let feed = feed(&server, &restored);
    feed.look().await.unwrap();
    let id: ClientId = "svc".parse().unwrap();
    let status =
        ClientStatus { id: id.clone(), state: State::Draft, epoch: 4, updated_at_ms: 1000 };
    restored.ended.lock().unwrap().push(status);

    tokio::time::pause();
    #[rustfmt::skip]
    let cases = [
        // why                       silence  epoch  times it forgot all
        ("a moment",                 1,       0,     1),
        ("minutes",                  299,     0,     1),
        ("too long",                 301,     5,     2),
        ("and all is as ever again", 1,       5,     2),
    ];
    for (why, silence, epoch, forgotten) in cases {
        tokio::time::advance(Duration::from_secs(silence)).await;
        feed.look().await.unwrap();
        assert_eq!(app.health.revocations.epoch(&id), epoch, "{why}");
        assert_eq!(restored.forgotten.load(Ordering::SeqCst), forgotten, "{why}");
    }
}
