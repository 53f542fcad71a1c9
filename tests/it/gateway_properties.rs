//! What is true of every policy, path and expression.

use std::collections::BTreeSet;

use latchkey::domain::permission::Permission;
use latchkey::policy::expression::{Condition, Expression, List, Text};
use latchkey::policy::routes::Routes;
use latchkey::policy::{Format, Policy, Principal, Request, RequestPath};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

const NAMES: [&str; 5] = ["a", "b", "read:x", "it's \"é\"\\", "x-y"];

fn name() -> impl Strategy<Value = Box<str>> {
    select(&NAMES[..]).prop_map(Box::from)
}

fn term() -> impl Strategy<Value = Condition> {
    let list = select(&List::ALL[..]);
    let text = select(&Text::ALL[..]);
    prop_oneof![
        any::<bool>().prop_map(Condition::Constant),
        Just(Condition::IsBackoffice),
        (list, vec(name(), 1..4)).prop_map(|(list, names)| Condition::Includes(list, names.into())),
        (text.clone(), name()).prop_map(|(text, value)| Condition::Is(text, value)),
        (text, name()).prop_map(|(text, value)| Condition::IsNot(text, value)),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    term().prop_recursive(5, 40, 4, |inner| {
        let pair = [inner.clone(), inner.clone()];
        prop_oneof![
            inner.clone().prop_map(|inner| Condition::Not(Box::new(inner))),
            pair.clone().prop_map(|pair| Condition::Same(Box::new(pair))),
            pair.prop_map(|pair| Condition::Differ(Box::new(pair))),
            vec(inner.clone(), 2..4).prop_map(|parts| Condition::All(parts.into())),
            vec(inner, 2..4).prop_map(|parts| Condition::Any(parts.into())),
        ]
    })
}

/// What a request borrows from.
#[derive(Clone, Debug)]
struct Known {
    groups: Vec<String>,
    permissions: Vec<Permission>,
    client: &'static str,
    client_type: Option<&'static str>,
    backoffice: bool,
    anonymous: bool,
}

impl Known {
    fn request<'a>(&'a self, method: &'a str, path: &'a str) -> Request<'a> {
        let principal = Principal {
            client_id: self.client,
            groups: &self.groups,
            permissions: &self.permissions,
            audience: &[],
            scope: self.groups.first().map(String::as_str),
        };
        Request {
            client_type: self.client_type,
            backoffice: self.backoffice,
            principal: (!self.anonymous).then_some(principal),
            ..Request::new(method, path)
        }
    }
}

fn known() -> impl Strategy<Value = Known> {
    let some = || proptest::sample::subsequence(&NAMES[..], 0..=NAMES.len());
    let one = || select(&NAMES[..]);
    (some(), some(), one(), proptest::option::of(one()), any::<bool>(), any::<bool>()).prop_map(
        |(groups, permissions, client, client_type, backoffice, anonymous)| Known {
            groups: groups.into_iter().map(str::to_owned).collect(),
            permissions: permissions.into_iter().map(|name| name.parse().unwrap()).collect(),
            client,
            client_type,
            backoffice,
            anonymous,
        },
    )
}

/// Texts of the pieces that matter, and of anything else.
fn text_of(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    let piece = prop_oneof![9 => select(pieces).prop_map(str::to_owned), 1 => any::<String>()];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

const PATH_PIECES: &[&str] = &[
    "/", "/", "/", "a", "b", ".", "..", ";x", "%2e", "%2F", "%2f", "%25", "%5c", "%00", "%C3%A9",
    "%ff", "%3F", "%23", "é", "?", "#", "\\", "%", " ", "+", "*", "{", "}",
];

const EXPRESSION_PIECES: &[&str] = &[
    "true",
    "false",
    "groups",
    "permissions",
    "audience",
    "scope",
    "clientType",
    "clientId",
    "isBackoffice",
    "in",
    ".",
    "[",
    "]",
    ",",
    "\"",
    "'",
    "\\",
    "a",
    "(",
    ")",
    "!",
    "==",
    "!=",
    "&&",
    "||",
    " ",
    "\n",
];

fn segment() -> impl Strategy<Value = &'static str> {
    select(&["a", "b", "c", "{x}", "*"][..])
}

fn patterns() -> impl Strategy<Value = BTreeSet<String>> {
    let pattern = (vec(segment(), 0..4), any::<bool>()).prop_map(|(segments, rest)| {
        let rest = rest.then_some("**");
        format!("/{}", segments.into_iter().chain(rest).collect::<Vec<_>>().join("/"))
    });
    btree_set(pattern, 1..8)
}

/// Which pattern decides, found the slow way: by comparing all.
fn by_comparing<'a>(patterns: &'a BTreeSet<String>, path: &str) -> Option<&'a str> {
    let split = |path: &'a str| path.split('/').filter(|s| !s.is_empty()).collect::<Vec<_>>();
    let path: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let covers = |pattern: &str| {
        let segments: Vec<_> = pattern.split('/').filter(|s| !s.is_empty() && *s != "**").collect();
        segments.len() <= path.len()
            && segments.iter().zip(&path).all(|(s, p)| s == p || ["{x}", "*"].contains(s))
    };
    let rank = |pattern: &'a str| {
        let segments: Vec<_> = split(pattern).into_iter().filter(|s| *s != "**").collect();
        let kinds = segments.iter().map(|s| match *s {
            "{x}" => 1,
            "*" => 0,
            _ => 2,
        });
        // Of `/a` and `/a/**`, the first decides `/a` itself and the second what is below.
        let exact = segments.len() == path.len();
        (segments.len(), kinds.collect::<Vec<_>>(), pattern.ends_with("**") != exact)
    };
    patterns.iter().map(String::as_str).filter(|p| covers(p)).max_by_key(|p| rank(p))
}

