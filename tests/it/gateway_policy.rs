//! The policy file and its expressions: what is read, and what is refused, where and with what
//! words.

use std::fs;
use std::process::Command;

use latchkey::policy::expression::Expression;
use latchkey::policy::file::PolicyFile;
use latchkey::policy::{Format, Outcome, Policy, PolicyError, Principal, Request};

use crate::documents::{blocks, read};

/// The example of the platform's documentation, with its members as they stand there.
const DOCUMENTED: &str = r#"{
  "/": {
    "GET": { "authorization": { "expression": "true", "public": true } },
    "POST": { "authorization": { "expression": "false", "public": false } },
    "PUT": {
      "authorization": { "expression": "false", "public": false },
      "backofficeAuthorization": { "expression": "false", "public": false }
    }
  },
  "/myApi": { "ALL": { "authorization": { "expression": "groups.admin && isBackoffice", "public": false } } },
  "/users": { "ALL": { "authorization": { "expression": "groups.admin && isBackoffice", "public": false } } }
}"#;

const YAML: &str = "
/:
  GET: { authorization: { expression: 'true', public: true } }
/orders/{id}:   # one order
  GET:
    authorization:
      expression: 'permissions[\"read:orders\"]'
      public: false
  ALL: &admins
    authorization: { expression: groups.admin || !isBackoffice, public: false }
  POST: *admins
";

#[test]
fn json_and_yaml_are_read() {
    let json = Policy::read(DOCUMENTED, Format::Json).unwrap();
    assert_eq!((json.paths(), json.rules()), (3, 5));
    let yaml = Policy::read(YAML, Format::Yaml).unwrap();
    assert_eq!((yaml.paths(), yaml.rules()), (2, 4));
    let permissions = ["read:orders".parse().unwrap()];
    let request = Request {
        method: "GET",
        path: "/orders/7",
        client_type: None,
        backoffice: false,
        principal: Some(Principal { permissions: &permissions, ..Principal::default() }),
    };
    assert_eq!(yaml.decide(&request).outcome(), Outcome::Allowed);
    for method in ["POST", "DELETE"] {
        let request = Request { method, backoffice: true, ..request };
        assert_eq!(yaml.decide(&request).outcome(), Outcome::Forbidden, "{method}");
    }
}

#[test]
fn the_policy_in_the_manual_is_good() {
    let blocks = blocks(&read("docs/gateways/policy.md"));
    let policy = blocks.into_iter().find(|block| block.info == "json").unwrap().text;
    assert_eq!(Policy::read(&policy, Format::Json).unwrap().paths(), 3);
}

#[test]
fn the_format_is_told_by_name_or_by_the_first_character() {
    for (name, text, format) in [
        ("policy.json", "", Format::Json),
        ("policy.yaml", "{", Format::Yaml),
        ("policy.yml", "{", Format::Yaml),
        ("policy", " {", Format::Json),
        ("policy", "/: ", Format::Yaml),
    ] {
        assert_eq!(Format::of(name.as_ref(), text), format, "{name} {text:?}");
    }
}

fn refused(text: &str, format: Format) -> PolicyError {
    Policy::read(text, format).unwrap_err()
}

