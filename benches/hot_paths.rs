//! What a user pays for: authenticating, sealing, opening, deciding.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on must fail")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use latchkey::assembly::{App, OpenStore, assemble};
use latchkey::audit::Origin;
use latchkey::clients::Registered;
use latchkey::clients::new_client::NewClient;
use latchkey::config::{self, Config, Settings, Switch};
use latchkey::domain::clock::SystemClock;
use latchkey::domain::jwk::Algorithm;
use latchkey::domain::revocation::{Revocation, Revoked};
use latchkey::oauth::authenticate::{AuthenticatedClient, CallerAddress, Presented};
use latchkey::oauth::token::TokenRequest;
use latchkey::policy::{Format, Outcome, Policy, Principal, Request};
use latchkey::store::MemoryStore;
use serde_json::json;
use tokio::runtime::Runtime;

const CALLER: CallerAddress =
    CallerAddress { address: IpAddr::V4(Ipv4Addr::LOCALHOST), is_shared: false };

/// An app with its own key, on a store in memory.
fn app(runtime: &Runtime, algorithm: Algorithm) -> App {
    let command = <Settings as clap::Args>::augment_args(clap::Command::new("bench"));
    let flags = command.get_matches_from(["bench"]);
    let keys = tempfile::tempdir().unwrap();
    let mut settings = config::load(&flags, |_| None, None).unwrap().settings;
    keys.path().clone_into(&mut settings.signing_keys.folder);
    settings.signing_keys.algorithm = algorithm;
    settings.clients.throttle = Switch::Off;
    let store = OpenStore::Memory(Arc::new(MemoryStore::default()));
    let clock = Arc::new(SystemClock);
    let config = Config::of(settings, 8080).unwrap();
    runtime.block_on(assemble(config, &store, clock)).unwrap().0
}

fn client(runtime: &Runtime, app: &App) -> Registered {
    let new = NewClient { name: "bench".to_owned(), ..NewClient::default() };
    runtime.block_on(app.clients.register(new, Origin::default(), app.clock.now())).unwrap()
}

fn by_secret(registered: &Registered) -> Presented {
    Presented::Secret {
        client_id: registered.client.id.to_string(),
        secret: registered.secret.clone().unwrap(),
    }
}

fn prove(runtime: &Runtime, app: &App, presented: &Presented) -> AuthenticatedClient {
    runtime
        .block_on(app.tokens.authenticator.authenticate(presented, CALLER, app.clock.now()))
        .unwrap()
}

fn hot_paths(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    for algorithm in [Algorithm::RS256, Algorithm::EdDSA] {
        let app = app(&runtime, algorithm);
        let registered = client(&runtime, &app);
        let presented = by_secret(&registered);
        let proved = prove(&runtime, &app, &presented);
        let issue =
            || app.tokens.issuer.issue(&proved, TokenRequest::default(), app.clock.now()).unwrap();

        criterion.bench_function(&format!("seal a token, {algorithm}"), |bench| {
            bench.iter(|| black_box(issue()));
        });
        criterion.bench_function(&format!("open a token not seen before, {algorithm}"), |bench| {
            bench.iter_batched(
                || issue().access_token,
                |token| runtime.block_on(app.tokens.judge.judge(&token, app.clock.now())).unwrap(),
                criterion::BatchSize::SmallInput,
            );
        });
        let seen = issue().access_token;
        criterion.bench_function(&format!("open a token seen before, {algorithm}"), |bench| {
            bench
                .iter(|| runtime.block_on(app.tokens.judge.judge(&seen, app.clock.now())).unwrap());
        });
        if algorithm == Algorithm::RS256 {
            criterion.bench_function("authenticate by a secret seen before", |bench| {
                bench.iter(|| prove(&runtime, &app, &presented));
            });
            let wrong = Presented::Secret {
                client_id: registered.client.id.to_string(),
                secret: format!("{}x", registered.secret.as_ref().unwrap().reveal()).into(),
            };
            criterion.bench_function("refuse a secret by its checksum", |bench| {
                bench.iter(|| {
                    let refused =
                        app.tokens.authenticator.authenticate(&wrong, CALLER, app.clock.now());
                    runtime.block_on(refused).unwrap_err()
                });
            });
        }
    }
}

/// What is asked at every use of a token, with few and with many revocations held.
fn revocations(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let app = app(&runtime, Algorithm::EdDSA);
    let registered = client(&runtime, &app);
    let proved = prove(&runtime, &app, &by_secret(&registered));
    let now = app.clock.now();
    let token =
        app.tokens.issuer.issue(&proved, TokenRequest::default(), now).unwrap().access_token;
    let until = app.health.revocations.horizon(now);
    for held in [0, 1_000, 1_000_000] {
        for number in app.health.revocations.len()..held {
            let revoked = Revoked::Token { jti: format!("{number:022}") };
            app.health.revocations.add(&Revocation { revoked, until });
        }
        criterion.bench_function(&format!("judge a token, {held} revocations held"), |bench| {
            bench.iter(|| runtime.block_on(app.tokens.judge.judge(&token, now)).unwrap());
        });
    }
}

/// A policy of that many paths, the first ten of which are those of every other such policy.
fn policy(paths: usize) -> Policy {
    let rules = (0..paths).map(|n| {
        let expression = format!("groups.admin || permissions[\"read:{n}\"]");
        let grant = json!({ "authorization": { "expression": expression, "public": false } });
        (format!("/service{n}/orders/{{id}}"), json!({ "GET": grant }))
    });
    let text = serde_json::Value::Object(rules.collect()).to_string();
    Policy::read(&text, Format::Json).unwrap()
}

fn decisions(criterion: &mut Criterion) {
    let permissions = [0, 3, 9].map(|n| format!("read:{n}").parse().unwrap());
    let principal = Principal { permissions: &permissions, ..Principal::default() };
    let paths: Vec<_> = (0..10).map(|n| format!("/service{n}/orders/{n}?x=1")).collect();
    for size in [10, 10_000] {
        let policy = policy(size);
        criterion.bench_function(&format!("decision, {size} rules, ten requests"), |bench| {
            bench.iter(|| {
                let requests = paths.iter().map(|path| Request {
                    method: "GET",
                    path: black_box(path),
                    client_type: None,
                    backoffice: false,
                    principal: Some(principal),
                });
                let allowed = requests
                    .filter(|request| policy.decide(request).outcome() == Outcome::Allowed)
                    .count();
                assert_eq!(allowed, 3);
            });
        });
    }
}

criterion_group!(benches, hot_paths, revocations, decisions);
criterion_main!(benches);
