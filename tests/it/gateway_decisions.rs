//! The decision of gateways: one policy, one table of requests. The table is asked of the core, of
//! its explanation and of `latchkey policy explain`; elsewhere, over gRPC and of AuthZEN.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use latchkey::domain::audience::Audience;
use latchkey::domain::permission::Permission;
use latchkey::policy::{Format, Outcome, Policy, Principal, Request};
use serde_json::{Value, json};

pub(crate) const POLICY: &str = r#"{
  "/":               { "GET": { "authorization": { "expression": "true", "public": true } },
                       "POST": { "authorization": { "expression": "false", "public": false } } },
  "/orders":         { "GET": { "authorization": { "expression": "permissions[\"read:x\"]", "public": false } } },
  "/items":          { "ALL": { "authorization": { "expression": "true", "public": false } },
                       "DELETE": { "authorization": { "expression": "groups.admin", "public": false } } },
  "/items/{id}":     { "GET": { "authorization": { "expression": "[\"a\", \"b\"] in groups", "public": false } } },
  "/items/new":      { "GET": { "authorization": { "expression": "\"c\" in groups", "public": false } } },
  "/items/*/parts":  { "GET": { "authorization": { "expression": "clientType == \"web\"", "public": true } } },
  "/files/**":       { "GET": { "authorization": { "expression": "!(permissions.banned)", "public": false } } },
  "/key":            { "GET": { "authorization": { "expression": "groups.foo || clientType==\"bar\"", "public": true } } },
  "/office":         { "GET": { "authorization": { "expression": "groups.staff", "public": false },
                                "backofficeAuthorization": { "expression": "groups.clerk", "public": false } },
                       "PUT": { "backofficeAuthorization": { "expression": "true", "public": false } },
                       "POST": { "authorization": { "expression": "groups.admin && isBackoffice", "public": false } } },
  "/ours":           { "GET": { "authorization": { "expression": "\"api\" in audience && scope.read && clientId != \"evil\"", "public": false } },
                       "POST": { "authorization": { "expression": "(groups.a == groups.b) != (clientId == \"svc\")", "public": false } },
                       "PUT": { "authorization": { "expression": "[\"write:o\",\"view:o\"] in permissions", "public": false } } }
}"#;