#[test]
fn a_bad_file_is_refused_with_its_place() {
    #[rustfmt::skip]
    let cases = [
        // why                     text                                                                               line  what is said
        ("not closed",             "{\n\"/a\": {",                                                                    2,    "EOF"),
        ("no object",              "[]",                                                                              1,    "a member for each path"),
        ("no rules",               "{}",                                                                              1,    "at least one path"),
        ("relative path",          "{\n\"a\": {\"GET\":{\"authorization\":{\"expression\":\"true\",\"public\":true}}}}", 2, "begin with `/`"),
        ("unknown method",         "{\"/a\": {\n\"get\": {}}}",                                                       2,    "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS or ALL"),
        ("no method",              "{\"/a\": {}}",                                                                    1,    "no method"),
        ("no part",                "{\"/a\": {\n\"GET\": {}}}",                                                       2,    "`authorization`, `backofficeAuthorization` or both"),
        ("part null",              "{\"/a\": {\"GET\": {\"authorization\": null}}}",                                  1,    "`expression` and `public`"),
        ("unknown part",           "{\"/a\": {\"GET\": {\n\"authorisation\": {}}}}",                                  2,    "`authorization`"),
        ("unknown member",         "{\"/a\": {\"GET\": {\"authorization\": {\n\"roles\": []}}}}",                     2,    "`expression`"),
        ("no expression",          "{\"/a\": {\"GET\": {\"authorization\": {\"public\": true}}}}",                    1,    "`expression`"),
        ("no public",              "{\"/a\": {\"GET\": {\"authorization\": {\"expression\": \"true\"}}}}",            1,    "`public`"),
        ("expression no text",     "{\"/a\": {\"GET\": {\"authorization\": {\n\"expression\": 1, \"public\": true}}}}", 2,  "string"),
        ("public no boolean",      "{\"/a\": {\"GET\": {\"authorization\": {\"expression\": \"true\",\n\"public\": \"no\"}}}}", 2, "boolean"),
        ("bad expression",         "{\"/a\": {\"GET\": {\"authorization\": {\n\"expression\": \"groups.a |\", \"public\": true}}}}", 2, "character 10"),
        ("the same at the end",    "{\"/a\": {\"GET\": {\"authorization\": {\n\"public\": true,\n\"expression\": \"groups.a |\"\n}\n}}}", 3, "character 10"),
        ("no part, and a line",    "{\"/a\": {\n\"GET\": {}\n}\n}",                                                     2,    "`authorization`, `backofficeAuthorization` or both"),
        ("path twice",             "{\"/a\": {\"GET\":{\"authorization\":{\"expression\":\"true\",\"public\":true}}},\n\"/a/\": {\"GET\":{\"authorization\":{\"expression\":\"true\",\"public\":true}}}}", 2, "earlier rule"),
        ("method twice",           "{\"/a\": {\"GET\":{\"authorization\":{\"expression\":\"true\",\"public\":true}},\n\"GET\":{}}}", 2, "second rule"),
        ("member twice",           "{\"/a\": {\"GET\":{\"authorization\":{\"public\":true,\n\"public\":true}}}}",      2,    "duplicate"),
        ("something behind",       "{\"/a\": {\"GET\":{\"authorization\":{\"expression\":\"true\",\"public\":true}}}}\n}", 2, "trailing"),
    ];
    for (why, text, line, said) in cases {
        let error = refused(text, Format::Json);
        assert!(error.problem.contains(said), "{why}: {error}");
        assert_eq!(error.line, line, "{why}: {error}");
        assert!(error.column > 0, "{why}: {error}");
        // What is JSON is YAML too, and as wrong there.
        let yaml = refused(text, Format::Yaml);
        assert!(yaml.line > 0 && yaml.column > 0, "{why}: {yaml:?}");
    }
}

#[test]
fn a_bad_yaml_file_is_refused_with_its_place() {
    let grant = "authorization: { expression: 'true', public: true }";
    let expression = |expression: &str| {
        format!(
            "/a:\n  GET:\n    authorization:\n      expression: {expression}\n      public: true\n"
        )
    };
    let public =
        |value: &str| expression("true").replace("public: true", &format!("public: {value}"));
    assert!(Policy::read(&public("FALSE"), Format::Yaml).is_ok());
    for good in ["true", "groups.a && !isBackoffice", "'!isBackoffice'"] {
        assert!(Policy::read(&expression(good), Format::Yaml).is_ok(), "{good}");
    }
    #[rustfmt::skip]
    let cases = [
        // why                     text                                                                line  what is said
        ("empty",                  String::new(),                                                      1,    "path"),
        ("method",                 format!("/a:\n  FETCH: {{ {grant} }}\n"),                           2,    "GET, POST"),
        ("path twice",             format!("/a:\n  GET: {{ {grant} }}\n/a:\n  GET: {{ {grant} }}\n"),  3,    "/a"),
        ("indentation",            "/a:\n  GET: x\n GET: y\n".to_owned(),                             2,    ""),
        ("expression",             expression("groups."),                                              4,    "character 8"),
        ("tag instead of a not",   expression("!isBackoffice && true"),                                4,    "tag"),
        ("the same, parentheses",  expression("!(isBackoffice)"),                                      4,    "tag"),
        ("the same alone",         expression("!isBackoffice"),                                        4,    "tag"),
        ("quotes of YAML",         expression("\"x\" in groups"),                                      4,    ""),
        ("list of YAML",           expression("[\"x\"] in groups"),                                    4,    ""),
        ("yes is no truth value",  public("yes"),                                                      5,    "true"),
        ("nor is a text",          public("\"false\""),                                                5,    "without quotes"),
        ("nor is another",         public("'true'"),                                                   5,    "without quotes"),
        ("nor is a text by tag",   public("!!str true"),                                               5,    "without quotes"),
        ("nor are bytes",          public("!!binary dHJ1ZQ=="),                                        5,    "without quotes"),
        ("nor other bytes",        public("!!binary true"),                                            5,    "without quotes"),
        ("nor is a number",        public("1"),                                                        5,    "without quotes"),
        ("nor is nothing",         public("~"),                                                        5,    "without quotes"),
        ("bytes are no expression", expression("!!binary dHJ1ZQ=="),                                   4,    "character"),
    ];
    for (why, text, line, said) in cases {
        let error = refused(&text, Format::Yaml);
        assert!(error.line == line && error.problem.contains(said), "{why}: {error:?}");
    }
}

