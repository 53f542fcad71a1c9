//! What was answered with success, and so must never be forgotten, whatever happens to servers and
//! databases.

use std::sync::Mutex;
use std::time::Instant;

use futures_util::{StreamExt, stream};

use crate::fleet::PATIENCE;
use crate::load::{by_assertion, http, token_by_secret, tokeninfo};

/// How many promises are asked for at once.
const AT_ONCE: usize = 8;

/// What callers were promised. A new sort of promise is a list here, filled in `load.rs`, and a loop
/// in [`Ledger::assert_kept`].
#[derive(Default)]
pub(crate) struct Ledger {
    /// Registered clients with a secret.
    pub(crate) clients: Mutex<Vec<(String, String)>>,
    /// Assertions that got a token.
    pub(crate) assertions: Mutex<Vec<String>>,
    /// Tokens that were called back.
    pub(crate) revoked: Mutex<Vec<String>>,
}

impl Ledger {
    /// That every promise is kept by these servers, each of which is asked for a part.
    pub(crate) async fn assert_kept(&self, urls: &[String]) {
        let http = http();
        let clients = self.clients.lock().unwrap().clone();
        let revoked = self.revoked.lock().unwrap().clone();
        let no_assertions = self.assertions.lock().unwrap().is_empty();
        let sorts = [clients.is_empty(), no_assertions, revoked.is_empty()];
        assert_eq!(sorts, [false; 3], "nothing was promised");
        let asked = clients.iter().zip(urls.iter().cycle()).map(async |(pair, url)| {
            let status = settled(async || token_by_secret(&http, url, pair).await).await;
            assert_eq!(status, Some(200), "client {} is forgotten", pair.0);
        });
        stream::iter(asked).buffer_unordered(AT_ONCE).collect::<()>().await;
        self.assert_used(urls, 0).await;
        // Not all of them are asked at the server that was told; the others hear of it.
        let asked = revoked.iter().zip(urls.iter().cycle().skip(1)).map(async |(token, url)| {
            let began = Instant::now();
            while tokeninfo(&http, url, token).await != Some(401) {
                assert!(began.elapsed() < PATIENCE, "a revocation is forgotten");
            }
        });
        stream::iter(asked).buffer_unordered(AT_ONCE).collect::<()>().await;
    }

    /// That no assertion gets another token at these servers. The first of them are passed over.
    pub(crate) async fn assert_used(&self, urls: &[String], passed_over: usize) {
        let http = http();
        let used = self.assertions.lock().unwrap()[passed_over..].to_vec();
        let asked = used.iter().zip(urls.iter().cycle()).map(async |(used, url)| {
            let status = settled(async || by_assertion(&http, url, used).await).await;
            assert_eq!(status, Some(401), "a used jti is forgotten");
        });
        stream::iter(asked).buffer_unordered(AT_ONCE).collect::<()>().await;
    }

    /// How many promises there are of each sort, for people to read.
    pub(crate) fn summary(&self) -> String {
        let (clients, assertions) = (&self.clients, &self.assertions);
        let counts = (clients.lock().unwrap().len(), assertions.lock().unwrap().len());
        let revoked = self.revoked.lock().unwrap().len();
        format!(
            "{} registrations, {} used assertions and {revoked} revocations",
            counts.0, counts.1
        )
    }
}

/// What is said in the end, by a server that may say first that it cannot tell yet.
async fn settled(mut ask: impl AsyncFnMut() -> Option<u16>) -> Option<u16> {
    let began = Instant::now();
    loop {
        let status = ask().await;
        if status != Some(503) || began.elapsed() > PATIENCE {
            return status;
        }
    }
}
