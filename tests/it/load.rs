//! Callers who ask without pause. They count the answers, and write down what they were promised.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use latchkey::domain::clock::{Clock, Timestamp};
use latchkey::domain::jwk::Algorithm;
use latchkey::jose::{Assertion, sign_assertion};
use serde_json::{Value, json};

use crate::fleet::PATIENCE;
use crate::harness::client_key;
use crate::ledger::Ledger;
use crate::program::ISSUER;

/// How long a caller waits for an answer. Longer than a server may take: to wait in vain is a
/// finding.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What a caller does all the time.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Call {
    /// Asks for a token with an assertion, a new one each time.
    ByAssertion,
    /// Asks for a token with a secret, the same each time.
    BySecret,
    /// Registers.
    Register,
    /// Gets a token and calls it back.
    Revoke,
    /// Asks what a token is worth.
    TokenInfo,
}

/// Of each sort those who keep their connections, and those who do not.
pub(crate) const ALL_SORTS: &[Call] = &[
    Call::ByAssertion,
    Call::BySecret,
    Call::Register,
    Call::Revoke,
    Call::TokenInfo,
    Call::ByAssertion,
    Call::BySecret,
    Call::TokenInfo,
];

/// How many answers there were to such calls of that status, `None` being no answer; and after how
/// long the slowest came.
type Answers = BTreeMap<(Call, Option<u16>), (usize, Duration)>;

/// The callers, with what they know and what they saw.
pub(crate) struct Load {
    callers: &'static [Call],
    pause: Duration,
    clock: Arc<dyn Clock>,
    secret: (String, String),
    key_client: String,
    token: String,
    answers: Mutex<Answers>,
    pub(crate) ledger: Ledger,
}

impl Load {
    /// Registers at this server what the callers need.
    pub(crate) async fn prepare(
        callers: &'static [Call],
        pause: Duration,
        url: &str,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut load = Self {
            callers,
            pause,
            clock,
            secret: Default::default(),
            key_client: String::new(),
            token: String::new(),
            answers: Mutex::default(),
            ledger: Ledger::default(),
        };
        let http = http();
        let register = async |metadata: Value| {
            let request = http.post(format!("{url}/register")).json(&metadata);
            request.send().await.unwrap().json::<Value>().await.unwrap()
        };
        let text = |body: &Value, member: &str| body[member].as_str().unwrap().to_owned();
        let keyed = register(json!({
            "client_name": "svc",
            "token_endpoint_auth_method": "private_key_jwt",
            "public_key": client_key(Algorithm::EdDSA).public().to_json(),
        }));
        load.key_client = text(&keyed.await, "client_id");
        let body = register(json!({ "client_name": "svc" })).await;
        load.secret = (text(&body, "client_id"), text(&body, "client_secret"));
        let token = by_secret(&http, url, &load.secret).send().await.unwrap();
        load.token = text(&token.json().await.unwrap(), "access_token");
        load
    }

    /// Lets them call these servers, in turn, while something else happens.
    pub(crate) async fn during(&self, urls: &[String], meanwhile: impl Future<Output = ()>) {
        let over = AtomicBool::new(false);
        let callers = self.callers.iter().enumerate().map(|(number, call)| {
            // Half of them keep their connections.
            let http = if 2 * number < self.callers.len() { http() } else { connecting_anew() };
            self.call(*call, http, urls, &over)
        });
        let meanwhile = async {
            meanwhile.await;
            over.store(true, Ordering::Relaxed);
        };
        tokio::join!(join_all(callers), meanwhile);
    }

    /// How many answers of that status there were.
    pub(crate) fn count(&self, to: Call, status: u16) -> usize {
        let answers = self.answers.lock().unwrap();
        answers.get(&(to, Some(status))).map_or(0, |(count, _)| *count)
    }