fn rule(condition: &Condition, public: bool) -> Value {
    json!({ "ALL": { "authorization": { "expression": condition.to_string(), "public": public } } })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn normalising_twice_is_once(target in text_of(PATH_PIECES)) {
        if let Ok(path) = RequestPath::normalise(&target) {
            let again = RequestPath::normalise(path.as_str());
            prop_assert_eq!(again.as_ref(), Ok(&path));
            prop_assert!(path.as_str().starts_with('/') && !path.as_str().contains(['?', '#', '\\']));
            let dots = path.as_str().split('/').any(|segment| matches!(segment, "." | ".."));
            prop_assert!(!dots && !path.as_str().contains("//"), "{}", path);
        }
    }

    #[test]
    fn printing_and_parsing_gives_the_same(condition in condition(), known in known()) {
        let parsed: Expression = condition.to_string().parse().unwrap();
        prop_assert_eq!(parsed.condition(), &condition);
        let parsed_again: Expression = parsed.condition().to_string().parse().unwrap();
        let request = known.request("GET", "/");
        prop_assert_eq!(parsed_again.holds(&request), parsed.holds(&request));
    }

    #[test]
    fn not_is_the_contrary(condition in condition(), known in known()) {
        let plain: Expression = condition.to_string().parse().unwrap();
        let negated: Expression = format!("!({condition})").parse().unwrap();
        let request = known.request("GET", "/");
        prop_assert_eq!(negated.holds(&request), !plain.holds(&request));
    }

    #[test]
    fn any_text_is_an_expression_or_an_error_with_a_place(text in text_of(EXPRESSION_PIECES)) {
        match text.parse::<Expression>() {
            Err(error) => {
                prop_assert!(error.character() <= text.chars().count() + 1);
                prop_assert!(error.to_string().contains('^'));
            }
            Ok(parsed) => {
                let again: Expression = parsed.condition().to_string().parse().unwrap();
                prop_assert_eq!(again.condition(), parsed.condition());
            }
        }
    }

    #[test]
    fn what_decides_is_of_the_right_value(condition in condition(), known in known()) {
        let parsed: Expression = condition.to_string().parse().unwrap();
        let request = known.request("GET", "/");
        let deciding = parsed.condition().deciding(&request);
        prop_assert!(!deciding.is_empty());
        for part in deciding {
            let term: Expression = part.term.to_string().parse().unwrap();
            prop_assert_eq!(term.holds(&request), part.value);
        }
    }

    #[test]
    fn the_tree_finds_what_comparing_finds(
        patterns in patterns(),
        path in vec(select(&["a", "b", "c", "d"][..]), 0..5),
    ) {
        let path = format!("/{}", path.join("/"));
        let mut routes = Routes::default();
        for pattern in &patterns {
            routes.insert(pattern, pattern.as_str()).unwrap();
        }
        prop_assert_eq!(routes.find(&path).copied(), by_comparing(&patterns, &path));
    }

    #[test]
    fn the_order_of_rules_does_not_matter(
        patterns in patterns(),
        conditions in vec((condition(), any::<bool>()), 8),
        known in known(),
        path in text_of(&["/", "/a", "/b", "/c", "/d", "/.."]),
        method in select(&["GET", "POST", "TRACE"][..]),
    ) {
        let rules: Vec<_> = patterns.iter().zip(&conditions)
            .map(|(pattern, (condition, public))| (pattern.clone(), rule(condition, *public)))
            .collect();
        let read = |rules: &mut dyn Iterator<Item = (String, Value)>| {
            let text = Value::Object(rules.collect::<Map<_, _>>()).to_string();
            Policy::read(&text, Format::Json).unwrap()
        };
        let forth = read(&mut rules.iter().cloned());
        let back = read(&mut rules.iter().cloned().rev());
        let request = known.request(method, &path);
        let (one, other) = (forth.explain(&request), back.explain(&request));
        prop_assert_eq!(one.decision.reason, other.decision.reason);
        prop_assert_eq!(one.covered_by, other.covered_by);
        prop_assert_eq!(forth.decide(&request).reason, one.decision.reason);
    }

    #[test]
    fn no_policy_text_is_a_panic(text in text_of(&[
        "{", "}", ":", ",", "\"/a\"", "\"GET\"", "\"authorization\"", "\"expression\"", "\"true\"",
        "\"public\"", "true", "\n", " ", "- ", "/a: ", "GET: ", "&x ", "*x", "!", "|", "\"",
    ])) {
        for format in [Format::Json, Format::Yaml] {
            if let Err(error) = Policy::read(&text, format) {
                prop_assert!(!error.problem.is_empty());
            }
        }
    }
}
