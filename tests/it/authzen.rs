//! OpenID AuthZEN, Authorization API 1.0: may this client do that?

use std::time::Duration;

use latchkey::policy::{Format, Policy};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::gateway_decisions::{Asked, POLICY, TABLE, policy_in};
use crate::harness::{Reply, Server, claims_of};

const ONE: &str = "/access/v1/evaluation";
const SEVERAL: &str = "/access/v1/evaluations";

/// A server with the policy of the core's table, and who may ask it.
struct Pdp {
    server: Server,
    caller: String,
    _policy: TempDir,
}

impl Pdp {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = policy_in(folder.path());
        let server = Server::with(|settings| settings.gateways.policy_file = Some(file)).await;
        let caller = decider(&server).await;
        Self { server, caller, _policy: folder }
    }

    async fn ask(&self, path: &str, question: &Value) -> Reply {
        let request = self.server.http.post(format!("{}{path}", self.server.url));
        self.server.send(request.bearer_auth(&self.caller).json(question)).await
    }

    /// The decision and its reason; the reason of a yes is empty.
    async fn decide(&self, question: &Value) -> (bool, String) {
        let reply = self.ask(ONE, question).await;
        assert_eq!(reply.status, 200, "{question}: {reply:?}");
        outcome(&reply.body)
    }

    async fn token(&self) -> String {
        self.server.token_of(&self.server.client_with_secret().await).await
    }
}

/// A token of a client that may ask, for five minutes.
async fn decider(server: &Server) -> String {
    let permissions = json!(["latchkey:decide"]);
    let (id, _) = server.granted(json!({ "permissions": permissions })).await;
    server.minted(&json!({ "permissions": permissions, "client_id": id, "sub": id }))
}

fn outcome(body: &Value) -> (bool, String) {
    let decision = body["decision"].as_bool().unwrap();
    assert_eq!(body.get("context").is_none(), decision, "{body}");
    (decision, body["context"]["reason"].as_str().unwrap_or_default().to_owned())
}

/// Whether a subject may see what everybody may see who has a good token.
fn about(subject: &Value) -> Value {
    json!({
        "subject": subject,
        "action": { "name": "GET" },
        "resource": { "type": "route", "id": "/items" },
    })
}

fn client(id: &str) -> Value {
    json!({ "type": "client", "id": id })
}

fn bearer(token: &str) -> Value {
    json!({ "type": "client", "properties": { "access_token": token } })
}

#[actix_web::test]
async fn s6_the_table_of_the_core() {
    let pdp = Pdp::start().await;
    let policy = Policy::read(POLICY, Format::Json).unwrap();
    for (why, words, _, _, _) in TABLE {
        let mut asked = Asked::of(words);
        if asked.anonymous {
            continue; // here nobody asks without a subject
        }
        let token = pdp.server.minted(&asked.claims());
        let mut question = json!({
            "subject": bearer(&token),
            "action": { "name": asked.method() },
            "resource": { "type": "route", "id": asked.path },
            "context": { "backoffice": asked.backoffice },
        });
        if let Some(kind) = &asked.client_type {
            question["context"]["client_type"] = kind.as_str().into();
        }
        let said = |asked: &Asked| match policy.decide(&asked.request()).reason.as_str() {
            "permitted" => (true, String::new()),
            reason => (false, reason.to_owned()),
        };
        assert_eq!(pdp.decide(&question).await, said(&asked), "{why}: by its token");

        let (id, _) = pdp.server.granted(asked.grants()).await;
        question["subject"] = client(&id);
        asked.client_id = Some(id);
        assert_eq!(pdp.decide(&question).await, said(&asked), "{why}: by its id");
    }
}

