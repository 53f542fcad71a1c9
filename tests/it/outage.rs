//! The database is late, or goes away and comes back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use latchkey::assembly::OpenStore;
use latchkey::config::Config;
use latchkey::oauth::News;
use latchkey::server;
use latchkey::store::MongoStore;

use crate::databases::Kind;
use crate::gateway_decisions::policy_in;
use crate::harness::{FORM, GRANT, Server, TestClock, settings, signing_key};

const PATIENCE: Duration = Duration::from_secs(60);

fn open(url: &str) -> OpenStore {
    OpenStore::Mongo(Arc::new(MongoStore::open(url).unwrap()))
}

async fn while_it_is_away_what_needs_it_answers_503_and_the_rest_goes_on(kind: Kind) {
    let Some(database) = kind.alone().await else { return };
    let server = Server::on(open(&database.fresh_database()), |_| ()).await;
    let (id, secret) = server.client_with_secret().await;
    let token = server.token(Some((&id, &secret)), GRANT).await.text_of("access_token");
    let (cold, cold_secret) = server.client_with_secret().await;
    assert_eq!(server.get("/-/check-up").await.status, 200);

    database.kill();
    assert_eq!(server.tokeninfo(&token).await.status, 200, "no store is asked about a token");
    assert_eq!(server.get("/-/healthz").await.status, 200);
    assert_eq!(server.get("/-/check-up").await.status, 503);
    let refused = server.token(Some((&cold, &cold_secret)), GRANT).await;
    assert_eq!((refused.status, refused.error()), (503, Some("temporarily_unavailable")));
    assert!(refused.header("retry-after").is_some());
    assert!(!refused.text.contains("127.0.0.1"), "the cause is not for the caller: {refused:?}");
    let register = server.register(serde_json::json!({ "client_name": "late" })).await;
    assert_eq!((register.status, register.error()), (503, Some("temporarily_unavailable")));

    database.start_again().await;
    let began = Instant::now();
    while server.token(Some((&cold, &cold_secret)), GRANT).await.status != 200 {
        assert!(began.elapsed() < PATIENCE, "it does not recover");
    }
    assert_eq!(server.get("/-/check-up").await.status, 200);
}

async fn the_server_starts_before_it_and_opens_when_it_is_there(kind: Kind) {
    let Some(database) = kind.alone().await else { return };
    database.kill();
    let keys = tempfile::tempdir().unwrap();
    let pem = signing_key().to_pem().unwrap();
    std::fs::write(keys.path().join("RS256-test.pem"), pem.as_bytes()).unwrap();
    let mut settings = settings();
    settings.signing_keys.folder = keys.path().to_owned();
    let bound = server::bind(&settings).unwrap();
    let url = format!("http://{}", bound.address().unwrap());
    let config = Config::of(settings, bound.address().unwrap().port()).unwrap();
    let store = open(&database.fresh_database());
    let clock = Arc::new(TestClock::default());
    let mut server = server::serve(bound, &config).unwrap();

    let http = reqwest::Client::new();
    let status = async |path: &str| http.get(format!("{url}{path}")).send().await.unwrap().status();
    let starting = Box::pin(server.start(config, &store, clock));
    let meanwhile = async {
        for (path, expected) in
            [("/-/healthz", 200), ("/-/ready", 503), ("/tokeninfo", 503), ("/auth", 503)]
        {
            assert_eq!(status(path).await, expected, "{path}");
        }
        database.start_again().await;
    };
    let (started, ()) = tokio::join!(starting, meanwhile);
    started.unwrap();
    assert_eq!(status("/-/ready").await, 200);
    server.stop().await;
}

