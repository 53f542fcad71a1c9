//! The server's signing keys, from the file that comes to the last token that goes.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use latchkey::assembly::OpenStore;
use latchkey::config::Settings;
use latchkey::domain::clock::DAY;
use latchkey::domain::jwk::Algorithm;
use latchkey::jose::PrivateKey;
use latchkey::store::{MemoryStore, MongoStore};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::databases::Kind;
use crate::harness::{GRANT, START, Server, TestClock, jose_header_of, store_in};

/// How long something may take that happens in the background, with room for a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a key waits that may not wait: to the end of this second, and two more.
const HASTE: Duration = Duration::from_secs(3);
/// How long the key set may be cached.
const MAX_AGE: u64 = 60;
/// How long tokens live in these tests, at the most; and how far clocks may be apart.
const LIFE: u64 = 36_000;
const SKEW: u64 = 30;

fn ed25519(keys: &Path) -> impl FnOnce(&mut Settings) + use<> {
    let keys = keys.to_owned();
    move |settings| {
        settings.signing_keys.folder = keys;
        settings.signing_keys.algorithm = Algorithm::EdDSA;
        settings.tokens.max_lifetime = Duration::from_secs(LIFE);
    }
}

/// A server with one Ed25519 key, in a folder of its own.
async fn server(keys: &TempDir) -> Server {
    Server::with(ed25519(keys.path())).await
}

async fn rotate(server: &Server, body: Value) {
    let reply = server.admin_post("/keys/rotate", &body).await;
    assert_eq!(reply.status, 202, "{reply:?}");
}

async fn retire(server: &Server, kid: &str) {
    let reply = server.admin_post(&format!("/keys/{kid}/retire"), &json!({})).await;
    assert_eq!(reply.status, 204, "{reply:?}");
}

/// The keys as an administrator sees them: kid and state, the newest first.
async fn states(server: &Server) -> Vec<(String, String)> {
    let reply = server.admin_get("/keys").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let text = |key: &Value, member: &str| key[member].as_str().unwrap().to_owned();
    let keys = reply.body["keys"].as_array().unwrap();
    keys.iter().map(|key| (text(key, "kid"), text(key, "state"))).collect()
}

fn in_state(keys: &[(String, String)], state: &str) -> Vec<String> {
    keys.iter().filter(|(_, is)| is == state).map(|(kid, _)| kid.clone()).collect()
}

/// Looks at everything, now.
async fn look(server: &Server) {
    server.app.feed.look().await.unwrap();
}

/// Looks until it is as it should be.
async fn until<T>(server: &Server, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        look(server).await;
        if let Some(found) = found().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "still: {:?}", server.admin_get("/keys").await.text);
    }
}

/// The key that is there to sign next, as soon as there is one.
async fn next_key(server: &Server) -> String {
    until(server, async || in_state(&states(server).await, "next").pop()).await
}