/// The same faults in both languages. In JSON the place is where what is wrong ends, or else the
/// last character that was read; in YAML it is where it begins.
#[test]
fn the_place_of_a_fault_is_exact() {
    const GRANT: &str = r#"{"authorization": {"expression": "true", "public": true}}"#;
    let json = |text: &str| (refused(&text.replace("GRANT", GRANT), Format::Json), "JSON");
    let yaml = |text: &str| (refused(&text.replace("GRANT", GRANT), Format::Yaml), "YAML");
    #[rustfmt::skip]
    let cases = [
        // why                         the fault, and its line and column                                                                      what is said
        ("bad path",                   json("{\n  \"a\": GRANT}"),                                                         (2, 5),            "path \"a\": a path must begin with `/`"),
        ("bad path",                   yaml("# one\na:\n  GET: GRANT\n"),                                                  (2, 1),            "path \"a\": a path must begin with `/`"),
        ("path with a wildcard",       json("{\n  \"/a/**/b\": GRANT}"),                                                   (2, 11),           "`**` must be the last segment"),
        ("path with a wildcard",       yaml("/b:\n  GET: GRANT\n/a/**/b:\n"),                                              (3, 1),            "`**` must be the last segment"),
        ("path not in ASCII",          json("{\n  \"/caf\u{e9}\": 1}"),                                                     (2, 12),           "expected an object with a member for each method"),
        ("path twice",                 json("{\"/a\": {\"GET\": GRANT},\n  \"/a/\": {}}"),                                 (2, 7),            "path \"/a/\": an earlier rule is for the same path"),
        ("path twice",                 yaml("/a:\n  GET: GRANT\n/a/:\n  GET: GRANT\n"),                                   (3, 1),            "path \"/a/\": an earlier rule is for the same path"),
        ("path twice, the same",       yaml("/a:\n  GET: GRANT\n/a:\n  GET: GRANT\n"),                                    (3, 1),            "duplicate mapping key: /a not allowed here"),
        ("no methods",                 json("{\n  \"/a\": true}"),                                                         (2, 12),           "expected an object with a member for each method"),
        ("no methods",                 yaml("/a: true\n"),                                                                 (1, 5),            "expected mapping"),
        ("unknown method",             json("{\"/a\": {\n  \"get\": GRANT}}"),                                             (2, 7),            "unknown method \"get\": expected GET, POST"),
        ("unknown method",             yaml("/a:\n  get: GRANT\n"),                                                        (2, 3),            "unknown method \"get\": expected GET, POST"),
        ("method twice",               json("{\"/a\": {\"GET\": GRANT,\n  \"GET\": GRANT}}"),                              (2, 7),            "a second rule for the method GET"),
        ("method twice",               yaml("/a:\n  GET: GRANT\n  GET: GRANT\n"),                                          (3, 3),            "duplicate mapping key: GET not allowed here"),
        ("unknown part",               json("{\"/a\": {\"GET\": {\n  \"authorisation\": {}}}}"),                            (2, 17),           "unknown field `authorisation`, expected `authorization`"),
        ("unknown part",               yaml("/a:\n  GET:\n    authorisation: {}\n"),                                       (3, 5),            "unknown field `authorisation`, expected one of authorization"),
        ("unknown member",             json("{\"/a\": {\"GET\": {\"authorization\": {\n  \"roles\": []}}}}"),               (2, 9),            "unknown field `roles`, expected `expression` or `public`"),
        ("unknown member",             yaml("/a:\n  GET:\n    authorization:\n      roles: []\n"),                         (4, 7),            "unknown field `roles`, expected one of expression, public"),
        ("expression no text",         json("{\"/a\": {\"GET\": {\"authorization\": {\n  \"expression\": 17}}}}"),          (2, 18),           "integer `17`, expected a string"),
        ("expression no text",         yaml("/a:\n  GET:\n    authorization:\n      expression: [a]\n"),                   (4, 19),           "expected string"),
        ("public no boolean",          json("{\"/a\": {\"GET\": {\"authorization\": {\n  \"public\": \"no\"}}}}"),          (2, 16),           "string \"no\", expected a boolean"),
        ("public no boolean",          yaml("/a:\n  GET:\n    authorization:\n      public: no\n"),                        (4, 7),            "string \"no\", expected a boolean"),
        ("bad expression",             json("{\"/a\": {\"GET\": {\"authorization\": {\n  \"expression\": \"groups.a |\"}}}}"), (2, 28),       "the expression goes wrong at character 10\n  groups.a |\n           ^\nexpected `&&`"),
        ("bad expression",             yaml("/a:\n  GET:\n    authorization:\n      expression: groups.a |\n"),            (4, 19),           "the expression goes wrong at character 10\n  groups.a |\n           ^\nexpected `&&`"),
        ("the same in quotes",         json("{\"/a\": {\"GET\": {\"authorization\": {\n  \"expression\": \"\\\"\u{e9}\\\" in x\"}}}}"), (2, 28), "the expression goes wrong at character 8\n  \"\u{e9}\" in x\n         ^\nexpected `groups`"),
        ("the same in quotes",         yaml("/a:\n  GET:\n    authorization:\n      expression: '\"\u{e9}\" in x'\n"),    (4, 19),           "the expression goes wrong at character 8\n  \"\u{e9}\" in x\n         ^\nexpected `groups`"),
        ("the same in lines",          yaml("/a:\n  GET:\n    authorization:\n      expression: |\n        groups.a\n        |\n"), (5, 9),     "the expression goes wrong at character 10\n  |\n  ^\nexpected `&&`"),
        ("member missing",             json("{\"/a\": {\"GET\": {\"authorization\": {\n  \"public\": true}}}}"),            (2, 17),           "missing field `expression`"),
        ("member missing",             yaml("/a:\n  GET:\n    authorization:\n      public: true\n"),                      (4, 7),            "missing field `expression`"),
        // what is no JSON, or no YAML
        ("nothing",                    json(""),                                                                          (1, 1),            "EOF while parsing a value: expected a value"),
        ("ends in the object",         json("{\n  \"/a\": {"),                                                             (2, 9),            "EOF while parsing an object: expected the rest of the object"),
        ("ends behind a line",         json("{\n"),                                                                       (2, 1),            "EOF while parsing an object: expected the rest of the object"),
        ("ends in the object",         yaml("/a: {\n"),                                                                   (1, 5),            "unclosed bracket '{'"),
        ("ends in quotes",             json("{\n  \"/a"),                                                                 (2, 5),            "EOF while parsing a string: expected the closing quote"),
        ("a line ends in quotes",      json("{\n  \"/a\n\": 1"),                                                          (3, 1),            "found while parsing a string: expected the closing quote"),
        ("ends before the value",      json("{\n  \"/a\":"),                                                              (2, 7),            "EOF while parsing a value: expected a value"),
        ("no value",                   json("{\n  \"/a\": }"),                                                            (2, 9),            "expected value"),
        ("no colon",                   json("{\n  \"/a\" {}}"),                                                           (2, 8),            "expected `:`"),
        ("no comma",                   json("{\"/a\": {\"GET\": GRANT}\n  \"/b\": {}}"),                                  (2, 3),            "expected `,` or `}`"),
        ("a comma too many",           json("{\"/a\": {\"GET\": GRANT},\n}"),                                             (2, 1),            "trailing comma: expected no comma, or another name"),
        ("no quotes",                  json("{\n  a: 1}"),                                                                (2, 3),            "key must be a string: expected a name in quotes"),
        ("a comment",                  json("{ // one\n}"),                                                               (1, 3),            "key must be a string: expected a name in quotes"),
        ("no escape",                  json("{\n  \"/a\\x\": {}}"),                                                       (2, 7),            "invalid escape: expected one such as `\\\"`"),
        ("half a pair",                json("{\n  \"/a\\ud83dx\": {}}"),                                                (2, 12),           "unexpected end of hex escape: expected the other half of the pair"),
        ("half a pair and no other",   json("{\n  \"/a\\ud83d\\u0041\": {}}"),                                          (2, 17),           "lone leading surrogate in hex escape: expected the other half of the pair"),
        ("no number",                  json("{\n  \"/a\": -}"),                                                           (2, 10),           "invalid number: expected no number here"),
        ("something behind",           json("{\"/a\": {\"GET\": GRANT}}\n  }"),                                           (2, 3),            "trailing characters: expected nothing behind the policy"),
        ("something behind",           yaml("/a:\n  GET: GRANT\n---\n/b: {}\n"),                                           (4, 1),            "only single YAML document expected"),
        ("a tab",                      yaml("/a:\n\tGET: GRANT\n"),                                                        (2, 2),            "tabs disallowed"),
        ("an unknown alias",           yaml("/a: *b\n"),                                                                  (1, 5),            "reference to unknown value"),
    ];
    for (why, (error, language), place, said) in cases {
        assert!(error.problem.contains(said), "{why}, {language}: {error}");
        assert_eq!((error.line, error.column), place, "{why}, {language}: {error}");
    }
}