    /// Returns when there are so many more answers of each of these statuses.
    pub(crate) async fn more(&self, wanted: &[(Call, u16, usize)]) {
        let counts = || wanted.iter().map(|(call, status, _)| self.count(*call, *status));
        let before: Vec<usize> = counts().collect();
        let began = Instant::now();
        while counts().zip(&before).zip(wanted).any(|((now, then), row)| now < then + row.2) {
            let seen: Vec<usize> = counts().collect();
            assert!(began.elapsed() < PATIENCE, "{wanted:?} more than {before:?}, but {seen:?}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// That calls of this sort were answered like this, each time, and in this time.
    pub(crate) fn assert_all(&self, to: Call, statuses: &[u16], within: Duration) {
        let answers = self.answers.lock().unwrap();
        for ((_, status), (_, slowest)) in answers.iter().filter(|((call, _), _)| *call == to) {
            let as_promised = status.is_some_and(|status| statuses.contains(&status));
            assert!(as_promised && *slowest <= within, "{to:?}: {answers:?}");
        }
    }

    /// How many calls had no answer at all.
    pub(crate) fn unanswered(&self) -> usize {
        let answers = self.answers.lock().unwrap();
        answers
            .iter()
            .filter(|((_, status), _)| status.is_none())
            .map(|(_, (count, _))| count)
            .sum()
    }

    async fn call(&self, call: Call, http: reqwest::Client, urls: &[String], over: &AtomicBool) {
        for url in urls.iter().cycle() {
            if over.load(Ordering::Relaxed) {
                break;
            }
            let began = Instant::now();
            let status = self.once(call, &http, url).await;
            {
                let mut answers = self.answers.lock().unwrap();
                let (count, slowest) = answers.entry((call, status)).or_default();
                (*count, *slowest) = (*count + 1, began.elapsed().max(*slowest));
            }
            // A pace, without which the callers would be all that this machine has time for. (A
            // server that is gone is not called in a tight loop either.)
            let pause = if status.is_none() { Duration::from_millis(5) } else { self.pause };
            tokio::time::sleep(pause).await;
        }
    }

    /// What has an answer with success is written down: it is a promise.
    async fn once(&self, call: Call, http: &reqwest::Client, url: &str) -> Option<u16> {
        match call {
            Call::ByAssertion => {
                let assertion = self.assertion();
                let status = by_assertion(http, url, &assertion).await;
                if status == Some(200) {
                    self.ledger.assertions.lock().unwrap().push(assertion);
                }
                status
            }
            Call::BySecret => status(by_secret(http, url, &self.secret)).await,
            Call::Register => {
                let request = http.post(format!("{url}/register"));
                let reply = request.json(&json!({ "client_name": "svc" })).send().await.ok()?;
                let status = reply.status().as_u16();
                let body: Value = reply.json().await.ok()?;
                if status == 201 {
                    let text = |member: &str| body[member].as_str().unwrap().to_owned();
                    let pair = (text("client_id"), text("client_secret"));
                    self.ledger.clients.lock().unwrap().push(pair);
                }
                Some(status)
            }
            Call::Revoke => {
                let reply = by_secret(http, url, &self.secret).send().await.ok()?;
                let issued = reply.status().as_u16();
                let body: Value = reply.json().await.ok()?;
                let Some(token) = body["access_token"].as_str() else { return Some(issued) };
                let (id, secret) = &self.secret;
                let request = http.post(format!("{url}/oauth/revoke")).basic_auth(id, Some(secret));
                let status = status(request.form(&[("token", token)])).await;
                if status == Some(200) {
                    self.ledger.revoked.lock().unwrap().push(token.to_owned());
                }
                status
            }
            Call::TokenInfo => {
                status(http.get(format!("{url}/tokeninfo")).bearer_auth(&self.token)).await
            }
        }
    }

    fn assertion(&self) -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let key = client_key(Algorithm::EdDSA);
        let now = self.clock.now();
        let assertion = Assertion {
            iss: self.key_client.clone(),
            sub: self.key_client.clone(),
            aud: ISSUER.to_owned(),
            jti: format!("{}-{}", now.0, COUNT.fetch_add(1, Ordering::Relaxed)),
            iat: now,
            exp: Timestamp(now.0 + 3000),
        };
        sign_assertion(&assertion, key, &key.public().kid).unwrap()
    }
}

/// A client that is on its own, as callers are.
pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build().unwrap()
}

/// One that keeps no connection.
fn connecting_anew() -> reqwest::Client {
    let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT);
    http.pool_max_idle_per_host(0).build().unwrap()
}

/// The status of an answer that was read to its end.
async fn status(request: reqwest::RequestBuilder) -> Option<u16> {
    let reply = request.send().await.ok()?;
    let status = reply.status().as_u16();
    reply.bytes().await.ok()?;
    Some(status)
}

fn by_secret(
    http: &reqwest::Client,
    url: &str,
    (id, secret): &(String, String),
) -> reqwest::RequestBuilder {
    let form = [("grant_type", "client_credentials")];
    http.post(format!("{url}/oauth/token")).basic_auth(id, Some(secret)).form(&form)
}

/// How a token that is asked for with these is answered: an id and its secret.
pub(crate) async fn token_by_secret(
    http: &reqwest::Client,
    url: &str,
    pair: &(String, String),
) -> Option<u16> {
    status(by_secret(http, url, pair)).await
}

/// What this token is worth.
pub(crate) async fn tokeninfo(http: &reqwest::Client, url: &str, token: &str) -> Option<u16> {
    status(http.get(format!("{url}/tokeninfo")).bearer_auth(token)).await
}

/// How a token that is asked for with this assertion is answered.
pub(crate) async fn by_assertion(
    http: &reqwest::Client,
    url: &str,
    assertion: &str,
) -> Option<u16> {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
    ];
    status(http.post(format!("{url}/oauth/token")).form(&form)).await
}