/// Why, the request as the command takes it, the reason, the rule, and the terms that decided.
pub(crate) type Row =
    (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

#[rustfmt::skip]
pub(crate) const TABLE: &[Row] = &[
    // M-13
    ("M-13: permission",                           "--path /orders?x=1 --permission read:x",                     "permitted",               "/orders GET",              &["permissions[\"read:x\"] is true"]),
    ("M-13: another permission",                   "--path /orders?x=1 --permission read:y",                     "not_permitted",           "/orders GET",              &["permissions[\"read:x\"] is false"]),
    ("M-13: no token",                             "--path /orders?x=1 --anonymous",                             "login_required",          "/orders GET",              &[]),
    ("M-13: begins alike: the root's",             "--path /orders-x --method POST --permission read:x",         "not_permitted",           "/ POST",                   &["false is false"]),
    // methods
    ("below the path",                             "--path /orders/7/lines --permission read:x",                 "permitted",               "/orders GET",              &["permissions[\"read:x\"] is true"]),
    ("no rule for the method; the root's is not asked","--path /orders --method POST --permission read:x",           "unknown_method",          "/orders",                  &[]),
    ("HEAD is not GET",                            "--path /orders --method HEAD --permission read:x",           "unknown_method",          "/orders",                  &[]),
    ("method in small letters",                    "--path /orders --method get --permission read:x",            "unknown_method",          "/orders",                  &[]),
    ("ALL",                                        "--path /items --method OPTIONS",                             "permitted",               "/items ALL",               &["true is true"]),
    ("ALL is no method",                           "--path /items --method ALL",                                 "unknown_method",          "/items",                   &[]),
    ("not among ALL",                              "--path /items --method TRACE",                               "unknown_method",          "/items",                   &[]),
    ("exact before ALL",                           "--path /items --method DELETE",                              "not_permitted",           "/items DELETE",            &["groups.admin is false"]),
    ("exact before ALL, permitted",                "--path /items --method DELETE --group admin",                "permitted",               "/items DELETE",            &["groups.admin is true"]),
    // paths
    ("parameter",                                  "--path /items/7 --group b",                                  "permitted",               "/items/{id} GET",          &["[\"a\", \"b\"] in groups is true"]),
    ("any of, none",                               "--path /items/7 --group c",                                  "not_permitted",           "/items/{id} GET",          &["[\"a\", \"b\"] in groups is false"]),
    ("literal before parameter",                   "--path /items/new --group c",                                "permitted",               "/items/new GET",           &["groups.c is true"]),
    ("longer, through *",                          "--path /items/new/parts --client-type web",                  "permitted",               "/items/*/parts GET",       &["clientType == \"web\" is true"]),
    ("/** at its own root",                        "--path /files",                                              "permitted",               "/files/** GET",            &["permissions.banned is false"]),
    ("/** far below",                              "--path /files/a/b/c --permission banned",                    "not_permitted",           "/files/** GET",            &["permissions.banned is true"]),
    ("dots lead elsewhere",                        "--path /files/../orders --group a",                          "not_permitted",           "/orders GET",              &["permissions[\"read:x\"] is false"]),
    ("encoded dots too",                           "--path /files/%2e%2e/orders --group a",                      "not_permitted",           "/orders GET",              &["permissions[\"read:x\"] is false"]),
    ("encoded letters",                            "--path /%6frders --permission read:x",                       "permitted",               "/orders GET",              &["permissions[\"read:x\"] is true"]),
    ("duplicate slashes",                          "--path //orders//7 --permission read:x",                     "permitted",               "/orders GET",              &["permissions[\"read:x\"] is true"]),
    ("encoded slash is no separator",              "--path /about%2F7 --anonymous",                              "permitted",               "/ GET",                    &["true is true"]),
    ("but for some servers it is one",             "--path /orders%2F7 --anonymous",                             "path_refused",            "",                         &[]),
    ("parameter of a segment",                     "--path /items/7;v=1 --group b",                              "permitted",               "/items/{id} GET",          &["[\"a\", \"b\"] in groups is true"]),
    ("which some servers cut off",                 "--path /items/new;v=1 --group b",                            "path_refused",            "",                         &[]),
    ("and then split",                             "--path /items;v%2Fnew;v --group b",                          "path_refused",            "",                         &[]),
    ("empty but for a parameter, then up",         "--path /about/;v/../orders --anonymous",                     "path_refused",            "",                         &[]),
    ("encoded twice",                              "--path /%256frders --permission read:x",                     "path_refused",            "",                         &[]),
    ("refused without a token too",                "--path /a%00 --anonymous",                                   "path_refused",            "",                         &[]),
    ("parameters on dots",                         "--path /files/..;/orders",                                   "path_refused",            "",                         &[]),
    // public
    ("public",                                     "--path /about --anonymous",                                  "permitted",               "/ GET",                    &["true is true"]),
    ("not public, false, no token",                "--path / --method POST --anonymous",                         "login_required",          "/ POST",                   &[]),
    ("not public, false, token",                   "--path / --method POST",                                     "not_permitted",           "/ POST",                   &["false is false"]),
    ("public is evaluated: no key",                "--path /key --anonymous",                                    "anonymous_not_permitted", "/key GET",                 &["groups.foo is false", "clientType == \"bar\" is false"]),
    ("public is evaluated: the key",               "--path /key --anonymous --client-type bar",                  "permitted",               "/key GET",                 &["clientType == \"bar\" is true"]),
    ("public is evaluated: a token",               "--path /key --group foo",                                    "permitted",               "/key GET",                 &["groups.foo is true"]),
    ("public is evaluated: neither",               "--path /key --group fo --client-type ba",                    "not_permitted",           "/key GET",                 &["groups.foo is false", "clientType == \"bar\" is false"]),
    // the back office
    ("back office by its own part",                "--path /office --backoffice --group clerk",                  "permitted",               "/office GET back office",  &["groups.clerk is true"]),
    ("not by the other",                           "--path /office --backoffice --group staff",                  "not_permitted",           "/office GET back office",  &["groups.clerk is false"]),
    ("others by theirs",                           "--path /office --group staff",                               "permitted",               "/office GET",              &["groups.staff is true"]),
    ("no part for others",                         "--path /office --method PUT",                                "backoffice_only",         "/office",                  &[]),
    ("the part of the back office",                "--path /office --method PUT --backoffice",                   "permitted",               "/office PUT back office",  &["true is true"]),
    ("no part of its own",                         "--path /office --method POST --backoffice --group admin",    "permitted",               "/office POST",             &["groups.admin is true", "isBackoffice is true"]),
    ("not from the back office",                   "--path /office --method POST --group admin",                 "not_permitted",           "/office POST",             &["isBackoffice is false"]),
    // ours
    ("audience, scope, client",                    "--path /ours --audience api --scope read",                   "permitted",               "/ours GET",                &["audience.api is true", "scope.read is true", "clientId != \"evil\" is true"]),
    ("another audience",                           "--path /ours --audience web --scope read",                   "not_permitted",           "/ours GET",                &["audience.api is false"]),
    ("for anyone is not for this",                 "--path /ours --scope read",                                  "not_permitted",           "/ours GET",                &["audience.api is false"]),
    ("scope is compared whole",                    "--path /ours --audience api --scope reader",                 "not_permitted",           "/ours GET",                &["scope.read is false"]),
    ("another client",                             "--path /ours --audience api --scope read --client-id evil",  "not_permitted",           "/ours GET",                &["clientId != \"evil\" is false"]),
    ("groups are not permissions",                 "--path /ours --method PUT --group write:o",                  "not_permitted",           "/ours PUT",                &["[\"write:o\", \"view:o\"] in permissions is false"]),
    ("any of the permissions",                     "--path /ours --method PUT --permission view:o",              "permitted",               "/ours PUT",                &["[\"write:o\", \"view:o\"] in permissions is true"]),
    ("== and != of conditions",                    "--path /ours --method POST --group a",                       "not_permitted",           "/ours POST",               &["groups.a is true", "groups.b is false", "clientId == \"svc\" is false"]),
    ("both groups",                                "--path /ours --method POST --group a --group b",             "permitted",               "/ours POST",               &["groups.a is true", "groups.b is true", "clientId == \"svc\" is false"]),
];

/// The file of the policy, written into this folder.
pub(crate) fn policy_in(folder: &Path) -> PathBuf {
    let file = folder.join("policy.json");
    fs::write(&file, POLICY).unwrap();
    file
}

/// The words of a row, as the owner of what a [`Request`] borrows.
#[derive(Default)]
pub(crate) struct Asked {
    method: Option<String>,
    pub(crate) path: String,
    pub(crate) client_id: Option<String>,
    groups: Vec<String>,
    permissions: Vec<Permission>,
    audience: Vec<Audience>,
    scope: Option<String>,
    pub(crate) client_type: Option<String>,
    pub(crate) backoffice: bool,
    pub(crate) anonymous: bool,
}

impl Asked {
    pub(crate) fn of(words: &str) -> Self {
        let mut asked = Self::default();
        let mut words = words.split(' ');
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap().to_owned();
            match word {
                "--method" => asked.method = Some(value()),
                "--path" => asked.path = value(),
                "--client-id" => asked.client_id = Some(value()),
                "--group" => asked.groups.push(value()),
                "--permission" => asked.permissions.push(value().parse().unwrap()),
                "--audience" => asked.audience.push(value().parse().unwrap()),
                "--scope" => asked.scope = Some(value()),
                "--client-type" => asked.client_type = Some(value()),
                "--backoffice" => asked.backoffice = true,
                "--anonymous" => asked.anonymous = true,
                other => panic!("{other}"),
            }
        }
        asked
    }

    pub(crate) fn method(&self) -> &str {
        self.method.as_deref().unwrap_or("GET")
    }

    pub(crate) fn client_id(&self) -> &str {
        self.client_id.as_deref().unwrap_or("client")
    }

    /// What a token says of its bearer.
    pub(crate) fn claims(&self) -> Value {
        let mut claims = json!({
            "sub": self.client_id(),
            "client_id": self.client_id(),
            "groups": self.groups,
            "permissions": self.permissions,
            "aud": self.audience,
        });
        if let Some(scope) = &self.scope {
            claims["scope"] = scope.as_str().into();
        }
        claims
    }

    /// The same as a registration says it.
    pub(crate) fn grants(&self) -> Value {
        let scope = self.scope.as_deref().unwrap_or_default();
        json!({
            "groups": self.groups,
            "permissions": self.permissions,
            "audience": self.audience,
            "scope": scope,
        })
    }

    pub(crate) fn request(&self) -> Request<'_> {
        let principal = Principal {
            client_id: self.client_id(),
            groups: &self.groups,
            permissions: &self.permissions,
            audience: &self.audience,
            scope: self.scope.as_deref(),
        };
        Request {
            method: self.method(),
            path: &self.path,
            client_type: self.client_type.as_deref(),
            backoffice: self.backoffice,
            principal: (!self.anonymous).then_some(principal),
        }
    }
}