fn published(server: &Server) -> Vec<String> {
    let jwks: Value = serde_json::from_slice(&server.app.signing.ring.jwks().body).unwrap();
    let keys = jwks["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn active(server: &Server) -> String {
    server.app.signing.ring.active_kid().unwrap()
}

async fn token(server: &Server) -> (String, String) {
    let token = server.admin_token().await;
    (jose_header_of(&token)["kid"].as_str().unwrap_or_default().to_owned(), token)
}

#[actix_web::test]
async fn a_new_key_leads_by_the_max_age_then_signs_and_the_old_one_goes_with_its_last_token() {
    let keys = tempfile::tempdir().unwrap();
    let server = server(&keys).await;
    let (old, first_token) = token(&server).await;
    assert_eq!(states(&server).await, [(old.clone(), "active".to_owned())]);

    rotate(&server, json!({})).await;
    let new = next_key(&server).await;
    assert_eq!(published(&server).len(), 2, "it is shown before it signs");
    let shown = server.admin_get("/keys").await.body["keys"][0].clone();
    let from = shown["signs_from"].as_u64().unwrap();
    assert_eq!(from - shown["published_at"].as_u64().unwrap(), MAX_AGE);
    for (now, signs) in [(from - 1, &old), (from, &new)] {
        server.clock.set(now);
        look(&server).await;
        assert_eq!(&token(&server).await.0, signs, "at {now}");
    }
    assert_eq!(in_state(&states(&server).await, "active"), [&*new]);
    assert_eq!(in_state(&states(&server).await, "retired"), [&*old]);
    assert_eq!(server.tokeninfo(&first_token).await.status, 200, "as long as it lives");

    let shown = server.admin_get("/keys").await.body;
    let shown = shown["keys"].as_array().unwrap().iter().find(|key| key["kid"] == *old).unwrap();
    assert_eq!(shown["retired_at"], from);
    let dropped = shown["drops_at"].as_u64().unwrap();
    // What signed until it was seen to be retired lives that much longer.
    let last = from + LIFE + SKEW;
    assert!((last..=last + 60).contains(&dropped), "{shown}");
    for (now, there) in [(dropped - 1, true), (dropped, false)] {
        server.clock.set(now);
        look(&server).await;
        assert_eq!(published(&server).contains(&old), there, "at {now}");
        let known = states(&server).await.iter().any(|(kid, _)| *kid == old);
        assert_eq!(known, there, "at {now}");
    }
    assert_eq!(token(&server).await.0, new);
}

#[actix_web::test]
async fn in_a_hurry_nobody_waits_for_caches() {
    let keys = tempfile::tempdir().unwrap();
    let server = server(&keys).await;
    let old = active(&server);
    rotate(&server, json!({ "now": true })).await;
    let new = next_key(&server).await;
    assert_eq!(active(&server), old, "the other replicas look first");
    server.clock.advance(HASTE);
    look(&server).await;
    assert_eq!(active(&server), new);
}

#[actix_web::test]
async fn retiring_the_active_key_brings_another_first() {
    for waiting in [true, false] {
        let keys = tempfile::tempdir().unwrap();
        let server = server(&keys).await;
        let (old, old_token) = token(&server).await;
        let mut promoted = None;
        if waiting {
            rotate(&server, json!({})).await;
            promoted = Some(next_key(&server).await);
        }
        retire(&server, &old).await;
        assert_eq!(token(&server).await.0, old, "until there is another");
        assert_eq!(server.get("/-/ready").await.status, 200);

        let next = next_key(&server).await;
        assert!(promoted.is_none_or(|promoted| promoted == next), "the one that waits comes first");
        server.clock.advance(HASTE);
        look(&server).await;
        let (signs, new_token) = token(&server).await;
        assert_eq!(signs, next);
        assert_eq!(in_state(&states(&server).await, "retired"), [&*old]);
        for token in [&old_token, &new_token] {
            assert_eq!(server.tokeninfo(token).await.status, 200);
        }
        retire(&server, &old).await; // once more is no matter
        assert_eq!(server.admin_post("/keys/none/retire", &json!({})).await.status, 404);
    }
}

#[actix_web::test]
async fn a_retired_key_does_not_return_while_its_file_is_there() {
    let (keys, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let clock = Arc::new(TestClock::default());
    let start =
        async || Server::at(clock.clone(), store_in(data.path()).await, ed25519(keys.path())).await;
    let first = start().await;
    let old = active(&first);
    retire(&first, &old).await;
    let new = next_key(&first).await;
    clock.advance(HASTE);
    look(&first).await;
    first.stop().await;

    let again = start().await;
    assert_eq!(active(&again), new);
    assert_eq!(in_state(&states(&again).await, "retired"), [&*old]);
    clock.advance(Duration::from_secs(LIFE + SKEW + 3600));
    look(&again).await;
    assert_eq!(published(&again), [&*new], "dropped");
    again.stop().await;

    assert_eq!(std::fs::read_dir(keys.path()).unwrap().count(), 2, "both files are there");
    let last = start().await;
    look(&last).await;
    assert_eq!(published(&last), [new], "dropped for good");
}

#[actix_web::test]
async fn files_come_and_go_while_it_runs() {
    let keys = tempfile::tempdir().unwrap();
    let server = server(&keys).await;
    let old = active(&server);
    let old_file = std::fs::read_dir(keys.path()).unwrap().next().unwrap().unwrap().path();

    std::fs::write(keys.path().join("broken.pem"), "no key").unwrap();
    look(&server).await;
    assert_eq!(published(&server), [&*old], "what is broken is left out");

    server.clock.advance(Duration::from_secs(1));
    let dropped_in = PrivateKey::generate(Algorithm::EdDSA).unwrap();
    let new = dropped_in.public().kid.clone();
    let file = keys.path().join("new.pem");
    std::fs::write(&file, dropped_in.to_pem().unwrap().as_bytes()).unwrap();
    assert_eq!(next_key(&server).await, new);
    server.clock.advance(Duration::from_secs(MAX_AGE));
    look(&server).await;
    assert_eq!(active(&server), new);

    std::fs::remove_file(old_file).unwrap();
    look(&server).await;
    assert!(published(&server).contains(&old), "its tokens live");

    // Without the file of the key that signs there is soon another, and no gap before it.
    std::fs::remove_file(file).unwrap();
    look(&server).await;
    assert_eq!(server.get("/-/ready").await.status, 200);
    let next = next_key(&server).await;
    server.clock.advance(HASTE);
    look(&server).await;
    assert_eq!(token(&server).await.0, next);
}

#[actix_web::test]
async fn a_key_of_a_clock_that_was_ahead_signs_all_the_same() {
    let (keys, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let clock = Arc::new(TestClock::default());
    let start =
        async || Server::at(clock.clone(), store_in(data.path()).await, ed25519(keys.path())).await;

    for (round, behind) in [("an hour", 3600), ("a year", 31_536_000), ("a second", 1)] {
        clock.set(START + behind);
        let ahead = start().await;
        let first = token(&ahead).await.0;
        ahead.stop().await;

        clock.set(START);
        let right = start().await;
        assert_eq!(right.get("/-/ready").await.status, 200, "{round}");
        let (kid, issued) = token(&right).await;
        assert_eq!(
            (kid.as_str(), right.tokeninfo(&issued).await.status),
            (&*first, 200),
            "{round}"
        );
        let states = states(&right).await;
        assert_eq!(in_state(&states, "active"), [first], "{round}");
        right.stop().await;
    }

    // Its dates are right again: what comes after it is newer.
    let server = start().await;
    let old = active(&server);
    clock.advance(Duration::from_secs(1));
    rotate(&server, json!({})).await;
    let new = next_key(&server).await;
    clock.advance(Duration::from_secs(MAX_AGE + 1));
    look(&server).await;
    assert_eq!(active(&server), new);
    assert_eq!(in_state(&states(&server).await, "retired"), [old]);
    server.stop().await;
}

#[actix_web::test]
async fn a_clock_that_is_set_back_keeps_no_key_from_signing() {
    let keys = tempfile::tempdir().unwrap();
    let server = server(&keys).await;
    let kid = active(&server);
    for back in [1, 3_600, 86_400, 31_536_000] {
        server.clock.set(START - back);
        look(&server).await;
        assert_eq!(token(&server).await.0, kid, "{back} s");
    }
}

/// The folder vanishes with all that is in it, as a volume does.
#[actix_web::test]
async fn a_folder_that_vanishes_is_reported_and_costs_nothing_until_the_next_start() {
    let parent = tempfile::tempdir().unwrap();
    let (keys, aside) = (parent.path().join("keys"), parent.path().join("aside"));
    let store = OpenStore::Memory(Arc::new(MemoryStore::default()));
    let server = Server::on(store.clone(), ed25519(&keys)).await;
    let old = active(&server);
    let (_, early) = token(&server).await;
    let reported = async || {
        look(&server).await;
        let check_up = server.get("/-/check-up").await;
        let metrics = server.get("/-/metrics").await.text;
        let gauge = "latchkey_signing_key_files_readable ";
        let readable = metrics.lines().find_map(|line| line.strip_prefix(gauge)).map(str::to_owned);
        (check_up.status, check_up.text_of("signing_key_files"), readable.unwrap())
    };
    let well = (200, String::new(), "1".to_owned());
    assert_eq!(reported().await, well);
    std::fs::rename(&keys, &aside).unwrap();
    assert_eq!(reported().await, (503, "unreadable".to_owned(), "0".to_owned()));
    assert_eq!(server.get("/-/ready").await.status, 200, "it goes on");
    assert_eq!(token(&server).await.0, old);
    std::fs::rename(&aside, &keys).unwrap();
    assert_eq!(reported().await, well, "it is back");
    std::fs::remove_dir_all(&keys).unwrap();
    assert_eq!(reported().await.0, 503);
    server.stop().await;

    // What that costs: a new key, which is shown for a minute before it signs.
    let server = Server::on(store, ed25519(&keys)).await;
    let info = async |what: &str| server.get(&format!("/-/ready{what}")).await.status;
    assert_eq!((info("").await, info("?for=tokeninfo").await), (503, 200));
    assert_eq!(server.tokeninfo(&early).await.status, 200, "tokens from before are good");
    server.clock.advance(Duration::from_secs(MAX_AGE));
    look(&server).await;
    assert_eq!((info("").await, info("?for=tokeninfo").await), (200, 200));
    let (kid, issued) = token(&server).await;
    assert_ne!(kid, old);
    assert_eq!(server.tokeninfo(&issued).await.status, 200);
    for unknown in ["?for=", "?for=token", "?for=tokeninfo&for=token"] {
        let reply = server.get(&format!("/-/ready{unknown}")).await;
        assert_eq!((reply.status, reply.error()), (400, Some("invalid_request")), "{unknown}");
    }
    assert_eq!(info("?x=y").await, 200, "what else is there is not looked at");
}

#[actix_web::test]
async fn a_folder_that_cannot_be_written_to() {
    let data = tempfile::tempdir().unwrap();
    let pem = PrivateKey::generate(Algorithm::EdDSA).unwrap().to_pem().unwrap();
    let file = data.path().join("theirs.pem");
    std::fs::write(&file, pem.as_bytes()).unwrap();
    // There nobody can make a folder, not even root.
    let blocked = Path::new("/proc/self/keys-of-latchkey");
    let server = Server::with(|settings| {
        ed25519(blocked)(settings);
        settings.signing_keys.file = Some(file);
    })
    .await;
    let old = active(&server);

    rotate(&server, json!({ "now": true })).await;
    look(&server).await;
    assert_eq!(published(&server), [&*old], "the old key serves");
    retire(&server, &old).await;
    let next = next_key(&server).await;
    server.clock.advance(HASTE);
    look(&server).await;
    assert_eq!(token(&server).await.0, next, "one in memory has to do");
}

#[actix_web::test]
async fn a_schedule_rotates() {
    let keys = tempfile::tempdir().unwrap();
    let server = Server::with(|settings| {
        ed25519(keys.path())(settings);
        settings.signing_keys.rotation = Some(2 * DAY);
    })
    .await;
    let old = active(&server);
    server.clock.set(START + 2 * 86_400 - 1);
    look(&server).await;
    assert_eq!(in_state(&states(&server).await, "next"), [""; 0], "not yet");
    server.clock.set(START + 2 * 86_400);
    let new = next_key(&server).await;
    server.clock.advance(Duration::from_secs(MAX_AGE + 1));
    look(&server).await;
    assert_eq!(active(&server), new);
    assert_eq!(in_state(&states(&server).await, "retired"), [old]);
}

#[actix_web::test]
async fn every_algorithm_has_its_own_key() {
    let keys = tempfile::tempdir().unwrap();
    let ec = PrivateKey::generate(Algorithm::ES256).unwrap();
    std::fs::write(keys.path().join("ES256-1.pem"), ec.to_pem().unwrap().as_bytes()).unwrap();
    let server = server(&keys).await;
    let signs = active(&server);
    server.clock.advance(Duration::from_secs(MAX_AGE));
    look(&server).await;
    assert_eq!(in_state(&states(&server).await, "active").len(), 2);
    assert_eq!(active(&server), signs, "the configured algorithm signs");

    rotate(&server, json!({ "algorithm": "ES256" })).await;
    next_key(&server).await;
    server.clock.advance(Duration::from_secs(MAX_AGE + 1));
    look(&server).await;
    let retired = in_state(&states(&server).await, "retired");
    assert_eq!(retired, [ec.public().kid.clone()]);
    assert_eq!(active(&server), signs);
    let openid = server.get("/.well-known/openid-configuration").await.body;
    assert_eq!(openid["id_token_signing_alg_values_supported"], json!(["ES256", "EdDSA"]));
}

#[actix_web::test]
async fn key_files() {
    #[rustfmt::skip]
    let cases = [
        // why                  openssl genpkey                                     password       algorithm
        ("1024 bits",           "-algorithm RSA -pkeyopt rsa_keygen_bits:1024",     None,          None),
        ("2048 bits",           "-algorithm RSA -pkeyopt rsa_keygen_bits:2048",     None,          Some("RS256")),
        ("4096 bits",           "-algorithm RSA -pkeyopt rsa_keygen_bits:4096",     None,          Some("RS256")),
        ("4104 bits",           "-algorithm RSA -pkeyopt rsa_keygen_bits:4104",     None,          None),
        ("P-256",               "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",   None,          Some("ES256")),
        ("P-384",               "-algorithm EC -pkeyopt ec_paramgen_curve:P-384",   None,          None),
        ("P-521",               "-algorithm EC -pkeyopt ec_paramgen_curve:P-521",   None,          None),
        ("Ed25519",             "-algorithm ED25519",                               None,          Some("EdDSA")),
        ("encrypted",           "-algorithm ED25519 -aes-256-cbc -pass pass:right", Some("right"), Some("EdDSA")),
        ("the wrong password",  "-algorithm ED25519 -aes-256-cbc -pass pass:right", Some("wrong"), None),
        ("no password",         "-algorithm ED25519 -aes-256-cbc -pass pass:right", None,          None),
    ];
    for (why, arguments, password, algorithm) in cases {
        let keys = tempfile::tempdir().unwrap();
        let made = Command::new("openssl")
            .args(["genpkey", "-out"])
            .arg(keys.path().join("key.pem"))
            .args(arguments.split(' '))
            .output()
            .unwrap();
        assert!(made.status.success(), "{why}: {made:?}");
        let store = OpenStore::Memory(Arc::new(MemoryStore::default()));
        let started = Server::attempt(store, |settings| {
            settings.signing_keys.folder = keys.path().to_owned();
            settings.signing_keys.algorithm = algorithm.unwrap_or("EdDSA").parse().unwrap();
            settings.signing_key_password.password =
                password.map(|password| password.to_owned().into());
        })
        .await;
        match algorithm {
            None => assert!(started.is_err(), "{why}"),
            Some(algorithm) => {
                let server = started.unwrap_or_else(|error| panic!("{why}: {error}"));
                let token = server.admin_token().await;
                assert_eq!(jose_header_of(&token)["alg"], algorithm, "{why}");
                assert_eq!(server.tokeninfo(&token).await.status, 200, "{why}");
            }
        }
    }
}

#[actix_web::test]
async fn rfc7468_s3_key_files_with_blanks_at_line_ends() {
    let pem = PrivateKey::generate(Algorithm::EdDSA).unwrap().to_pem().unwrap();
    #[rustfmt::skip]
    let cases = [
        // why                    the file                            said, if it is refused
        ("as it was made",        pem.to_string(),                    None),
        ("blanks at line ends",   pem.replace('\n', " \t\n"),        None),
        ("a blank line",          pem.replace('\n', "\n\n"),         None),
        ("on one line",           pem.replace('\n', " "),             None),
        ("a byte order mark",     format!("\u{feff}{}", *pem),        Some("byte order mark")),
        ("escaped line breaks",   pem.replace('\n', "\\n"),          Some("a backslash and an n")),
        ("cut off",               pem[..40].to_owned(),               Some("one private key in PEM")),
    ];
    for (why, text, said) in cases {
        let keys = tempfile::tempdir().unwrap();
        std::fs::write(keys.path().join("EdDSA-1.pem"), text).unwrap();
        let store = OpenStore::Memory(Arc::new(MemoryStore::default()));
        let started = Server::attempt(store, |settings| {
            settings.signing_keys.folder = keys.path().to_owned();
            settings.signing_keys.algorithm = Algorithm::EdDSA;
        })
        .await;
        match (started, said) {
            (Ok(_), None) => {}
            (Err(error), Some(said)) => {
                let chain = format!("{error} {error:?}");
                assert!(error.to_string().contains(said), "{why}: {chain}");
                assert!(!chain.contains(&pem[40..60]), "{why}: the key is not shown");
            }
            (Ok(_), Some(_)) => panic!("{why}: it was read"),
            (Err(error), None) => panic!("{why}: {error}"),
        }
    }
}

#[actix_web::test]
async fn who_may_and_what_is_understood() {
    let keys = tempfile::tempdir().unwrap();
    let server = server(&keys).await;
    let bearer = async |permission: &str| {
        let (id, secret) = server.granted(json!({ "permissions": [permission] })).await;
        server.token(Some((&id, &secret)), GRANT).await.text_of("access_token")
    };
    let routes = [("GET", "/keys"), ("POST", "/keys/rotate"), ("POST", "/keys/none/retire")];
    #[rustfmt::skip]
    let cases = [
        // why             permission                      list  rotate  retire what is not there
        ("nobody",         None,                           [401, 401, 401]),
        ("no permission",  Some("keys:write"),             [403, 403, 403]),
        ("of clients",     Some("latchkey:clients:write"), [403, 403, 403]),
        ("of keys",        Some("latchkey:keys:write"),    [200, 202, 404]),
        ("administrator",  Some("latchkey:admin"),         [200, 202, 404]),
    ];
    for (why, permission, statuses) in cases {
        let token = match permission {
            Some(permission) => Some(bearer(permission).await),
            None => None,
        };
        for ((method, path), status) in routes.into_iter().zip(statuses) {
            let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
            let mut request = server.http.request(method, format!("{}{path}", server.url));
            if let Some(token) = &token {
                request = request.bearer_auth(token);
            }
            assert_eq!(server.send(request).await.status, status, "{why}: {path}");
        }
    }
    #[rustfmt::skip]
    let bodies = [
        // why                  body                            status
        ("nothing",             json!({}),                      202),
        ("an algorithm",        json!({ "algorithm": "EdDSA" }), 202),
        ("another algorithm",   json!({ "algorithm": "HS256" }), 400),
        ("one of clients",      json!({ "algorithm": "ES384" }), 400),
        ("no truth value",      json!({ "now": "yes" }),        400),
        ("an unknown member",   json!({ "soon": true }),        400),
        ("no object",           json!([]),                      400),
    ];
    for (why, body, status) in bodies {
        assert_eq!(server.admin_post("/keys/rotate", &body).await.status, status, "{why}");
    }
}

/// Rotates again and again, hastily and not, while tokens are issued and checked. The time goes on
/// only when the servers have had the chance to look, as they have in the time that it stands for.
async fn rotations(servers: &[Server], done: &AtomicBool) -> usize {
    let mut count = 0;
    while !done.load(Ordering::SeqCst) {
        for (hasty, lead) in [(true, HASTE), (false, Duration::from_secs(MAX_AGE + 1))] {
            let before: Vec<String> = servers.iter().map(active).collect();
            rotate(&servers[count % servers.len()], json!({ "now": hasty })).await;
            for (server, old) in servers.iter().zip(&before) {
                let kids = |server: &Server| -> Vec<String> {
                    latchkey::signing::Ring::own(&*server.app.signing.ring)
                        .into_iter()
                        .map(|own| own.jwk.kid)
                        .collect()
                };
                let next = |states: &[(String, String)]| in_state(states, "next");
                until(server, async || {
                    let (next, own) = (next(&states(server).await), kids(server));
                    (*old != active(server) || next.iter().any(|kid| own.contains(kid)))
                        .then_some(())
                })
                .await;
            }
            for server in servers {
                look(server).await;
            }
            servers[0].clock.advance(lead);
            for (server, old) in servers.iter().zip(&before) {
                until(server, async || (active(server) != *old).then_some(())).await;
            }
            count += 1;
        }
    }
    count
}

/// 2,000 tokens, each checked by every server, at once with [`rotations`].
async fn nothing_fails_while_keys_rotate(servers: &[Server]) {
    const TOKENS: usize = 2000;
    const AT_ONCE: usize = 16;
    let (id, secret) = servers[0].client_with_secret().await;
    let credentials = Some((id.as_str(), secret.as_str()));
    let (_, first) = token(&servers[0]).await;
    let done = AtomicBool::new(false);
    let work = async {
        let workers = (0..AT_ONCE).map(async |worker| {
            let mut kids = Vec::new();
            for number in 0..TOKENS / AT_ONCE {
                let issuer = &servers[(worker + number) % servers.len()];
                let reply = issuer.token(credentials, GRANT).await;
                assert_eq!(reply.status, 200, "{reply:?}");
                let token = reply.text_of("access_token");
                for server in servers {
                    let reply = server.tokeninfo(&token).await;
                    assert_eq!(reply.status, 200, "{reply:?}");
                }
                kids.push(jose_header_of(&token)["kid"].as_str().unwrap().to_owned());
            }
            kids
        });
        let kids = futures_util::future::join_all(workers).await;
        done.store(true, Ordering::SeqCst);
        let mut kids: Vec<String> = kids.into_iter().flatten().collect();
        kids.sort_unstable();
        kids.dedup();
        kids.len()
    };
    let (kids, rotated) = futures_util::future::join(work, rotations(servers, &done)).await;
    assert!(rotated >= 2 && kids >= 2, "{rotated} rotations, {kids} keys signed");
    for server in servers {
        let reply = server.tokeninfo(&first).await;
        assert_eq!(reply.status, 200, "the first of all is still good: {reply:?}");
    }
}

#[actix_web::test]
async fn nothing_fails_while_the_keys_of_one_server_rotate() {
    let keys = tempfile::tempdir().unwrap();
    let servers = [server(&keys).await];
    nothing_fails_while_keys_rotate(&servers).await;
}

async fn replica(url: &str, clock: Arc<TestClock>, keys: &Path) -> Server {
    let store = OpenStore::Mongo(Arc::new(MongoStore::open(url).unwrap()));
    Server::at(clock, store, ed25519(keys)).await
}

/// Two servers with folders of their own, or with one for both, when both sign.
async fn two(url: &str, folders: [&Path; 2]) -> [Server; 2] {
    let clock = Arc::new(TestClock::default());
    let first = replica(url, clock.clone(), folders[0]).await;
    let second = replica(url, clock.clone(), folders[1]).await;
    clock.advance(Duration::from_secs(MAX_AGE));
    for server in [&second, &first] {
        look(server).await;
        assert_eq!(server.get("/-/ready").await.status, 200);
    }
    [first, second]
}

async fn nothing_fails_while_the_keys_of_two_replicas_rotate(kind: Kind) {
    let Some(database) = kind.shared().await else { return };
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let servers = two(&database.fresh_database(), [one.path(), other.path()]).await;
    nothing_fails_while_keys_rotate(&servers).await;
}

async fn replicas_with_folders_of_their_own_all_rotate(kind: Kind) {
    let Some(database) = kind.shared().await else { return };
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let servers = two(&database.fresh_database(), [one.path(), other.path()]).await;
    let before = servers.each_ref().map(active);
    assert_ne!(before[0], before[1]);

    rotate(&servers[1], json!({})).await;
    let all = async || {
        look(&servers[1]).await;
        let next = in_state(&states(&servers[0]).await, "next");
        (next.len() == 2).then_some(next)
    };
    let next = until(&servers[0], all).await;
    servers[0].clock.advance(Duration::from_secs(MAX_AGE + 1));
    for (server, old) in servers.iter().zip(&before) {
        look(server).await;
        assert!(next.contains(&active(server)));
        assert!(in_state(&states(server).await, "retired").contains(old));
    }

    // Either may be told to retire the other's.
    let theirs = active(&servers[0]);
    retire(&servers[1], &theirs).await;
    let replaced = async || {
        servers[0].clock.advance(Duration::from_secs(1));
        (active(&servers[0]) != theirs).then_some(())
    };
    until(&servers[0], replaced).await;
}

/// Whoever signed with it signs with another before it goes: no token is refused meanwhile.
async fn a_revoked_key_of_another_replica_makes_way(kind: Kind) {
    let Some(database) = kind.shared().await else { return };
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let [here, there] = two(&database.fresh_database(), [one.path(), other.path()]).await;
    let theirs = active(&there);

    let done = AtomicBool::new(false);
    let revoked = async {
        let reply = here.admin_post("/revocations", &json!({ "kid": theirs })).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        done.store(true, Ordering::SeqCst);
    };
    let in_use = async {
        while !done.load(Ordering::SeqCst) {
            there.clock.advance(Duration::from_secs(1));
            look(&there).await;
            token(&there).await; // there is one each time
        }
    };
    futures_util::future::join(revoked, in_use).await;

    look(&there).await;
    assert_ne!(token(&there).await.0, theirs);
    for server in [&here, &there] {
        assert!(!published(server).contains(&theirs));
    }
}

async fn replicas_that_share_a_folder_make_one_key_together(kind: Kind) {
    let Some(database) = kind.shared().await else { return };
    let keys = tempfile::tempdir().unwrap();
    let servers = two(&database.fresh_database(), [keys.path(), keys.path()]).await;
    let old = active(&servers[0]);
    assert_eq!(active(&servers[1]), old);

    futures_util::future::join(rotate(&servers[0], json!({})), rotate(&servers[1], json!({})))
        .await;
    for server in &servers {
        next_key(server).await;
    }
    for server in &servers {
        look(server).await;
        assert_eq!(in_state(&states(server).await, "next").len(), 1, "one key");
    }
    assert_eq!(std::fs::read_dir(keys.path()).unwrap().count(), 2, "one file more");
    servers[0].clock.advance(Duration::from_secs(MAX_AGE + 1));
    for server in &servers {
        look(server).await;
    }
    assert_ne!(active(&servers[0]), old);
    assert_eq!(active(&servers[0]), active(&servers[1]));
}

macro_rules! on_servers {
    ($($test:ident)*) => { $(
        mod $test {
            use crate::databases::Kind;

            #[actix_web::test]
            async fn mongodb() {
                super::$test(Kind::MongoDb).await;
            }

            #[actix_web::test]
            async fn nx_27017() {
                super::$test(Kind::Nx27017).await;
            }

            #[actix_web::test]
            async fn ferretdb() {
                super::$test(Kind::FerretDb).await;
            }
        }
    )* };
}

on_servers! {
    nothing_fails_while_the_keys_of_two_replicas_rotate
    replicas_with_folders_of_their_own_all_rotate
    a_revoked_key_of_another_replica_makes_way
    replicas_that_share_a_folder_make_one_key_together
}