#[actix_web::test]
async fn s5_1_subjects() {
    let pdp = Pdp::start().await;
    let server = &pdp.server;
    let (known, _) = server.client_with_secret().await;
    let state = |id: &str, to: &str| (format!("/clients/{id}/state"), json!({ "stateTo": to }));
    let mut unpublished = Vec::new();
    for to in ["DRAFT", "TRASH"] {
        let (id, secret) = server.client_with_secret().await;
        let token = server.token_of(&(id.clone(), secret)).await;
        let (path, body) = state(&id, to);
        assert_eq!(server.admin_post(&path, &body).await.status, 204);
        unpublished.push((id, token));
    }
    let [(draft, ended), (trash, _)] = &unpublished[..] else { panic!() };
    let (good, revoked) = (pdp.token().await, pdp.token().await);
    let order = json!({ "jti": claims_of(&revoked)["jti"] });
    assert_eq!(server.admin_post("/revocations", &order).await.status, 200);
    let late = server.minted(&json!({ "exp": crate::harness::START }));
    let owner = claims_of(&good)["client_id"].as_str().unwrap().to_owned();
    let both = |id: &str, token: &str| json!({ "type": "client", "id": id, "properties": { "access_token": token } });

    #[rustfmt::skip]
    let cases = [
        // why                      subject                                             reason; empty: yes
        ("a client",                client(&known),                                     ""),
        ("properties are ignored",  json!({ "type": "client", "id": known, "properties": { "groups": ["admin"] } }), ""),
        ("unknown",                 client("nobody"),                                   "unknown_subject"),
        ("no id that can be",       client("a\u{e9}\n"),                                "unknown_subject"),
        ("empty",                   client(""),                                         "unknown_subject"),
        ("draft",                   client(draft),                                      "unknown_subject"),
        ("trash",                   client(trash),                                      "unknown_subject"),
        ("another type",            json!({ "type": "user", "id": known }),             "unknown_subject"),
        ("type in capitals",        json!({ "type": "Client", "id": known }),           "unknown_subject"),
        ("another type, a token",   json!({ "type": "user", "id": owner, "properties": { "access_token": good } }), "unknown_subject"),
        ("a token",                 bearer(&good),                                      ""),
        ("a token and its client",  both(&owner, &good),                                ""),
        ("another's token",         both(&known, &good),                                "other_client"),
        ("nobody's token",          both("nobody", &good),                              "other_client"),
        ("expired",                 bearer(&late),                                      "invalid_token"),
        ("revoked",                 bearer(&revoked),                                   "invalid_token"),
        ("its client went",         bearer(ended),                                      "invalid_token"),
        ("revoked, another's",      both(&known, &revoked),                             "invalid_token"),
        ("the token decides",       both(&known, "x"),                                  "invalid_token"),
        ("garbage",                 bearer("x"),                                        "invalid_token"),
        ("no token in it",          bearer(""),                                         "invalid_token"),
    ];
    for (why, subject, reason) in cases {
        let question = about(&subject);
        let expected = (reason.is_empty(), reason.to_owned());
        assert_eq!(pdp.decide(&question).await, expected, "{why}");
        // Of what is public too: nobody passes as somebody who is not there.
        let mut public = question.clone();
        public["resource"]["id"] = "/".into();
        assert_eq!(pdp.decide(&public).await, expected, "{why}, of what is public");
        let reply = pdp.ask(ONE, &question).await;
        assert!(!reply.text.contains(&good) && !reply.text.contains("nobody"), "{why}: {reply:?}");
    }
    assert_eq!(pdp.decide(&about(&client(&known))).await, (true, String::new()));
    let (path, body) = state(&known, "DRAFT");
    assert_eq!(server.admin_post(&path, &body).await.status, 204);
    let gone = (false, "unknown_subject".to_owned());
    assert_eq!(pdp.decide(&about(&client(&known))).await, gone, "at once");
}

#[actix_web::test]
async fn s5_2_resources_and_s5_3_actions() {
    let pdp = Pdp::start().await;
    let subject = client(&pdp.server.client_with_secret().await.0);
    #[rustfmt::skip]
    let cases = [
        // why                  resource                                         action               reason; empty: yes
        ("a route",             json!({ "type": "route", "id": "/items" }),      "GET",               ""),
        ("with its query",      json!({ "type": "route", "id": "/items?a=/b" }), "GET",               ""),
        ("with properties",     json!({ "type": "route", "id": "/items", "properties": { "a": 1 } }), "GET", ""),
        ("another type",        json!({ "type": "book", "id": "/items" }),       "GET",               "unknown_resource"),
        ("no path",             json!({ "type": "route", "id": "items" }),       "GET",               "path_refused"),
        ("empty",               json!({ "type": "route", "id": "" }),            "GET",               "path_refused"),
        ("no method",           json!({ "type": "route", "id": "/items" }),      "can_read",          "unknown_method"),
        ("an empty one",        json!({ "type": "route", "id": "/items" }),      "",                  "unknown_method"),
    ];
    for (why, resource, action, reason) in cases {
        let action = json!({ "name": action, "properties": { "soft": true } });
        let question =
            json!({ "subject": subject, "action": action, "resource": resource, "foo": [1] });
        assert_eq!(pdp.decide(&question).await, (reason.is_empty(), reason.to_owned()), "{why}");
    }
}