pub(crate) fn outcome_of(reason: &str) -> Outcome {
    match reason {
        "permitted" => Outcome::Allowed,
        "login_required" | "anonymous_not_permitted" => Outcome::NotLoggedIn,
        "not_permitted" | "path_refused" => Outcome::Forbidden,
        "unknown_path" | "unknown_method" | "backoffice_only" => Outcome::UnknownRoute,
        other => panic!("{other}"),
    }
}

/// As the table writes a rule.
fn spelled(path: Option<&str>, decided: Option<(&str, &str)>) -> String {
    let part = |part| if part == "authorization" { "" } else { " back office" };
    let decided = decided.map(|(method, decided)| format!(" {method}{}", part(decided)));
    format!("{}{}", path.unwrap_or_default(), decided.unwrap_or_default())
}

#[test]
fn the_table() {
    let policy = Policy::read(POLICY, Format::Json).unwrap();
    for (why, words, reason, rule, deciding) in TABLE {
        let asked = Asked::of(words);
        let decision = policy.decide(&asked.request());
        assert_eq!(decision.reason.as_str(), *reason, "{why}");
        assert_eq!(decision.outcome(), outcome_of(reason), "{why}");

        let explained = policy.explain(&asked.request());
        assert_eq!(explained.decision.reason, decision.reason, "{why}");
        let terms = explained.deciding.iter().map(|d| format!("{} is {}", d.term, d.value));
        assert_eq!(terms.collect::<Vec<_>>(), *deciding, "{why}");
        let rule_of = explained.rule;
        let decided = rule_of.map(|rule| (rule.method.as_str(), rule.part.as_str()));
        assert_eq!(spelled(explained.covered_by, decided), *rule, "{why}");
    }
}

