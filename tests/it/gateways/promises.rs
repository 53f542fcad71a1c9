//! What every gateway keeps: one table of requests, and what else callers try.

use std::time::{Duration, Instant};

use ::latchkey::domain::permission::Permission;
use latchkey::policy::{Format, Outcome, Policy, Principal, Request};

use super::caller::call;
use super::impostor::Impostor;
use super::{PATIENCE, POLICY, Setup};
use crate::harness::claims_of;

/// What an application may believe about who asks. One comes twice.
const IDENTITY: &[&str] = &[
    "X-Client-Id",
    "x-client-id",
    "X-Permissions",
    "X-Scope",
    "X-Audience",
    "X-Token-Id",
    "mia-allowed",
    "mia-userid",
    "mia-groups",
    "mia-userproperties",
    "miauserid",
    "miausergroups",
    "miauserproperties",
    "client-type",
    "isbackoffice",
];

/// By what an application could take a request for another one than was decided about.
const OVERRIDES: &[&str] = &[
    "X-HTTP-Method-Override",
    "X-HTTP-Method",
    "X-Method-Override",
    "X-Original-URL",
    "X-Rewrite-URL",
];

/// How a gateway could be told of another request than the one that is made.
const ANOTHER_REQUEST: &[(&str, &str)] = &[
    ("X-Original-URI", "/about"),
    ("X-Original-Method", "GET"),
    ("X-Forwarded-Uri", "/about"),
    ("X-Forwarded-Method", "GET"),
    ("Original-Request-Uri", "/about"),
    ("Original-Request-Method", "GET"),
    ("X_Original_URI", "/about"),
    ("X_Forwarded_Uri", "/about"),
];

/// What every gateway refuses, whatever it makes of it.
const REFUSED: &[&str] = &[
    "/orders/../admin",
    "/about/%2e%2e/admin",
    "/about/..%2fadmin",
    "/%61dmin",
    "/about/%252e%252e/orders",
    "/about/..;/admin",
    "/about/..\\admin",
    "/about/%00",
];

impl Setup {
    pub(super) async fn keeps_every_promise(&mut self) {
        self.lets_pass_what_may().await;
        self.fails_closed().await;
    }