/// What is wrong with a question, as a change of a good one.
const MALFORMED: [(&str, &str, &str); 16] = [
    // member                              value                       what is said
    ("/subject", "null", "`subject` must be an object"),
    ("/subject", "\"svc\"", "`subject` must be an object"),
    ("/subject", "[\"client\", \"svc\"]", "`subject` must be an object"),
    ("/subject", "{ \"id\": \"svc\" }", "`subject.type` is missing"),
    ("/subject", "{ \"type\": \"client\" }", "`subject.id` is missing"),
    ("/subject", "{ \"type\": \"user\" }", "`subject.id` is missing"),
    ("/subject/id", "1", "`subject.id` must be a string"),
    ("/subject/properties", "[]", "`subject.properties` must be an object"),
    (
        "/subject/properties",
        "{ \"access_token\": 1 }",
        "`subject.properties.access_token` must be a string",
    ),
    ("/action", "{}", "`action.name` is missing"),
    ("/action/name", "123", "`action.name` must be a string"),
    ("/resource", "{ \"type\": \"route\" }", "`resource.id` is missing"),
    ("/resource/properties", "1", "`resource.properties` must be an object"),
    ("/context", "1", "`context` must be an object"),
    ("/context", "{ \"client_type\": true }", "`context.client_type` must be a string"),
    ("/context", "{ \"backoffice\": \"true\" }", "`context.backoffice` must be a boolean"),
];

fn malformed() -> impl Iterator<Item = (Value, &'static str)> {
    let changed = MALFORMED.iter().map(|(member, value, said)| {
        let mut question = about(&client("svc"));
        let (parent, name) = member.rsplit_once('/').unwrap();
        let value = serde_json::from_str(value).unwrap();
        question.pointer_mut(parent).unwrap()[name] = value;
        (question, *said)
    });
    let without = ["subject", "action", "resource"].into_iter().map(|name| {
        let mut question = about(&client("svc"));
        question.as_object_mut().unwrap().remove(name);
        let said = match name {
            "subject" => "`subject` is missing",
            "action" => "`action` is missing",
            _ => "`resource` is missing",
        };
        (question, said)
    });
    changed.chain(without)
}

#[actix_web::test]
async fn errors_of_the_whole_payload() {
    let pdp = Pdp::start().await;
    for (question, said) in malformed() {
        for path in [ONE, SEVERAL] {
            let reply = pdp.ask(path, &question).await;
            assert_eq!((reply.status, reply.error()), (400, Some("invalid_request")), "{question}");
            // The alphabet of RFC 6749 §5.2 has no place for what is quoted otherwise.
            assert_eq!(reply.text_of("error_description"), said, "{path}: {question}");
        }
    }
    let good = about(&client("svc")).to_string();
    let twice = good.replace("\"type\":\"client\"", "\"type\":\"client\",\"type\":\"client\"");
    let long = "x".repeat(70_000);
    #[rustfmt::skip]
    let cases = [
        // why               type                body                         status
        ("no JSON",          "application/json", "{",                         400),
        ("empty",            "application/json", "",                          400),
        ("no object",        "application/json", "[]",                        400),
        ("a member twice",   "application/json", twice.as_str(),              400),
        ("another type",     "text/plain",       good.as_str(),               415),
        ("too large",        "application/json", long.as_str(),               413),
    ];
    for (why, media_type, body, status) in cases {
        for path in [ONE, SEVERAL] {
            let request = pdp.server.http.post(format!("{}{path}", pdp.server.url));
            let request = request.bearer_auth(&pdp.caller).header("content-type", media_type);
            let reply = pdp.server.send(request.body(body.to_owned())).await;
            assert_eq!(reply.status, status, "{why}: {reply:?}");
        }
    }
}