#[test]
fn a_file_that_is_not_utf_8_is_refused_with_the_first_such_byte() {
    let folder = tempfile::tempdir().unwrap();
    #[rustfmt::skip]
    let cases: [(&str, &str, &[u8], &str); 5] = [
        // why                    name            file                                place and byte
        ("Latin-1",               "policy.json",  b"{\n  \"/caf\xe9\": {}\n}",         "line 2, column 8: the byte 0xe9"),
        ("behind UTF-8",          "policy.yaml",  b"/caf\xc3\xa9\xe9: {}\n",           "line 1, column 6: the byte 0xe9"),
        ("UTF-16",                "policy.json",  b"\xff\xfe{\x00}\x00",               "line 1, column 1: the byte 0xff"),
        ("at the end of a line",  "policy.yaml",  b"/:\n# caf\xc3\n",                  "line 2, column 6: the byte 0xc3"),
        ("cut off",               "policy.yaml",  b"/:\n\xe2\x82",                     "line 2, column 1: the byte 0xe2"),
    ];
    for (why, name, content, said) in cases {
        let said = format!("{said} is not UTF-8: expected a text in UTF-8");
        let file = folder.path().join(name);
        fs::write(&file, content).unwrap();
        assert_eq!(PolicyFile::open(&file).unwrap_err().to_string(), said, "{why}: at start");
        let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
        let output = command.args(["policy", "check"]).arg(&file).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && stderr.contains(&said), "{why}: {stderr}");
    }
}

