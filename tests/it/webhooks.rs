//! Whoever wants to know is told: signed, at least once, by one replica at a time.
//! <https://www.standardwebhooks.com>

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use latchkey::assembly::OpenStore;
use latchkey::audit::delivery::{self, Backlog, Delivery, Tally};
use latchkey::audit::lease::Lease;
use latchkey::audit::message::{Message, WebhookKey};
use latchkey::audit::{Action, AuditRecord, Author};
use latchkey::audit::{Messenger, Outbox, Undelivered};
use latchkey::clients::Inserted;
use latchkey::clients::Upkeep;
use latchkey::config::Settings;
use latchkey::domain::clock::{Clock, Timestamp};
use latchkey::domain::revocation::Revoked;
use latchkey::store::{EmbeddedStore, MemoryStore, MongoStore, Store};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::databases::Kind;
use crate::harness::{START, Server, TestClock, store_in};
use crate::store_check::spoil_page_with;
use crate::store_contract::client;

/// How long anything may take, with room for a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// The bytes of the secret, and how it is configured.
const SECRET: &[u8] = b"a secret of at least 24 bytes";
/// Longer than any pause between two attempts.
const PAUSE: Duration = Duration::from_secs(300);
/// Longer than the lease.
const LEASE: Duration = Duration::from_secs(61);

/// What the receiver does with a message.
#[derive(Clone)]
enum Answer {
    Status(u16),
    RedirectTo(String),
    /// Closes the connection.
    Nothing,
    /// Answers well, when it is told to.
    When(Arc<Notify>),
    /// Never.
    Hang,
}

/// A message as it came.
#[derive(Clone, Debug)]
struct Received {
    headers: BTreeMap<String, String>,
    text: String,
    body: Value,
}

impl Received {
    fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    answers: VecDeque<Answer>,
    refused: Vec<String>,
}

/// Somebody who wants to know.
struct Receiver {
    url: String,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        Self { url, state, task }
    }

    fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap().received.clone()
    }

    fn ids(&self) -> Vec<String> {
        self.received().iter().map(|it| it.id().to_owned()).collect()
    }

    /// What it does with the next messages; after them it takes all.
    fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.lock().unwrap().answers.extend(answers);
    }

    /// This one it never takes.
    fn refuse(&self, record: &AuditRecord) {
        self.state.lock().unwrap().refused.push(record.id.clone());
    }

    /// Waits until so many have come, letting time go by in which attempts are made again.
    async fn wait_for(&self, count: usize, clock: &TestClock, by: Duration) -> Vec<Received> {
        let began = Instant::now();
        while self.received().len() < count {
            assert!(began.elapsed() < PATIENCE, "{:?}", self.received());
            tokio::time::sleep(Duration::from_millis(50)).await;
            clock.advance(by);
        }
        self.received()
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    while let Some(received) = read(&mut stream).await {
        let answer = {
            let mut state = state.lock().unwrap();
            let refused = state.refused.iter().any(|id| id == received.id());
            state.received.push(received);
            let taken = if refused { Answer::Status(400) } else { Answer::Status(204) };
            if refused { taken } else { state.answers.pop_front().unwrap_or(taken) }
        };
        let head = match answer {
            Answer::Status(status) => format!("HTTP/1.1 {status} x\r\n"),
            Answer::RedirectTo(url) => format!("HTTP/1.1 307 x\r\nlocation: {url}\r\n"),
            Answer::Nothing => return,
            Answer::When(told) => {
                told.notified().await;
                "HTTP/1.1 200 x\r\n".to_owned()
            }
            Answer::Hang => return std::future::pending().await,
        };
        let length = if head.contains(" 204 ") { "" } else { "content-length: 0\r\n" };
        stream.write_all(format!("{head}{length}\r\n").as_bytes()).await.unwrap();
    }
}

async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    assert!(head.starts_with("POST /hook HTTP/1.1\r\n"), "{head}");
    let headers: BTreeMap<String, String> = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers["content-length"].parse().unwrap();
    while bytes.len() < end + 4 + length {
        stream.read_buf(&mut bytes).await.ok().filter(|read| *read > 0)?;
    }
    let text = String::from_utf8(bytes[end + 4..].to_vec()).unwrap();
    let body = serde_json::from_str(&text).unwrap();
    Some(Received { headers, text, body })
}

