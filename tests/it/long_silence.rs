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
use latchkey::replication::{ChangeLog, Changes, ClientStatus, ClientStatusPage, RevocationPage};

use crate::harness::{START, Server};

/// Nothing changes here but what is dated long ago.
#[derive(Default)]
struct Restored {
    ended: Mutex<Vec<ClientStatus>>,
    forgotten: AtomicUsize,
}

#[async_trait]
impl ChangeLog for Restored {
    async fn changes(&self, _: i64) -> Result<Changes, StoreError> {
        let now_ms = i64::try_from(START).unwrap() * 1000;
        Ok(Changes { clients: vec![], revocations: vec![], unknown_revocations: 0, now_ms })
    }

    async fn ended_since(
        &self,
        _: i64,
        after: Option<&str>,
        _: usize,
    ) -> Result<ClientStatusPage, StoreError> {
        // One on each page.
        let place = after.map_or(0, |after| after.parse().unwrap());
        let ended = self.ended.lock().unwrap();
        let statuses: Vec<ClientStatus> = ended.iter().skip(place).take(1).cloned().collect();
        let next = (place + 1 < ended.len()).then(|| (place + 1).to_string());
        Ok(ClientStatusPage { looked_at: statuses.len(), statuses, next })
    }

    async fn statuses(&self, _: &[ClientId]) -> Result<Vec<ClientStatus>, StoreError> {
        Ok(vec![])
    }

    async fn revocations(&self, _: Option<&str>) -> Result<RevocationPage, StoreError> {
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