#[test]
fn expressions_and_their_values() {
    let groups = ["a".to_owned(), "x-y".to_owned()];
    let permissions = ["read:x".parse().unwrap(), "it's".parse().unwrap()];
    let audience = ["orders".parse().unwrap()];
    let request = Request {
        principal: Some(Principal {
            client_id: "svc",
            groups: &groups,
            permissions: &permissions,
            audience: &audience,
            scope: Some("one two"),
        }),
        client_type: Some("web"),
        backoffice: true,
        ..Request::new("GET", "/")
    };
    #[rustfmt::skip]
    let cases = [
        // expression                                  value  for nobody
        ("true",                                       true,  true),
        ("false",                                      false, false),
        ("groups.a",                                   true,  false),
        ("groups.x-y",                                 true,  false),
        ("groups[\"a\"]",                              true,  false),
        ("a in groups",                                true,  false),
        ("\"a\" in groups",                            true,  false),
        ("['b','a'] in groups",                        true,  false),
        ("[\"b\",\"c\"] in groups",                    false, false),
        ("permissions.a",                              false, false),
        ("permissions[\"read:x\"]",                    true,  false),
        ("permissions['it\\'s']",                      true,  false),
        ("[ \"b\" , \"read:x\" ] in permissions",      true,  false),
        ("\"orders\" in audience",                     true,  false),
        ("audience.web",                               false, false),
        ("scope.two",                                  true,  false),
        ("\"tw\" in scope",                            false, false),
        ("clientType == \"web\"",                      true,  false),
        ("clientType==\"web\"",                        true,  false),
        ("\"web\" == clientType",                      true,  false),
        ("clientType != \"web\"",                      false, true),
        ("clientId == 'svc'",                          true,  false),
        ("isBackoffice",                               true,  false),
        ("!isBackoffice",                              false, true),
        ("!(groups.b)",                                true,  true),
        ("!!groups.a",                                 true,  false),
        ("isBackoffice == true",                       true,  false),
        ("groups.a != groups.b",                       true,  false),
        ("true || false && false",                     true,  true),
        ("(true || false) && false",                   false, false),
        ("false == false && false",                    false, false),
        ("!false == true",                             true,  true),
        ("groups.b || groups.a\n&& clientType=='web'", true,  false),
    ];
    for (text, value, for_nobody) in cases {
        let expression: Expression = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(expression.holds(&request), value, "{text}");
        assert_eq!(expression.holds(&Request::new("GET", "/")), for_nobody, "{text}");
        assert_eq!(expression.as_str(), text);
    }
}

