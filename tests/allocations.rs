//! What allocates nothing, and what costs no more than a few times what is usual. A program of its
//! own, because counting takes the place of the allocator.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use allocation_counter::{AllocationInfo, measure};
use clap::{Args, Command};
use latchkey::assembly::{App, OpenStore, assemble};
use latchkey::audit::{Action, Author, Origin};
use latchkey::clients::Inserted;
use latchkey::clients::authority::Authority;
use latchkey::clients::change::By;
use latchkey::clients::import::{Imported, Mode};
use latchkey::config::{self, Config, Settings, Switch};
use latchkey::domain::auth_method::AuthMethod;
use latchkey::domain::claims::AccessTokenClaims;
use latchkey::domain::client::Client;
use latchkey::domain::clock::SystemClock;
use latchkey::domain::id::ClientId;
use latchkey::domain::jwk::Algorithm;
use latchkey::domain::lists::ListLimits;
use latchkey::domain::permission::ADMIN;
use latchkey::domain::secret::ClientSecret;
use latchkey::oauth::authenticate::{CallerAddress, Presented};
use latchkey::oauth::error::OAuthError;
use latchkey::policy::expression::Expression;
use latchkey::policy::{Format, Outcome, Policy, Principal, Request};
use latchkey::store::MemoryStore;
use latchkey::web::form::Form;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::json;
use tokio::runtime::Runtime;

/// Each kind of term, and the one that decides at the very end.
fn expression() -> String {
    let many =
        (0..40).map(|n| format!("groups.g{n} && \"p{n}\" in permissions")).collect::<Vec<_>>();
    format!(
        "{} || [\"a\", \"b\"] in audience || clientType == \"web\" || clientId != 'svc' || \
         !(\"read\" in scope) || isBackoffice == true || (groups.a != groups.b) && false || \
         (permissions.a || scope.write)",
        many.join(" || ")
    )
}

#[test]
fn a_decision_allocates_nothing() {
    let grant = json!({ "authorization": { "expression": expression(), "public": true } });
    let rules = json!({ "ALL": grant });
    let policy =
        json!({ "/": rules, "/orders/{id}": rules, "/orders/new/*": rules, "/f/**": rules });
    let policy = Policy::read(&policy.to_string(), Format::Json).unwrap();
    let groups: Vec<_> = (0..20).map(|n| format!("g{n}")).collect();
    let permissions = ["read:x".parse().unwrap(), "x".parse().unwrap()];
    let audience = ["orders".parse().unwrap()];
    let writes = Principal {
        client_id: "svc",
        groups: &groups,
        permissions: &permissions,
        audience: &audience,
        scope: Some("read write"),
    };
    let reads = Principal { scope: Some("read"), ..writes };
    #[rustfmt::skip]
    let cases = [
        // why                  method   path                        who           outcome
        ("permitted",           "GET",   "/orders/7",                Some(writes), Outcome::Allowed),
        ("denied",              "GET",   "/orders/7",                Some(reads),  Outcome::Forbidden),
        ("nobody",              "PUT",   "/f/a/b/c",                 None,         Outcome::Allowed),
        ("two ways to go",      "GET",   "/orders/new/x/y",          Some(writes), Outcome::Allowed),
        ("a query",             "GET",   "/orders/7?x=%41",          Some(writes), Outcome::Allowed),
        ("a method of nobody",  "BREW",  "/orders/7",                Some(writes), Outcome::UnknownRoute),
        ("a path refused",      "GET",   "orders",                   Some(writes), Outcome::Forbidden),
    ];
    for (why, method, path, principal, outcome) in cases {
        let request =
            Request { method, path, client_type: Some("app"), backoffice: false, principal };
        let mut found = None;
        let made = measure(|| found = Some(policy.decide(&request).outcome()));
        assert_eq!((found, made.count_total), (Some(outcome), 0), "{why}");
    }
    // A path that must be decoded is copied; the expression is not what costs then.
    let request = Request {
        method: "GET",
        path: "/%6frders/7",
        client_type: None,
        backoffice: false,
        principal: Some(writes),
    };
    assert!(
        measure(|| assert_eq!(policy.decide(&request).outcome(), Outcome::Allowed)).count_total > 0
    );

    let expression: Expression = expression().parse().unwrap();
    for principal in [Some(writes), Some(reads), None] {
        let request = Request { principal, ..request };
        assert_eq!(measure(|| _ = expression.holds(&request)).count_total, 0, "{request:?}");
    }
}