#[actix_web::test]
async fn s7_several_questions() {
    let pdp = Pdp::start().await;
    let subject = client(&pdp.server.granted(json!({ "permissions": ["read:x"] })).await.0);
    let route = |path: &str| json!({ "type": "route", "id": path });
    let get = json!({ "name": "GET" });
    let (yes, no) = (route("/orders"), route("/items/7"));
    let batch = |semantic: &str, questions: Value| {
        json!({
            "subject": subject, "action": get, "evaluations": questions,
            "options": { "evaluations_semantic": semantic, "another": 1 },
        })
    };
    let mixed = json!([{ "resource": yes }, { "resource": no }, { "resource": yes }]);
    let begins_with_no = json!([{ "resource": no }, {}, { "resource": yes }, { "resource": no }]);
    let own = json!({ "subject": subject, "action": get, "resource": yes });
    let kind = json!({ "backoffice": false, "client_type": "web" });
    #[rustfmt::skip]
    let cases: [(&str, Value, &[bool]); 12] = [
        // why                          request                                                               decisions
        ("s7.1: no defaults",           json!({ "evaluations": [own, own] }),                                 &[true, true]),
        ("s7.1.1: defaults",            json!({ "subject": subject, "action": get, "resource": yes, "evaluations": [{}, { "resource": no }] }), &[true, false]),
        ("s7.1.1: an own action",       json!({ "subject": subject, "action": get, "resource": yes, "evaluations": [{ "action": { "name": "POST" } }, {}] }), &[false, true]),
        ("s7.1.1: a type by default",   json!({ "subject": subject, "action": get, "resource": { "type": "route" }, "evaluations": [{ "resource": { "id": "/orders" } }] }), &[true]),
        ("s7.1.1: a context",           json!({ "subject": subject, "action": get, "resource": route("/items/new/parts"), "context": kind, "evaluations": [{}, { "context": {} }] }), &[true, false]),
        ("s7.1.2: by default, all",     json!({ "subject": subject, "action": get, "evaluations": mixed }),   &[true, false, true]),
        ("s7.1.2: all",                 batch("execute_all", mixed.clone()),                                  &[true, false, true]),
        ("s7.1.2: to the first no",     batch("deny_on_first_deny", mixed.clone()),                           &[true, false]),
        ("s7.1.2: to the first yes",    batch("permit_on_first_permit", mixed.clone()),                       &[true]),
        ("s7.2.1: an error is a no",    batch("deny_on_first_deny", json!([{}, { "resource": yes }])),        &[false]),
        ("s7.2.1: and not the last",    batch("permit_on_first_permit", begins_with_no),                      &[false, false, true]),
        ("s7.2.1: of its kind",         batch("execute_all", json!([{ "resource": 1 }, 1, { "resource": yes }])), &[false, false, true]),
    ];
    for (why, request, decisions) in cases {
        let reply = pdp.ask(SEVERAL, &request).await;
        assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")), "{why}");
        let answers = reply.body["evaluations"].as_array().unwrap();
        let decided = answers.iter().map(|answer| answer["decision"].as_bool().unwrap());
        assert_eq!(decided.collect::<Vec<_>>(), decisions, "{why}: {reply:?}");
        assert!(reply.body.get("decision").is_none(), "{why}");
    }

    for (question, said) in malformed() {
        let reply = pdp.ask(SEVERAL, &json!({ "evaluations": [question, own] })).await;
        let [wrong, right] = &reply.body["evaluations"].as_array().unwrap()[..] else { panic!() };
        assert_eq!(*right, json!({ "decision": true }), "{question}");
        let error = json!({ "error": { "status": 400, "message": said } });
        assert_eq!(*wrong, json!({ "decision": false, "context": error }), "{question}");
    }

    // Without a question it is one itself.
    for questions in [Value::Null, json!([])] {
        let mut request = own.clone();
        if questions.is_array() {
            request["evaluations"] = questions;
        }
        assert_eq!(pdp.ask(SEVERAL, &request).await.body, json!({ "decision": true }));
    }

    let many = |count: usize| json!({ "evaluations": vec![json!({}); count] });
    #[rustfmt::skip]
    let refused = [
        ("no array",            json!({ "evaluations": {} }),                    "`evaluations` must be an array"),
        ("too many",            many(101),                                       "`evaluations` must be at most 100"),
        ("no options",          json!({ "evaluations": [own], "options": 1 }),   "`options` must be an object"),
        ("no such semantic",    batch("stop", json!([own])),                     "`options.evaluations_semantic` must be execute_all, deny_on_first_deny or permit_on_first_permit"),
    ];
    for (why, request, said) in refused {
        let reply = pdp.ask(SEVERAL, &request).await;
        assert_eq!(
            (reply.status, reply.text_of("error_description")),
            (400, said.to_owned()),
            "{why}"
        );
    }
    assert_eq!(pdp.ask(SEVERAL, &many(100)).await.status, 200);
}

