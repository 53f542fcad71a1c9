//! A replica that heard nothing of the others for long loads everything again: the database that
//! comes back may be an older one, whose changes are dated before what was seen.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use latchkey::domain::id::ClientId;
use latchkey::domain::state::State;
use latchkey::domain::store_error::StoreError;
use latchkey::tasks::feed::Feed;
use latchkey::tasks::standings::Standings;
use latchkey::tasks::{ChangeLog, Changes, ClientCache, RevocationPage, Standing};

use crate::harness::{START, Server};

/// Nothing changes here but what is dated long ago.
#[derive(Default)]
struct Restored {
    ended: Mutex<Vec<Standing>>,
    forgotten: AtomicUsize,
}

#[async_trait]
impl ChangeLog for Restored {
    async fn changes(&self, _: i64) -> Result<Changes, StoreError> {
        let now_ms = i64::try_from(START).unwrap() * 1000;
        Ok(Changes { clients: vec![], revocations: vec![], unknown_revocations: 0, now_ms })
    }

    async fn ended_since(&self, _: i64) -> Result<Vec<Standing>, StoreError> {
        Ok(self.ended.lock().unwrap().clone())
    }

    async fn standings(&self, _: &[ClientId]) -> Result<Vec<Standing>, StoreError> {
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

#[actix_web::test]
async fn everything_is_loaded_again() {
    let server = Server::start().await;
    let app = &server.app;
    let restored = Arc::new(Restored::default());
    let standings = Standings {
        revocations: app.revocations.clone(),
        revoker: app.revoker.clone(),
        registry: app.registry.clone(),
        recorder: app.recorder.clone(),
        clock: app.clock.clone(),
        shared: true,
        settling: Mutex::default(),
    };
    let keys = app.key_exchange.clone();
    let feed = Feed::new(keys, restored.clone(), restored.clone(), standings, true);
    feed.look().await.unwrap();
    let id: ClientId = "svc".parse().unwrap();
    let standing = Standing { id: id.clone(), state: State::Draft, epoch: 4, updated_at_ms: 1000 };
    restored.ended.lock().unwrap().push(standing);

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
        assert_eq!(app.revocations.epoch(&id), epoch, "{why}");
        assert_eq!(restored.forgotten.load(Ordering::SeqCst), forgotten, "{why}");
    }
}