/// What is known grows old. Nobody is proved by facts of more than ten seconds ago; how old they may
/// be to judge a token is the operator's to say.
async fn what_is_known_grows_old(kind: Kind) {
    let Some(database) = kind.alone().await else { return };
    let patient = Server::on(open(&database.fresh_database()), |_| ()).await;
    let strict = Server::on(open(&database.fresh_database()), |settings| {
        settings.storage.max_staleness = Some(Duration::from_secs(5));
    })
    .await;
    let (id, secret) = patient.client_with_secret().await;
    let basic = Some((id.as_str(), secret.as_str()));
    let token = patient.token(basic, GRANT).await.text_of("access_token");
    let (other, its_secret) = strict.client_with_secret().await;
    let others = strict.token(Some((&other, &its_secret)), GRANT).await.text_of("access_token");

    for server in [&strict, &patient] {
        server.app.feed.look().await.unwrap();
    }
    assert_eq!(patient.token(basic, GRANT).await.status, 200, "read again: it is new to the feed");
    let began = Instant::now();
    database.kill();
    assert_eq!(strict.tokeninfo(&others).await.status, 200, "what it knows is fresh");
    assert_eq!(patient.token(basic, GRANT).await.status, 200, "what it knows is fresh");
    let mut refused_after = None;
    loop {
        assert_eq!(patient.tokeninfo(&token).await.status, 200, "it has no limit");
        if refused_after.is_none() && strict.tokeninfo(&others).await.status == 503 {
            refused_after = Some(began.elapsed());
            let asked = strict.http.get(format!("{}/auth", strict.url)).bearer_auth(&others);
            let asked = asked.header("original-request-uri", "/");
            let asked = strict.send(asked.header("original-request-method", "GET")).await;
            assert_eq!((asked.status, asked.header("mia-allowed")), (503, Some("0")), "{asked:?}");
        }
        let issued = patient.token(basic, GRANT).await;
        if issued.status == 503 {
            assert_eq!(issued.error(), Some("temporarily_unavailable"));
            break;
        }
        assert_eq!(issued.status, 200, "{issued:?}");
        assert!(began.elapsed() < PATIENCE, "it goes on for ever");
    }
    assert!(began.elapsed() >= Duration::from_secs(9), "too soon: {:?}", began.elapsed());
    let refused_after = refused_after.unwrap();
    assert!(refused_after >= Duration::from_secs(4), "too soon: {refused_after:?}");
    let status = patient.get("/-/check-up").await;
    assert!(status.body["stale_seconds"].as_u64().unwrap() >= 9, "{status:?}");
    let metrics = patient.get("/-/metrics").await.text;
    let stale =
        metrics.lines().find_map(|line| line.strip_prefix("latchkey_feed_staleness_seconds "));
    assert!(stale.unwrap().parse::<f64>().unwrap() >= 9.0, "{stale:?}");

    database.start_again().await;
    let began = Instant::now();
    while strict.tokeninfo(&others).await.status != 200
        || patient.token(basic, GRANT).await.status != 200
    {
        assert!(began.elapsed() < PATIENCE, "it does not recover");
    }
}

/// Gateways ask about tokens and decisions, and wait. While the store says nothing, and nobody here
/// knows the client that asks, its token speaks for it; what administers waits for the store.
async fn questions_are_answered_while_it_is_silent(kind: Kind) {
    let Some(database) = kind.alone().await else { return };
    let (url, folder) = (database.fresh_database(), tempfile::tempdir().unwrap());
    let file = policy_in(folder.path());
    let issuing = Server::on(open(&url), |_| ()).await;
    let asked = Server::on(open(&url), |settings| settings.gateways.policy_file = Some(file)).await;
    let token = async |permissions: &[&str]| {
        let grants = serde_json::json!({ "permissions": permissions });
        issuing.token_of(&issuing.granted(grants).await).await
    };
    let may = token(&["latchkey:introspect", "latchkey:decide", "latchkey:clients:read"]).await;
    let may_not = token(&[]).await;
    let subject = token(&[]).await;
    asked.app.feed.look().await.unwrap();
    assert_eq!(asked.tokeninfo(&subject).await.status, 200, "it knows the key");

    let question = serde_json::json!({
        "subject": { "type": "client", "properties": { "access_token": subject } },
        "action": { "name": "GET" },
        "resource": { "type": "route", "id": "/items" },
    });
    let post = |path: &str| asked.http.post(format!("{}{path}", asked.url));
    let introspect = async |bearer: &str| {
        let request = post("/oauth/introspect").bearer_auth(bearer);
        let request = request.header("content-type", FORM);
        asked.send(request.body(format!("token={subject}"))).await
    };
    let decide = async |bearer: &str| {
        asked.send(post("/access/v1/evaluation").bearer_auth(bearer).json(&question)).await
    };
    database.kill();
    let began = Instant::now();
    let mut is_silent = false;
    while !is_silent {
        // Read first: what is asked after it is asked of a store of which nothing was heard for long.
        is_silent = asked.app.feed.staleness() >= Duration::from_secs(2);
        let (told, decided) = (introspect(&may).await, decide(&may).await);
        assert_eq!((told.status, &told.body["active"]), (200, &true.into()), "{told:?}");
        assert_eq!((decided.status, &decided.body["decision"]), (200, &true.into()), "{decided:?}");
        assert!(began.elapsed() < PATIENCE, "news come although it is away");
    }
    assert_eq!((introspect(&may_not).await.status, decide(&may_not).await.status), (403, 403));
    let listing = asked.http.get(format!("{}/clients", asked.url)).bearer_auth(&may);
    assert_eq!(asked.send(listing).await.status, 503);
}

#[actix_web::test]
async fn nx_27017_falls_silent() {
    questions_are_answered_while_it_is_silent(Kind::Nx27017).await;
}

#[actix_web::test]
async fn nx_27017_knows_only_what_it_knew() {
    what_is_known_grows_old(Kind::Nx27017).await;
}

#[actix_web::test]
async fn nx_27017_goes_away() {
    while_it_is_away_what_needs_it_answers_503_and_the_rest_goes_on(Kind::Nx27017).await;
}

#[actix_web::test]
async fn ferretdb_goes_away() {
    while_it_is_away_what_needs_it_answers_503_and_the_rest_goes_on(Kind::FerretDb).await;
}

#[actix_web::test]
async fn nx_27017_is_late() {
    the_server_starts_before_it_and_opens_when_it_is_there(Kind::Nx27017).await;
}

#[actix_web::test]
async fn ferretdb_is_late() {
    the_server_starts_before_it_and_opens_when_it_is_there(Kind::FerretDb).await;
}