#[test]
fn errors_point_at_the_character() {
    let deep = format!("{}true{}", "(".repeat(33), ")".repeat(33));
    #[rustfmt::skip]
    let cases = [
        // why                        expression                     character  expected
        ("empty",                     "",                            1,  "`true`"),
        ("only space",                "  ",                          3,  "`true`"),
        ("unknown word",              "true && admin",               9,  "`true`"),
        ("letter case",               "True",                        1,  "`true`"),
        ("one bar",                   "true | false",                6,  "`||`"),
        ("one ampersand",             "true & false",                6,  "`&&`"),
        ("nothing behind",            "groups.a ||",                 12, "`true`"),
        ("two terms",                 "groups.a groups.b",           10, "`&&`"),
        ("list alone",                "groups",                      7,  "`.`"),
        ("name missing",              "groups.",                     8,  "a name"),
        ("name in two",               "groups.a.b",                  9,  "`&&`"),
        ("bracket not closed",        "permissions[\"a\"",           16, "`]`"),
        ("no quotes",                 "permissions[a]",              13, "a text in quotes"),
        ("quote not closed",          "\"a in groups",               13, "the closing quote"),
        ("unknown escape",            "\"\\n\" in groups",           2,  "the closing quote"),
        ("nothing in quotes",         "\"\" in groups",              3,  "between the quotes"),
        ("empty list",                "[] in groups",                2,  "a text in quotes"),
        ("comma at the end",          "[\"a\",] in groups",          6,  "a text in quotes"),
        ("unknown list",              "\"a\" in roles",              8,  "`groups`"),
        ("list of texts alone",       "[\"a\"]",                     6,  "`in`"),
        ("text alone",                "\"a\"",                       4,  "`in`"),
        ("term is no group",          "clientType in groups",        12, "`==`"),
        ("text term alone",           "clientType",                  11, "`==`"),
        ("text and condition",        "clientType == true",          15, "a text in quotes"),
        ("condition and text",        "isBackoffice == \"a\"",       17, "true or false"),
        ("two literals",              "\"a\" == \"a\"",              8,  "`clientType`"),
        ("two of them",               "true == true == true",        14, "one `==`"),
        ("not of a text",             "!clientType == \"a\"",        2,  "parentheses"),
        ("assignment",                "clientType = \"a\"",          12, "`==`"),
        ("not closed",                "(true",                       6,  "`)`"),
        ("closed too often",          "true)",                       5,  "the end"),
        ("characters, not bytes",     "\"é\" in x",                  8,  "`groups`"),
        ("too deep",                  &*deep,                        33, "at most 32"),
    ];
    for (why, text, character, expected) in cases {
        let error = text.parse::<Expression>().unwrap_err();
        assert_eq!(error.character(), character, "{why}: {error}");
        let shown = error.to_string();
        let expects = shown.lines().last().unwrap();
        assert!(expects.starts_with("expected ") && expects.contains(expected), "{why}: {shown}");
    }
    let long = format!("true{}", " || true".repeat(2000));
    assert!(long.parse::<Expression>().is_err(), "longer than is read");

    let error = "true\n  && admin".parse::<Expression>().unwrap_err().to_string();
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(
        lines[..3],
        ["the expression goes wrong at character 11", "    && admin", "       ^"]
    );
}