    /// Waits until requests pass: gateways listen before they know where to.
    async fn opens(&self) {
        let good = self.latchkey.authorization();
        let headers = [("Authorization", &*good)];
        let began = Instant::now();
        while call(self.gateway.address, "GET /orders", &headers, b"").await.status != 200 {
            assert!(began.elapsed() < PATIENCE, "it stays closed");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.application.only();
    }

    pub(super) async fn decides_and_fails_closed(&mut self) {
        self.opens().await;
        self.decides().await;
        self.holds_large_tokens().await;
        let told: Vec<_> = self.manners.told.iter().map(|(name, _)| *name).collect();
        self.hands_on_nothing_invented(&told).await;
        self.drops_no_identity_for_the_caller().await;
        self.fails_closed().await;
    }

    pub(super) async fn lets_pass_what_may(&self) {
        self.opens().await;
        self.decides().await;
        self.holds_large_tokens().await;
        self.hands_on_nothing_invented(&[IDENTITY, OVERRIDES].concat()).await;
        self.drops_no_identity_for_the_caller().await;
        self.believes_no_request_but_the_one_made().await;
        self.forwards_what_was_decided_about().await;
        self.forwards_bodies().await;
    }

    async fn decides(&self) {
        let tokens = &self.latchkey.tokens;
        let seen = format!("Bearer {}", tokens.revoked);
        let headers = [("Authorization", &*seen)];
        assert_eq!(call(self.gateway.address, "GET /orders", &headers, b"").await.status, 200);
        self.application.only();
        self.latchkey.revoke().await;

        let tampered = tokens.good.replacen("eyJ", "eyK", 1);
        let [good, other, expired, revoked, tampered] =
            [&tokens.good, &tokens.other, &tokens.expired, &tokens.revoked, &tampered]
                .map(|token| format!("Bearer {token}"));
        let in_query = format!("GET /orders?access_token={}", tokens.good);
        #[rustfmt::skip]
        let cases: &[(&str, &[&str], &str, u16)] = &[
            // why                       Authorization         request              status
            ("no token",                 &[],                  "GET /orders/7",     401),
            ("no token, none needed",    &[],                  "GET /about/us?x=1", 200),
            ("a good token",             &[&good],             "GET /orders/7",     200),
            ("the same, by its query",   &[&good],             "GET /orders?a=%2F", 200),
            ("another permission",       &[&other],            "GET /orders",       403),
            ("one for other requests",   &[&good],             "PUT /admin/keys",   403),
            ("no rule for the method",   &[&good],             "DELETE /orders/7",  self.manners.no_rule),
            ("no rule for the path",     &[&good],             "GET /orders-old",   self.manners.no_rule),
            ("expired",                  &[&expired],          "GET /orders",       401),
            ("good until now, revoked",  &[&revoked],          "GET /orders",       self.manners.revoked),
            ("tampered with",            &[&tampered],         "GET /orders",       401),
            ("no token at all",          &["Bearer"],          "GET /orders",       401),
            ("in the query",             &[],                  &in_query,           401),
            ("another scheme",           &["Basic YTpi"],      "GET /orders",       401),
            ("two, the good one first",  &[&good, &other],     "GET /orders",       self.manners.two_tokens),
            ("two, the good one last",   &[&other, &good],     "GET /orders",       self.manners.two_tokens),
            ("the same twice",           &[&good, &good],      "GET /orders",       self.manners.two_tokens),
            ("two in one",               &[&format!("{good}, {good}")], "GET /orders", 401),
        ];
        for (why, authorization, request, status) in cases {
            let headers: Vec<_> = authorization.iter().map(|it| ("Authorization", *it)).collect();
            let answer = call(self.gateway.address, request, &headers, b"").await;
            assert_eq!(answer.status, *status, "{why}: {answer:?}");
            let challenge = answer.header("www-authenticate").unwrap_or_default();
            let challenged = challenge.starts_with("Bearer");
            assert!(*status == 403 || challenged == (*status == 401), "{why}: {challenge}");
            let reached = self.application.received().len();
            assert_eq!(reached, usize::from(*status == 200), "{why}");
        }
    }

    /// And the application is told of all that they say.
    async fn holds_large_tokens(&self) {
        for token in &self.latchkey.tokens.large {
            let authorization = format!("Bearer {token}");
            let headers = [("Authorization", &*authorization)];
            let answer = call(self.gateway.address, "GET /orders", &headers, b"").await;
            assert_eq!(answer.status, 200, "{} bytes: {answer:?}", token.len());
            let received = self.application.only();
            if self.manners.told.iter().any(|(name, _)| *name == "x-permissions") {
                let permissions = claims_of(token)["permissions"].as_array().unwrap().len();
                let told = received.header("x-permissions").unwrap_or_default();
                assert_eq!(told.split(',').count(), permissions, "{told}");
            }
        }
    }

    /// What the caller sends under these names is gone, also where there is nothing to say.
    async fn hands_on_nothing_invented(&self, names: &[&str]) {
        let names: Vec<_> = names.iter().flat_map(|name| spellings(name)).collect();
        let invented: Vec<_> = names.iter().map(|name| (&**name, "invented")).collect();
        let good = self.latchkey.authorization();
        for token in [None, Some(&*good)] {
            let token = token.map(|token| ("Authorization", token));
            let headers: Vec<_> = token.into_iter().chain(invented.clone()).collect();
            let path = if token.is_some() { "GET /orders" } else { "GET /about" };
            assert_eq!(call(self.gateway.address, path, &headers, b"").await.status, 200, "{path}");

            let received = self.application.only();
            assert!(!format!("{received:?}").contains("invented"), "{received:?}");
            for (name, claim) in self.manners.told {
                let expected = token.map(|_| self.latchkey.claim(claim)).unwrap_or_default();
                assert_eq!(received.header(name).unwrap_or_default(), expected, "{path}: {name}");
            }
            for (name, value) in self.manners.always {
                assert_eq!(received.header(name), Some(*value), "{path}: {name}");
            }
        }
    }

    /// Such a request may be refused. RFC 9110 §7.6.1 lets a caller name what is for one hop only.
    async fn drops_no_identity_for_the_caller(&self) {
        let good = self.latchkey.authorization();
        for (name, claim) in self.manners.told {
            let named = format!("close, {name}");
            let headers = [("Authorization", &*good), ("Connection", &named)];
            let answer = call(self.gateway.address, "GET /orders", &headers, b"").await;
            let received = self.application.received();
            assert_eq!(received.len(), usize::from(answer.status == 200), "{name}: {answer:?}");
            for received in received {
                assert_eq!(received.header(name).unwrap_or_default(), self.latchkey.claim(claim));
                assert!(!received.header("connection").unwrap_or_default().contains(name));
            }
        }
    }

    async fn believes_no_request_but_the_one_made(&self) {
        let good = self.latchkey.authorization();
        for (token, request, status) in [
            (None, "GET /orders", 401),
            (Some(&*good), "POST /admin", 403),
            (Some(&*good), "GET /orders", 200),
        ] {
            let token = token.map(|token| ("Authorization", token));
            let headers: Vec<_> = token.into_iter().chain(ANOTHER_REQUEST.to_vec()).collect();
            let answer = call(self.gateway.address, request, &headers, b"").await;
            assert_eq!(answer.status, status, "{request}");
            assert_eq!(self.application.received().len(), usize::from(status == 200), "{request}");
        }
    }

    async fn forwards_what_was_decided_about(&self) {
        let policy = Policy::read(POLICY, Format::Json).unwrap();
        let permissions: [Permission; 2] =
            ["read:orders", "write:orders"].map(|it| it.parse().unwrap());
        let principal = Some(Principal { permissions: &permissions, ..Principal::default() });
        let good = self.latchkey.authorization();
        let refused = REFUSED.iter().map(|sent| (*sent, None));
        for (sent, forwarded) in refused.chain(self.manners.paths.iter().copied()) {
            let headers = [("Authorization", &*good)];
            let answer = call(self.gateway.address, &format!("GET {sent}"), &headers, b"").await;
            let received = self.application.received();
            let received: Vec<_> = received.iter().map(|request| &*request.target).collect();
            assert_eq!(received, forwarded.into_iter().collect::<Vec<_>>(), "{sent}");
            assert_eq!(answer.status == 200, forwarded.is_some(), "{sent}: {}", answer.status);

            // Whatever the gateway made of it, the policy lets it pass.
            for path in received {
                let request = Request {
                    method: "GET",
                    path,
                    client_type: None,
                    backoffice: false,
                    principal,
                };
                let decision = policy.decide(&request);
                assert_eq!(decision.reason.outcome(), Outcome::Allowed, "{sent} became {path}");
            }
        }
    }

    async fn forwards_bodies(&self) {
        let good = self.latchkey.authorization();
        let body: Vec<u8> = (0..100_000).map(|i: u32| (i % 251) as u8).collect();
        let chunked =
            [format!("{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
        let answer = call(self.gateway.address, "POST /orders", &[], b"an order").await;
        assert_eq!((answer.status, self.application.received().len()), (401, 0), "no token");
        for (why, framing, sent) in [
            ("of known length", ("X-Framing", "none"), &body),
            ("in chunks", ("Transfer-Encoding", "chunked"), &chunked),
        ] {
            let headers = [("Authorization", &*good), framing];
            let answer = call(self.gateway.address, "POST /orders", &headers, sent).await;
            assert_eq!(answer.status, 200, "{why}");
            let received = self.application.only();
            assert_eq!((&*received.method, received.body == body), ("POST", true), "{why}");
        }
    }

    /// And opens again as soon as Latchkey is back.
    async fn fails_closed(&mut self) {
        let good = self.latchkey.authorization();
        let headers = [("Authorization", &*good)];
        self.latchkey.stop();
        for (why, answer) in [
            ("nobody listens", None),
            ("it never answers", Some(Impostor::SILENCE)),
            ("it hangs up", Some("")),
            (
                "it is in trouble",
                Some("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"),
            ),
            (
                "it sends elsewhere",
                Some("HTTP/1.1 500 No\r\nLocation: /about\r\nContent-Length: 0\r\n\r\n"),
            ),
            ("it speaks nonsense", Some("200 OK\r\n\r\n")),
        ] {
            let impostor = answer.map(|answer| Impostor::start(self.latchkey.asked, answer));
            let answer = call(self.gateway.address, "GET /orders", &headers, b"").await;
            assert!(self.manners.trouble.contains(&answer.status), "{why}: {}", answer.status);
            assert!(self.application.received().is_empty(), "{why}");
            if let Some(impostor) = impostor {
                impostor.end().await;
            }
        }

        self.latchkey.start_again();
        self.opens().await;
    }
}

/// A name, and what many applications take for it: with `_` for some of its dashes, or for all.
fn spellings(name: &str) -> Vec<String> {
    let mut parts = name.split('-');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(vec![first], |spelled, part| {
        spelled.iter().flat_map(|it| ["-", "_"].map(|dash| format!("{it}{dash}{part}"))).collect()
    })
}