/// How many times as much as an ordinary request the largest one that is allowed may allocate, and
/// how many times as many bytes.
const MULTIPLE: (u64, u64) = (20, 32);
const MOST: ListLimits = ListLimits::DEFAULT;

/// A server without listeners, and who asks it for tokens.
struct Asked {
    runtime: Runtime,
    app: App,
}

impl Asked {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let keys = tempfile::tempdir().unwrap();
        let command = Settings::augment_args(Command::new("test"));
        let flags = command.get_matches_from(["test"]);
        let mut settings = config::load(&flags, |_| None, None).unwrap().settings;
        settings.signing_keys.folder = keys.path().into();
        settings.signing_keys.algorithm = Algorithm::ES256;
        settings.clients.throttle = Switch::Off;
        settings.admin.client_id = Some("admin".to_owned());
        settings.admin.secret = Some("of the administrator".to_owned().into());
        let config = Config::of(settings, 1).unwrap();
        let store = OpenStore::Memory(Arc::new(MemoryStore::default()));
        let clock = Arc::new(SystemClock);
        let (app, _) = runtime.block_on(assemble(config, &store, clock)).unwrap();
        Self { runtime, app }
    }

    /// A client that may ask for so much of everything.
    fn client(&self, id: &str, granted: ListLimits) -> (String, ClientSecret) {
        let now = self.app.clock.now();
        let id: ClientId = id.parse().unwrap();
        let mut client = Client::new(id.clone(), "svc".to_owned(), AuthMethod::default(), now);
        client.audience = words("a", granted.audiences).map(|it| it.parse().unwrap()).collect();
        client.scope = words("s", granted.scopes).collect::<Vec<_>>().join(" ").parse().unwrap();
        client.permissions =
            words("p", granted.permissions).map(|it| it.parse().unwrap()).collect();
        client.groups = words("g", granted.groups).collect();
        let secret = self.runtime.block_on(async {
            let (secret, stored) = self.app.clients.secrets.make(&id, now).unwrap();
            client.secrets = vec![stored];
            let pair = (None, Some(&client));
            let author = Author::server();
            let record =
                self.app.clients.recorder.change(&author, Action::ClientCreated, pair, now);
            let inserted =
                self.app.clients.repository.insert(&client, &record.unwrap()).await.unwrap();
            assert_eq!(inserted, Inserted::Yes);
            secret
        });
        (id.to_string(), secret)
    }

    /// What the token endpoint does with a form.
    fn ask(&self, who: &(String, ClientSecret), form: &str) -> Result<String, OAuthError> {
        let presented = Presented::Secret { client_id: who.0.clone(), secret: who.1.clone() };
        let caller = CallerAddress { address: IpAddr::V4(Ipv4Addr::LOCALHOST), is_shared: false };
        self.runtime.block_on(async {
            let (now, limits) = (self.app.clock.now(), &self.app.tokens.issuer.rules.lists);
            let form = Form::parse(form.as_bytes(), limits)?;
            let client =
                self.app.tokens.authenticator.authenticate(&presented, caller, now).await?;
            let issued = self.app.tokens.issuer.issue(&client, form.token_request(limits)?, now)?;
            Ok(issued.access_token)
        })
    }

    /// The same, and what it allocates.
    fn cost(&self, who: &(String, ClientSecret), form: &str) -> (AllocationInfo, Option<String>) {
        let mut outcome = None;
        let made = measure(|| outcome = Some(self.ask(who, form)));
        (made, outcome.unwrap().err().map(|error| error.code().as_str().to_owned()))
    }
}

fn words(prefix: &str, count: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |n| format!("{prefix}{n}"))
}

fn form(audiences: usize, scopes: usize) -> String {
    let joined = |prefix, count| words(prefix, count).collect::<Vec<_>>().join("+");
    format!("audience={}&scope={}", joined("a", audiences), joined("s", scopes))
}