#[test]
fn the_command_checks_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
        let output = command.args(["policy", "check"]).arg(&file).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, stdout, _) = check("good.json", DOCUMENTED);
    assert_eq!((code, stdout.as_str()), (Some(0), "the policy is good: paths 3, rules 5\n"));
    let (code, stdout, _) = check("good.yaml", YAML);
    assert_eq!((code, stdout.as_str()), (Some(0), "the policy is good: paths 2, rules 4\n"));

    let (code, stdout, stderr) = check("bad.json", &DOCUMENTED.replace("&& isBackoffice", "&&"));
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("bad.json`, line 10, column "), "{stderr}");
    assert!(stderr.contains("\n  groups.admin &&\n                 ^\n"), "{stderr}");
}

/// As an operator does it, who may get it wrong for a while.
#[test]
fn a_file_is_read_again_when_it_changes_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.json");
    assert!(PolicyFile::open(&path).is_err(), "there is none");
    fs::write(&path, "{").unwrap();
    assert!(PolicyFile::open(&path).is_err(), "at start it must be good");
    fs::write(&path, DOCUMENTED).unwrap();
    let file = PolicyFile::open(&path).unwrap();
    #[rustfmt::skip]
    let steps = [
        // why                  the file                                                                                            paths  current
        ("as it was",           Some(DOCUMENTED),                                                                                   3,     true),
        ("half of it",          Some(&DOCUMENTED[..200]),                                                                           3,     false),
        ("empty",               Some(""),                                                                                           3,     false),
        ("gone",                None,                                                                                               3,     false),
        ("another",             Some(r#"{ "/": { "ALL": { "authorization": { "expression": "true", "public": false } } } }"#),      1,     true),
        ("no expression",       Some(r#"{ "/": { "ALL": { "authorization": { "expression": "tru", "public": false } } } }"#),       1,     false),
        ("back to the first",   Some(DOCUMENTED),                                                                                   3,     true),
    ];
    for (why, text, paths, current) in steps {
        match text {
            Some(text) => fs::write(&path, text).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let before = (file.policy().paths(), file.is_current());
        file.look();
        let now = || (file.policy().paths(), file.is_current());
        assert_eq!(now(), before, "{why}: seen only once");
        file.look();
        assert_eq!(now(), (paths, current), "{why}");
        file.look();
        assert_eq!(now(), (paths, current), "{why}: nothing new");
    }
}

/// The beginning of a policy in YAML is often a policy.
#[test]
fn a_file_that_is_still_being_written_is_not_in_force() {
    const GROWS: [&str; 5] = [
        "/orders:\n  ALL:\n    authorization: { expression: 'true', public: true }\n",
        "/orders/secret:\n",
        "  GET:\n    authorization: { expression: groups.admin, public: false }\n",
        "  PUT:\n",
        "    authorization: { expression: 'false', public: false }\n",
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.yaml");
    fs::write(&path, YAML).unwrap();
    let file = PolicyFile::open(&path).unwrap();
    #[rustfmt::skip]
    let steps = [
        // why                              pieces  a policy  rules  current
        ("empty",                           0,      false,    4,     true),
        ("without the stricter rule",       1,      true,     4,     true),
        ("in the middle of a path",         2,      false,    4,     true),
        ("without the other method",        3,      true,     4,     true),
        ("in the middle of a method",       4,      false,    4,     true),
        ("all of it, once",                 5,      true,     4,     true),
        ("all of it, twice",                5,      true,     3,     true),
        ("begun anew",                      1,      true,     3,     true),
        ("and not gone on with",            1,      true,     1,     true),
        ("a bad one, once",                 2,      false,    1,     true),
        ("a bad one, twice",                2,      false,    1,     false),
        ("gone on with",                    3,      true,     1,     false),
        ("and left so",                     3,      true,     2,     true),
    ];
    for (why, pieces, is_policy, rules, current) in steps {
        let text = GROWS[..pieces].concat();
        assert_eq!(Policy::read(&text, Format::Yaml).is_ok(), is_policy, "{why}");
        fs::write(&path, text).unwrap(); // in place
        file.look();
        assert_eq!((file.policy().rules(), file.is_current()), (rules, current), "{why}");
    }
}
