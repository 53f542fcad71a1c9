//! What allocates nothing. A program of its own, because counting takes the place of the allocator.

use allocation_counter::measure;
use latchkey::gateway::expression::{Expression, Facts};
use latchkey::gateway::{Format, Outcome, Policy, Principal, Request};
use serde_json::json;

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
    let facts =
        [request.facts(), Facts { principal: Some(reads), ..request.facts() }, Facts::default()];
    for facts in facts {
        assert_eq!(measure(|| _ = expression.holds(&facts)).count_total, 0, "{facts:?}");
    }
}