#[test]
fn no_token_request_costs_more_than_a_few_ordinary_ones() {
    let asked = Asked::new();
    let usual = ListLimits { audiences: 2, scopes: 3, permissions: 5, groups: 2 };
    let usual = asked.client("usual", usual);
    let large = asked.client("large", MOST);
    let wrong = ("large".to_owned(), ClientSecret::from("wrong".to_owned()));
    for who in [&usual, &large] {
        asked.cost(who, ""); // the first time, everything is looked up and checked
    }
    let (ordinary, refused) = asked.cost(&usual, &form(1, 2));
    assert_eq!(refused, None);
    let at_most = |made: &AllocationInfo, why: &str, form: &str| {
        let (count, bytes) = (made.count_total, made.bytes_total);
        let most = MULTIPLE.0 * ordinary.count_total;
        // What was sent is copied, decoded.
        let most_bytes = MULTIPLE.1 * ordinary.bytes_total + 2 * form.len() as u64;
        assert!(
            count <= most && bytes <= most_bytes,
            "{why}: {count} ({most}), {bytes} ({most_bytes})"
        );
    };

    let largest = form(MOST.audiences, MOST.scopes);
    let (made, refused) = asked.cost(&large, &largest);
    assert_eq!(refused, None);
    at_most(&made, "the largest that is allowed", &largest);
    // A body of 64 KiB, by callers that have proved nothing, and by those that have.
    for (why, form, who, error) in [
        ("audiences of nobody", form(9_000, 0), &wrong, "invalid_client"),
        ("scopes of nobody", form(0, 9_000), &wrong, "invalid_client"),
        ("parameters of nobody", "x=&".repeat(20_000), &wrong, "invalid_request"),
        ("audiences", form(9_000, 0), &large, "invalid_target"),
        ("scopes", form(0, 9_000), &large, "invalid_scope"),
        ("audiences, each by itself", "audience=a&".repeat(6_000), &large, "invalid_request"),
    ] {
        let (made, refused) = asked.cost(who, &form);
        assert_eq!(refused.as_deref(), Some(error), "{why}");
        at_most(&made, why, &form);
    }

    let mut runner = TestRunner::deterministic();
    let sizes = (0..=2 * MOST.audiences, 0..=2 * MOST.scopes, 0..100_usize, any::<bool>());
    let property = |(audiences, scopes, others, proved): (usize, usize, usize, bool)| {
        let others = words("&x", others).map(|it| it + "=1").collect::<Vec<_>>().concat();
        let who = if proved { &large } else { &wrong };
        let form = form(audiences, scopes) + &others;
        let (made, _) = asked.cost(who, &form);
        at_most(&made, "whatever is asked", &form);
        Ok(())
    };
    runner.run(&sizes, property).unwrap();
}

/// Counted is what the thread allocates that asks: judging is for another one.
/// With that, 64 MiB hold some 50,000 tokens signed RS256.
#[test]
fn a_token_that_was_seen_takes_600_bytes_beside_its_text() {
    const TOKENS: usize = 2000;
    let asked = Asked::new();
    let granted = ListLimits { audiences: 1, scopes: 2, permissions: 3, groups: 0 };
    let who = asked.client("9f86d081884c7d659a2feaa0c55ad015", granted);
    let tokens: Vec<String> = (0..TOKENS).map(|_| asked.ask(&who, "").unwrap()).collect();
    let text: usize = tokens.iter().map(String::len).sum();
    let now = asked.app.clock.now();
    let judge = |token| asked.runtime.block_on(asked.app.tokens.judge.judge(token, now)).unwrap();
    let made = measure(|| tokens.iter().for_each(|token| drop(judge(token))));
    let kept = usize::try_from(made.bytes_current).unwrap();
    let each = (kept - text) / TOKENS;
    assert!((300..=600).contains(&each), "{each} bytes each");
}

#[test]
fn an_import_is_judged_on_a_thread_that_serves_nobody() {
    const BROUGHT: usize = 100;
    let Asked { runtime, app } = Asked::new();
    let list = |prefix, count| words(prefix, count).collect::<Vec<_>>();
    let brought = |n| {
        json!({
            "clientId": format!("svc{n}"), "permissions": list("p", MOST.permissions),
            "groups": list("g", MOST.groups), "audience": list("a", MOST.audiences),
        })
    };
    let documents: Vec<_> = (0..BROUGHT).map(brought).collect();
    let claims = json!({
        "iss": "me", "sub": "admin", "client_id": "admin", "exp": 2, "iat": 1, "jti": "j",
        "permissions": [ADMIN],
    });
    let claims: AccessTokenClaims = serde_json::from_value(claims).unwrap();
    let authority = Authority::bearer(&claims, ADMIN, Origin::default()).unwrap();
    let by = By { authority: &authority, now: app.clock.now() };

    let mut results = Vec::new();
    let made = measure(|| {
        results = runtime
            .block_on(app.clients.import(by, documents, Mode::Try, &app.tokens.issuer))
            .unwrap();
    });

    assert!(results.len() == BROUGHT && results.iter().all(Imported::is_new), "{results:?}");
    let each = made.count_total / BROUGHT as u64;
    assert!(each < 64, "{each} allocations for each, of lists of hundreds");
}