/// As those who specify it sign.
fn expected_signature(received: &Received) -> String {
    let webhook = standardwebhooks::Webhook::from_bytes(SECRET.to_vec()).unwrap();
    let timestamp = received.headers["webhook-timestamp"].parse().unwrap();
    webhook.sign(received.id(), timestamp, received.text.as_bytes()).unwrap()
}

fn with_hook(url: &str) -> impl FnOnce(&mut Settings) {
    let url = url.parse().unwrap();
    move |settings| {
        settings.webhook.url = Some(url);
        settings.webhook.secret = Some(format!("whsec_{}", STANDARD.encode(SECRET)).into());
    }
}

/// A record of a revocation at this moment.
fn record(server: &Server, action: Action, at: Timestamp) -> AuditRecord {
    server.app.clients.recorder.record(&Author::server(), action, Map::new(), at).unwrap()
}

/// Ends a token that nobody has.
async fn revoke(server: &Server) -> AuditRecord {
    let now = server.clock.now();
    let record = record(server, Action::TokensRevoked, now);
    let (jti, until) = (record.id.clone(), server.app.health.revocations.horizon(now));
    server.app.clients.revoker.revoke(Revoked::Token { jti }, until, &record).await.unwrap();
    record
}

/// Waits until nothing is left to tell.
async fn all_told(store: &dyn Store) {
    let began = Instant::now();
    loop {
        let untold = store.untold(Timestamp(0), 100).await.unwrap();
        if untold.is_empty() {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{untold:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[actix_web::test]
async fn messages_are_signed_and_only_of_what_is_asked_for() {
    let receiver = Receiver::start().await;
    let server = Server::with(with_hook(&receiver.url)).await;
    server.client_with_secret().await; // of which nobody asked to be told
    server.clock.set(START + 60);
    let told = revoke(&server).await;
    all_told(&*server.store.store()).await;

    let received = receiver.received();
    assert_eq!(received.len(), 1, "{received:?}");
    let message = &received[0];
    assert_eq!(message.id(), told.id);
    assert_eq!(message.headers["webhook-timestamp"], (START + 60).to_string());
    assert_eq!(message.headers["webhook-signature"], expected_signature(message));
    assert_eq!(message.headers["content-type"], "application/json");
    let data = serde_json::to_value(&told).unwrap();
    let at = "2027-01-15T08:01:00Z";
    assert_eq!(message.body, json!({ "type": "tokens.revoked", "timestamp": at, "data": data }));
    let metrics = server.get("/-/metrics").await.text;
    for line in ["latchkey_webhook_delivered_total 1\n", "latchkey_webhook_failed_total 0\n"] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[actix_web::test]
async fn a_topic_may_be_everything() {
    let receiver = Receiver::start().await;
    let hook = with_hook(&receiver.url);
    let server = Server::with(|settings| {
        hook(settings);
        settings.webhook.events = vec!["*".parse().unwrap()];
    })
    .await;
    server.client_with_secret().await;
    all_told(&*server.store.store()).await;
    let types: Vec<_> = receiver.received().iter().map(|it| it.body["type"].clone()).collect();
    assert_eq!(types, ["admin.installed", "client.registered"]);
}

#[actix_web::test]
async fn whoever_is_away_is_told_later_in_order() {
    let [receiver, elsewhere] = [Receiver::start().await, Receiver::start().await];
    let redirect = Answer::RedirectTo(elsewhere.url.clone());
    receiver.answer([Answer::Status(500), Answer::Nothing, redirect, Answer::Status(429)]);
    let server = Server::with(with_hook(&receiver.url)).await;
    let told = [revoke(&server).await.id, revoke(&server).await.id];
    receiver.wait_for(6, &server.clock, PAUSE).await;
    all_told(&*server.store.store()).await;

    let ids = receiver.ids();
    assert_eq!(ids[..4], vec![told[0].clone(); 4], "the second waits for the first");
    assert_eq!(ids[4..], told);
    let received = receiver.received();
    assert!(received.iter().all(|it| it.headers["webhook-signature"] == expected_signature(it)));
    assert!(received.iter().all(|it| it.body["data"]["at"] == START), "of the same moment");
    assert!(elsewhere.received().is_empty(), "no redirect is followed");
    let metrics = server.get("/-/metrics").await.text;
    assert!(metrics.contains("latchkey_webhook_failed_total 4\n"), "{metrics}");
}

#[actix_web::test]
async fn records_on_a_damaged_page_hold_up_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on(store_in(folder.path()).await, |_| ()).await;
    let mut records = Vec::new();
    for _ in 0..60 {
        records.push(revoke(&server).await.id);
    }
    server.stop().await;
    spoil_page_with(folder.path(), format!("\"id\":\"{}\"", records[30]));

    let receiver = Receiver::start().await;
    let server = Server::on(store_in(folder.path()).await, with_hook(&receiver.url)).await;
    all_told(&*server.store.store()).await;
    let last = revoke(&server).await.id;
    all_told(&*server.store.store()).await;
    let delivered = receiver.ids();
    assert!(!delivered.contains(&records[30]) && delivered.len() > 20, "{delivered:?}");
    records.push(last);
    records.retain(|id| delivered.contains(id));
    assert_eq!(delivered, records, "each of the others once, and in order");
}

#[actix_web::test]
async fn an_outage_is_seen() {
    let receiver = Receiver::start().await;
    receiver.answer([Answer::Status(503), Answer::Status(503)]);
    let server = Server::with(with_hook(&receiver.url)).await;
    revoke(&server).await;
    receiver.wait_for(1, &server.clock, Duration::ZERO).await;
    let failed = async || {
        let metrics = server.get("/-/metrics").await.text;
        metrics.contains("latchkey_webhook_failed_total 1\n").then_some(metrics)
    };
    let began = Instant::now();
    while failed().await.is_none() {
        assert!(began.elapsed() < PATIENCE);
    }
    server.clock.advance(Duration::from_secs(1));
    receiver.wait_for(2, &server.clock, Duration::ZERO).await;
    let metrics = server.get("/-/metrics").await.text;
    assert!(metrics.contains("latchkey_webhook_oldest_seconds 1\n"), "{metrics}");
    receiver.wait_for(3, &server.clock, PAUSE).await;
    all_told(&*server.store.store()).await;
}

#[actix_web::test]
async fn whoever_hangs_is_given_up_for_now() {
    let receiver = Receiver::start().await;
    receiver.answer([Answer::Hang]);
    let server = Server::with(with_hook(&receiver.url)).await;
    let told = revoke(&server).await.id;
    receiver.wait_for(2, &server.clock, PAUSE).await;
    all_told(&*server.store.store()).await;
    assert_eq!(receiver.ids(), [told.clone(), told]);
}

#[actix_web::test]
async fn what_is_refused_holds_up_nothing_else_and_is_given_up_after_three_days() {
    let receiver = Receiver::start().await;
    let server = Server::with(with_hook(&receiver.url)).await;
    let store = server.store.store();
    let now = server.clock.now();
    let poison = record(&server, Action::TokensRevoked, now);
    receiver.refuse(&poison);
    assert!(store.append(&poison).await.unwrap());
    let good = revoke(&server).await;
    receiver.wait_for(2, &server.clock, Duration::ZERO).await;
    assert_eq!(receiver.ids(), [poison.id.clone(), good.id]);
    receiver.wait_for(4, &server.clock, PAUSE).await;
    assert!(receiver.ids()[2..].iter().all(|id| *id == poison.id), "{:?}", receiver.ids());

    server.clock.set(START + 3 * 86_400 + 1);
    let next = revoke(&server).await;
    let began = Instant::now();
    while receiver.ids().last() != Some(&next.id) {
        assert!(began.elapsed() < PATIENCE, "{:?}", receiver.ids());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let attempts = receiver.ids().iter().filter(|id| **id == poison.id).count();
    let last = revoke(&server).await;
    while receiver.ids().last() != Some(&last.id) {
        assert!(began.elapsed() < PATIENCE, "{:?}", receiver.ids());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(receiver.ids().iter().filter(|id| **id == poison.id).count(), attempts);
}

#[actix_web::test]
async fn a_webhook_that_is_new_is_told_of_three_days() {
    let receiver = Receiver::start().await;
    let store = OpenStore::Memory(Arc::new(MemoryStore::default()));
    let server = Server::on(store.clone(), |_| ()).await;
    for ago in [3 * 86_400 + 1, 3 * 86_400, 1] {
        let record = record(&server, Action::TokensRevoked, Timestamp(START - ago));
        assert!(store.store().append(&record).await.unwrap());
    }
    server.stop().await;
    let server = Server::on(store, with_hook(&receiver.url)).await;
    let received = receiver.wait_for(2, &server.clock, Duration::ZERO).await;
    let at: Vec<_> = received.iter().map(|it| it.body["data"]["at"].clone()).collect();
    assert_eq!(at, [START - 3 * 86_400, START - 1]);
}

#[actix_web::test]
async fn a_credential_that_ends_is_told_of() {
    let receiver = Receiver::start().await;
    let server = Server::with(with_hook(&receiver.url)).await;
    let (name, _) = server.client_with_secret().await;
    let old = server.app.clients.repository.read(&name.parse().unwrap()).await.unwrap().unwrap();
    let mut new = old.clone();
    new.secrets[0].expires = Some(Timestamp(START + 7200 + 86_400));
    let changed = record(&server, Action::ClientUpdated, server.clock.now());
    assert!(server.app.clients.repository.replace(&old, &new, &changed).await.unwrap());
    let received = receiver.wait_for(1, &server.clock, Duration::from_secs(3600)).await;
    assert_eq!(received[0].body["type"], "credential.expiring");
    assert_eq!(received[0].body["data"]["client_id"], *name);
}

#[actix_web::test]
async fn who_stops_lets_the_message_arrive() {
    let receiver = Receiver::start().await;
    let release = Arc::new(Notify::new());
    receiver.answer([Answer::When(release.clone())]);
    let store = OpenStore::Memory(Arc::new(MemoryStore::default()));
    let server = Server::on(store.clone(), with_hook(&receiver.url)).await;
    let told = revoke(&server).await.id;
    receiver.wait_for(1, &server.clock, Duration::ZERO).await;
    let clock = server.clock.clone();
    let stopping = tokio::task::spawn_local(server.stop());
    release.notify_one();
    stopping.await.unwrap();
    assert!(store.store().untold(Timestamp(0), 9).await.unwrap().iter().all(|it| it.id != told));

    // The lease was given back: at the same moment another may have it.
    let server = Server::at(clock, store, with_hook(&receiver.url)).await;
    let next = revoke(&server).await.id;
    receiver.wait_for(2, &server.clock, Duration::ZERO).await;
    assert_eq!(receiver.ids(), [told, next]);
}

/// A messenger that does as it is told, and remembers what it was given.
#[derive(Default)]
struct Script {
    outcomes: Mutex<VecDeque<Undelivered>>,
    sent: Mutex<Vec<String>>,
}

#[async_trait::async_trait]
impl Messenger for Script {
    async fn send(&self, message: &Message) -> Result<(), Undelivered> {
        self.sent.lock().unwrap().push(message.id.clone());
        self.outcomes.lock().unwrap().pop_front().map_or(Ok(()), Err)
    }
}

impl Script {
    fn attempts(&self) -> usize {
        self.sent.lock().unwrap().len()
    }
}

/// What one replica would do, step by step.
fn delivery<S: Outbox + 'static>(
    store: &Arc<S>,
    clock: &Arc<TestClock>,
    name: &str,
) -> (Delivery, Arc<Script>) {
    let script = Arc::new(Script::default());
    let outbox: Arc<dyn Outbox> = store.clone();
    let delivery = Delivery {
        outbox: outbox.clone(),
        messenger: script.clone(),
        key: WebhookKey::parse(std::str::from_utf8(SECRET).unwrap()).unwrap(),
        topics: vec!["client.*".parse().unwrap()],
        lease: Lease::new(outbox, delivery::LEASE, name.to_owned(), delivery::LEASE_LENGTH),
        clock: clock.clone(),
        tally: Tally::default(),
        backlog: tokio::sync::Mutex::new(Backlog::default()),
    };
    (delivery, script)
}

async fn put(store: &MemoryStore, clock: &TestClock) -> AuditRecord {
    let at = clock.now();
    let old = crate::store_contract::audit_record();
    let id = old.id.replacen(&AuditRecord::first_id(old.at), &AuditRecord::first_id(at), 1);
    let record = AuditRecord { id, at, ..old };
    assert!(store.append(&record).await.unwrap());
    record
}

#[tokio::test]
async fn no_attempt_is_made_in_a_pause() {
    let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(TestClock::default()));
    let (delivery, script) = delivery(&store, &clock, "one");
    let away = || Undelivered::Away("not at home".to_owned());
    script.outcomes.lock().unwrap().extend([away(), away(), Undelivered::Refused(400)]);
    put(&store, &clock).await;
    #[rustfmt::skip]
    let steps = [
        ("at once",                  0, 1),
        ("in the pause of a second", 0, 1),
        ("after it",                 1, 2),
        ("in the pause of two",      0, 2),
        ("after it: refused",        2, 3),
        ("in the pause of that one", 0, 3),
        ("after it",                 1, 4),
        ("it was told",            300, 4),
    ];
    for (why, seconds, attempts) in steps {
        clock.advance(Duration::from_secs(seconds));
        assert!(!delivery.look().await, "{why}: there is no more");
        assert_eq!(script.attempts(), attempts, "{why}");
    }
}

#[tokio::test]
async fn who_holds_the_lease_tells_and_nobody_else() {
    let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(TestClock::default()));
    let [one, two] = ["one", "two"].map(|name| delivery(&store, &clock, name));
    #[rustfmt::skip]
    let steps = [
        ("whoever comes first",            0, [1, 0]),
        ("while it holds the lease",      29, [2, 0]),
        ("which it renews",               29, [3, 0]),
        ("in time",                       29, [4, 0]),
    ];
    for (why, seconds, attempts) in steps {
        clock.advance(Duration::from_secs(seconds));
        put(&store, &clock).await;
        one.0.look().await;
        two.0.look().await;
        assert_eq!([one.1.attempts(), two.1.attempts()], attempts, "{why}");
    }
    clock.advance(LEASE); // the one is gone
    put(&store, &clock).await;
    two.0.look().await;
    put(&store, &clock).await;
    one.0.look().await;
    assert_eq!([one.1.attempts(), two.1.attempts()], [4, 1], "and is back too late");
    two.0.stop().await;
    clock.advance(Duration::from_secs(5));
    one.0.look().await;
    two.0.look().await;
    assert_eq!([one.1.attempts(), two.1.attempts()], [5, 1], "what was given back");
}

#[tokio::test]
async fn however_much_there_is_all_is_told_in_order() {
    let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(TestClock::default()));
    let (delivery, script) = delivery(&store, &clock, "one");
    let mut wanted = Vec::new();
    for number in 0..350 {
        let record = put(&store, &clock).await;
        wanted.push(record.id.clone());
        if number % 2 == 0 {
            let (id, action) = (format!("{}k", record.id), Action::KeyAdded); // nobody's topic
            assert!(store.append(&AuditRecord { id, action, ..record }).await.unwrap());
        }
    }
    while delivery.look().await {}
    assert_eq!(*script.sent.lock().unwrap(), wanted);
    assert!(store.untold(Timestamp(0), 1).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_cannot_be_read_holds_nothing_up_and_is_told_of_as_far_as_it_can_be() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(EmbeddedStore::open(folder.path()).unwrap());
    let database = rusqlite::Connection::open(folder.path().join("latchkey.db")).unwrap();
    let mut ids = Vec::new();
    for number in 0..250 {
        ids.push(format!("{}{number:03}", AuditRecord::first_id(Timestamp(START))));
        let row = (ids.last(), 7, "alice", "client.exploded", "svc", "{");
        let sql = "INSERT INTO audit (id, at, actor, action, client_id, told, record) \
                   VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)";
        database.execute(sql, row).unwrap();
    }
    let (at, id) = (Timestamp(START), format!("{}x", AuditRecord::first_id(Timestamp(START))));
    let good = AuditRecord {
        id: id.clone(),
        at,
        action: Action::ClientDeleted,
        ..crate::store_contract::audit_record()
    };
    assert!(store.append(&good).await.unwrap());
    ids.push(id);

    let clock = Arc::new(TestClock::default());
    let (delivery, script) = delivery(&store, &clock, "one");
    while delivery.look().await {}
    assert_eq!(*script.sent.lock().unwrap(), ids);
    assert!(store.untold(Timestamp(0), 1).await.unwrap().is_empty());
    assert_eq!(store.unreadable().records, 250);
}

/// A replica with a webhook, with the time of the others.
async fn replica(url: &str, clock: &Arc<TestClock>, receiver: &Receiver) -> Server {
    let store = OpenStore::Mongo(Arc::new(MongoStore::open(url).unwrap()));
    Server::at(clock.clone(), store, with_hook(&receiver.url)).await
}

fn delivered(server: &Server) -> u64 {
    let delivery = server.app.health.delivery.as_ref().unwrap();
    delivery.tally.delivered.load(std::sync::atomic::Ordering::Relaxed)
}

#[actix_web::test]
async fn one_replica_tells_and_another_takes_over() {
    let Some(database) = Kind::Nx27017.shared().await else { return };
    let (url, clock) = (database.fresh_database(), Arc::new(TestClock::default()));
    let receiver = Receiver::start().await;
    let [first, second] =
        [replica(&url, &clock, &receiver).await, replica(&url, &clock, &receiver).await];
    let mut told = Vec::new();
    for round in 0..6 {
        told.push(revoke(if round % 2 == 0 { &first } else { &second }).await.id);
        receiver.wait_for(told.len(), &clock, Duration::ZERO).await;
    }
    all_told(&*first.store.store()).await;
    assert_eq!(receiver.ids(), told, "each once, by whichever replica it was done");
    assert_eq!(delivered(&first).min(delivered(&second)), 0, "one of them does the telling");

    // The one that tells is killed in the middle of it.
    let (holder, other) = if delivered(&first) > 0 { (first, second) } else { (second, first) };
    receiver.answer([Answer::Hang]);
    let in_flight = revoke(&other).await.id;
    receiver.wait_for(7, &clock, Duration::ZERO).await;
    let meanwhile = revoke(&other).await.id;
    drop(holder);
    clock.advance(LEASE);
    receiver.wait_for(9, &clock, Duration::from_secs(1)).await;
    all_told(&*other.store.store()).await;
    let ids = receiver.ids();
    assert_eq!(ids[6..], [in_flight.clone(), in_flight, meanwhile], "nothing lost, one told twice");
}

#[actix_web::test]
async fn what_a_killed_replica_left_in_a_document_is_told_of() {
    let Some(database) = Kind::Nx27017.shared().await else { return };
    let (url, clock) = (database.fresh_database(), Arc::new(TestClock::default()));
    let receiver = Receiver::start().await;
    let store = MongoStore::open(&url).unwrap();
    store.prepare().await.unwrap();
    let left = AuditRecord {
        id: format!("{}left", AuditRecord::first_id(Timestamp(START))),
        at: Timestamp(START),
        action: Action::ClientLeft,
        ..crate::store_contract::audit_record()
    };
    let inserted =
        latchkey::clients::ClientRepository::insert(&store, &client("svc"), &left).await.unwrap();
    assert_eq!(inserted, Inserted::Yes);
    assert!(store.untold(Timestamp(0), 9).await.unwrap().is_empty());

    let server = replica(&url, &clock, &receiver).await;
    let received = receiver.wait_for(1, &clock, Duration::ZERO).await;
    assert_eq!(received[0].id(), left.id);
    all_told(&*server.store.store()).await;
    assert_eq!(receiver.ids(), [left.id]);
}