#[actix_web::test]
async fn who_may_ask() {
    let pdp = Pdp::start().await;
    let server = &pdp.server;
    let held = |permission: &str| server.minted(&json!({ "permissions": [permission] }));
    #[rustfmt::skip]
    let cases = [
        // why                 token                                          status
        ("the permission",     Some(pdp.caller.clone()),                      200),
        ("an administrator",   Some(server.admin_token().await),              200),
        ("another permission", Some(held("latchkey:introspect")),             403),
        ("nearly",             Some(held("latchkey:decide2")),                403),
        ("expired",            Some(server.minted(&json!({ "exp": crate::harness::START, "permissions": ["latchkey:decide"] }))), 401),
        ("garbage",            Some("x".to_owned()),                          401),
        ("none",               None,                                          401),
    ];
    for (why, token, status) in cases {
        for path in [ONE, SEVERAL] {
            let mut request = server.http.post(format!("{}{path}", server.url));
            request = request.json(&about(&client("svc")));
            if let Some(token) = &token {
                request = request.bearer_auth(token);
            }
            let reply = server.send(request).await;
            assert_eq!(reply.status, status, "{why}: {reply:?}");
            assert_eq!(reply.header("www-authenticate").is_some(), status != 200, "{why}");
        }
    }
    server.clock.advance(Duration::from_secs(300));
    assert_eq!(pdp.ask(ONE, &about(&client("svc"))).await.status, 401, "its life is over");
}

#[actix_web::test]
async fn request_ids_are_echoed() {
    let pdp = Pdp::start().await;
    let good = about(&client("svc"));
    #[rustfmt::skip]
    let cases = [
        ("a decision",  &*pdp.caller, &good,      &["bfe9eb29"][..],  Some("bfe9eb29")),
        ("malformed",   &pdp.caller, &Value::Null, &["bfe9eb29"], Some("bfe9eb29")),
        ("no good",     "x",         &good,       &["bfe9eb29"],  Some("bfe9eb29")),
        ("none",        &pdp.caller, &good,       &[],            None),
        ("which one?",  &pdp.caller, &good,       &["a", "b"],    None),
    ];
    for (why, token, question, ids, echoed) in cases {
        for path in [ONE, SEVERAL] {
            let mut headers = HeaderMap::new();
            for id in ids {
                headers.append("x-request-id", id.parse().unwrap());
            }
            let request = pdp.server.http.post(format!("{}{path}", pdp.server.url));
            let request = request.bearer_auth(token).headers(headers).json(question);
            let reply = pdp.server.send(request).await;
            assert_eq!(reply.header("x-request-id"), echoed, "{why}: {reply:?}");
        }
    }
}

#[actix_web::test]
async fn s9_metadata() {
    #[rustfmt::skip]
    let cases = [
        // issuer                  prefix  where                                        the decision point         endpoints begin with
        ("https://pdp.test",       "",     "/.well-known/authzen-configuration",        "https://pdp.test",        "https://pdp.test"),
        ("https://pdp.test/m2m",   "",     "/.well-known/authzen-configuration/m2m",    "https://pdp.test/m2m",    "https://pdp.test/m2m"),
        ("https://pdp.test",       "/cc",  "/.well-known/authzen-configuration",        "https://pdp.test",        "https://pdp.test/cc"),
        ("console",                "/cc",  "/.well-known/authzen-configuration",        "http://localhost:",       "http://localhost:"),
    ];
    for (issuer, prefix, path, point, base) in cases {
        let server = Server::with(|settings| {
            settings.identity.issuer = Some(issuer.to_owned());
            settings.listen.service_prefix = prefix.parse().unwrap();
        })
        .await;
        let reply = server.get(path).await;
        assert_eq!(reply.status, 200, "{issuer}: {reply:?}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert!(reply.text_of("policy_decision_point").starts_with(point), "{issuer}: {reply:?}");
        for (member, route) in
            [("access_evaluation_endpoint", ONE), ("access_evaluations_endpoint", SEVERAL)]
        {
            let url = reply.text_of(member);
            assert!(url.starts_with(base), "{issuer}: {url}");
            assert!(url.ends_with(&format!("{prefix}{route}")), "{issuer}: {url}");
        }
        assert_eq!(reply.body.as_object().unwrap().len(), 3, "nothing else is offered");
    }
}

#[actix_web::test]
async fn without_a_policy_nothing_is_permitted() {
    let server = Server::start().await;
    let caller = decider(&server).await;
    let (id, _) = server.client_with_secret().await;
    for subject in [client(&id), bearer(&caller)] {
        let request = server.http.post(format!("{}{ONE}", server.url)).bearer_auth(&caller);
        let reply = server.send(request.json(&about(&subject))).await;
        assert_eq!(outcome(&reply.body), (false, "no_policy".to_owned()));
    }
}