#[test]
fn m13_and_what_no_rule_covers() {
    let text = r#"{ "/orders": { "GET": { "authorization":
                    { "expression": "permissions[\"read:x\"]", "public": false } } } }"#;
    let policy = Policy::read(text, Format::Json).unwrap();
    #[rustfmt::skip]
    let cases = [
        // why                request                                            outcome
        ("good token",        "--path /orders?x=1 --permission read:x",          Outcome::Allowed),
        ("other permission",  "--path /orders?x=1 --permission read:z",          Outcome::Forbidden),
        ("no token",          "--path /orders?x=1 --anonymous",                  Outcome::NotLoggedIn),
        ("begins alike",      "--path /orders-x --permission read:x",            Outcome::UnknownRoute),
        ("the same, nobody",  "--path /orders-x --anonymous",                    Outcome::UnknownRoute),
        ("the root",          "--path / --permission read:x",                    Outcome::UnknownRoute),
    ];
    for (why, words, outcome) in cases {
        assert_eq!(policy.decide(&Asked::of(words).request()).outcome(), outcome, "{why}");
    }
}

#[test]
fn the_command_explains_every_row() {
    let folder = tempfile::tempdir().unwrap();
    let file = policy_in(folder.path());
    let explain = |words: &str, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
        command.args(["policy", "explain"]).arg(&file).args(words.split(' ')).args(more);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{words}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for (why, words, reason, rule, deciding) in TABLE {
        let answer: Value = serde_json::from_str(&explain(words, &["--json"])).unwrap();
        let named = |name: &str| answer["rule"][name].as_str();
        assert_eq!(spelled(named("path"), named("method").zip(named("part"))), *rule, "{why}");
        assert_eq!(answer["reason"], *reason, "{why}");
        assert_eq!(answer["outcome"], outcome_of(reason).as_str(), "{why}");
        let terms = answer["decided_by"].as_array().unwrap();
        let terms =
            terms.iter().map(|d| format!("{} is {}", d["term"].as_str().unwrap(), d["value"]));
        assert_eq!(terms.collect::<Vec<_>>(), *deciding, "{why}");
    }

    let text = explain("--path /key --client-type bar --anonymous", &[]);
    assert_eq!(
        text,
        "allowed: the expression is true\n\
         path        /key\n\
         rule        /key GET authorization\n\
         public      true\n\
         expression  groups.foo || clientType==\"bar\"\n\
         decided by  clientType == \"bar\" is true\n"
    );
    let text = explain("--path /orders/7 --method POST", &[]);
    assert_eq!(
        text,
        "unknown_route: the rule has no entry for this method\n\
         path        /orders/7\n\
         rule        /orders\n"
    );

    let narrow =
        r#"{ "/a": { "GET": { "authorization": { "expression": "true", "public": true } } } }"#;
    fs::write(&file, narrow).unwrap();
    let text = explain("--path /b", &[]);
    assert_eq!(text, "unknown_route: no rule covers the path\npath        /b\n");
    let answer: Value = serde_json::from_str(&explain("--path /b", &["--json"])).unwrap();
    assert_eq!((&answer["reason"], &answer["rule"]), (&json!("unknown_path"), &Value::Null));
}
