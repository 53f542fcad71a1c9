//! `latchkey clients`, command by command, against a server that runs.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::command_line::{Home, Ran, Running, finish, token};

/// Somebody who looks after the clients of a server.
struct Desk {
    home: Home,
    server: Running,
}

impl Desk {
    fn open() -> Self {
        let home = Home::new();
        let server = home.serve(&["--algorithm=EdDSA", "--registration-rate=0"]);
        Self { home, server }
    }

    fn clients(&self, args: &[&str]) -> Ran {
        self.home.run(&[&["clients"], args, &["--issuer", &self.server.url]].concat())
    }

    fn show(&self, id: &str) -> Value {
        self.clients(&["show", id]).json()
    }

    /// Makes a client with a secret: its id and its secret.
    fn create(&self, more: &[&str]) -> (String, String) {
        let made = self.clients(&[&["create", "--name", "svc"], more].concat()).json();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        (text("client_id"), text("client_secret"))
    }

    fn keypair(&self, name: &str) {
        let jwk = self.home.run(&["keypair", "--out", name, "--algorithm", "EdDSA"]).stdout;
        fs::write(self.home.path(&format!("{name}.jwk")), jwk).unwrap();
    }

    fn token_by_key(&self, id: &str, key: &str) -> Ran {
        let issuer = ["token", "--issuer", &self.server.url];
        self.home.run(&[&issuer[..], &["--client-id", id, "--key", key]].concat())
    }

    fn tokeninfo(&self, token: &str) -> Ran {
        self.home.run(&["tokeninfo", "--issuer", &self.server.url, token])
    }
}

#[actix_web::test]
async fn update_changes_what_it_is_told_and_nothing_else() {
    let desk = Desk::open();
    let (id, secret) = desk.create(&["--permission", "p1", "--audience", "a", "--group", "g"]);
    let before = desk.show(&id);
    fs::write(desk.home.path("notes.json"), r#"{ "team": "orders" }"#).unwrap();
    fs::write(desk.home.path("patch.json"), r#"{ "scope": "s", "client_name": "x" }"#).unwrap();

    #[rustfmt::skip]
    let cases: [(&[&str], &str, Value); 14] = [
        (&["--name", "orders"],                                      "client_name",           json!("orders")),
        (&["--add-permission", "p2", "--add-permission", "p1"],      "permissions",           json!(["p1", "p2"])),
        (&["--remove-permission", "p1", "--add-permission", "p3"],   "permissions",           json!(["p2", "p3"])),
        (&["--permission", "p4", "--permission", "p5"],              "permissions",           json!(["p4", "p5"])),
        (&["--add-audience", "b"],                                   "audience",              json!(["a", "b"])),
        (&["--remove-audience", "a"],                                "audience",              json!(["b"])),
        (&["--add-group", "h", "--remove-group", "g"],               "groups",                json!(["h"])),
        (&["--scope", "s t"],                                        "scope",                 json!("s t")),
        (&["--lifetime", "12h"],                                     "access_token_lifetime", json!(43200)),
        (&["--lifetime", "default"],                                 "access_token_lifetime", Value::Null),
        (&["--metadata", "notes.json"],                              "metadata",              json!({ "team": "orders" })),
        (&["--patch", r#"{ "metadata": { "team": null } }"#],        "metadata",              json!({})),
        (&["--auth-method", "client_secret_post"],     "token_endpoint_auth_method",          json!("client_secret_post")),
        (&["--patch", "patch.json", "--name", "flags win"],          "client_name",           json!("flags win")),
    ];
    for (args, member, value) in cases {
        let changed = desk.clients(&[&["update", &id], args].concat()).json();
        assert_eq!(changed[member], value, "{args:?}");
        assert_eq!(desk.show(&id)[member], value, "{args:?}");
    }
    let after = desk.show(&id);
    assert_eq!(after["scope"], "s", "of the file");
    for same in ["client_id", "client_id_issued_at", "secrets", "keys", "__STATE__"] {
        assert_eq!(after[same], before[same], "{same}");
    }

    let issued = token(&desk.home, &desk.server, (&id, &secret));
    desk.clients(&["update", &id, "--name", "again"]).text();
    desk.tokeninfo(issued.text()).text();
    desk.clients(&["update", &id, "--revoke-tokens"]).text();
    assert_eq!(desk.tokeninfo(issued.text()).code, Some(1));
}

#[actix_web::test]
async fn rfc9110_s13_1_1_a_tag_that_is_not_current() {
    let desk = Desk::open();
    let (id, _) = desk.create(&[]);
    let stale = r#""0.0""#;
    for args in [
        &["update", &id, "--name", "x", "--if-match", stale][..],
        &["update", &id, "--add-permission", "x", "--if-match", stale],
        &["state", &id, "DRAFT", "--if-match", stale],
        &["delete", &id, "--yes", "--if-match", stale],
    ] {
        let refused = desk.clients(args);
        assert_eq!(refused.code, Some(1), "{args:?}");
        assert!(
            refused.stderr.contains("412") && refused.stderr.contains("the client has changed")
        );
    }
    let untouched = desk.show(&id);
    assert_eq!(
        (&untouched["client_name"], &untouched["__STATE__"]),
        (&json!("svc"), &json!("PUBLIC"))
    );
}

#[actix_web::test]
async fn what_several_add_at_once_is_all_there() {
    let desk = Desk::open();
    let (id, _) = desk.create(&[]);
    let (home, issuer) = (&desk.home, &*desk.server.url);
    std::thread::scope(|scope| {
        for number in 0..6 {
            let (permission, id) = (format!("p{number}"), &id);
            scope.spawn(move || {
                let add = ["clients", "update", id, "--add-permission", &permission];
                home.run(&[&add[..], &["--issuer", issuer]].concat()).json();
            });
        }
    });
    let client = desk.show(&id);
    let mut held: Vec<&str> =
        client["permissions"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    held.sort_unstable();
    assert_eq!(held, ["p0", "p1", "p2", "p3", "p4", "p5"]);
}

#[actix_web::test]
async fn a_list_is_narrowed() {
    let desk = Desk::open();
    desk.keypair("k");
    let (draft, _) = desk.create(&["--state", "DRAFT", "--permission", "read:orders"]);
    let (used, secret) = desk.create(&[]);
    let keyed = desk.clients(&["create", "--name", "Billing", "--public-key", "k.jwk"]).json();
    let keyed = keyed["client_id"].as_str().unwrap();
    token(&desk.home, &desk.server, (&used, &secret)).text();
    let (admin, _) = desk.home.admin("data");

    #[rustfmt::skip]
    let cases: [(&[&str], &[&str]); 8] = [
        (&["--name", "bill"],                      &[keyed]),
        (&["--state", "DRAFT"],                    &[&draft]),
        (&["--permission", "read:orders"],         &[&draft]),
        (&["--auth-method", "private_key_jwt"],    &[keyed]),
        (&["--name", "svc", "--state", "PUBLIC"],  &[&used]),
        (&["--unused-since", "1d"],                &[]),
        (&["--unused-since", "2100-01-01"],        &[&admin, &draft, &used, keyed]),
        (&["--unused-since", "2100-01-01T00:00:00Z", "--name", "svc"], &[&draft, &used]),
    ];
    for (args, expected) in cases {
        let listed = desk.clients(&[&["list", "--json"], args].concat());
        let ids: Vec<String> = listed
            .text()
            .lines()
            .map(|line| {
                serde_json::from_str::<Value>(line).unwrap()["client_id"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        assert_eq!(ids, expected, "{args:?}");
    }
}

#[actix_web::test]
async fn a_client_comes_and_goes() {
    let desk = Desk::open();
    let (id, secret) = desk.create(&[]);
    let issued = token(&desk.home, &desk.server, (&id, &secret));

    let drafted = desk.clients(&["state", &id, "DRAFT"]);
    assert!(drafted.text().is_empty() && drafted.stderr.contains("is DRAFT"), "{drafted:?}");
    assert_eq!(token(&desk.home, &desk.server, (&id, &secret)).code, Some(1));
    assert_eq!(desk.tokeninfo(issued.text()).code, Some(1));
    let refused = desk.clients(&["state", &id, "DELETED"]);
    assert!(
        refused.stderr.contains("transition from DRAFT to DELETED not allowed."),
        "{refused:?}"
    );
    assert_eq!(desk.clients(&["state", &id, "GONE"]).code, Some(2));
    desk.clients(&["state", &id, "PUBLIC"]).text();
    token(&desk.home, &desk.server, (&id, &secret)).text();

    let unasked = desk.clients(&["delete", &id]);
    assert!(unasked.code == Some(1) && unasked.stderr.contains("--yes"), "{unasked:?}");
    desk.show(&id);
    desk.clients(&["delete", &id, "--yes"]).text();
    for args in [&["show", &id][..], &["delete", &id, "--yes"], &["update", &id, "--name", "x"]] {
        let gone = desk.clients(args);
        assert!(gone.stderr.contains("no such client"), "{gone:?}");
    }
}

/// On a terminal, as somebody sits before it.
#[actix_web::test]
async fn a_person_is_asked_and_reads_a_table() {
    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("left out: what a person sees, because there is no `script` here");
        return;
    }
    let desk = Desk::open();
    let (id, _) = desk.create(&["--permission", "p1", "--permission", "p2"]);
    let latchkey = env!("CARGO_BIN_EXE_latchkey");
    let sit = |args: &str, typed: &str| {
        let line = format!("{latchkey} clients {args} --issuer {}", desk.server.url);
        let mut command = desk.home.program("script", &[]);
        finish(command.args(["-qec", &line, "/dev/null"]), typed)
    };

    let shown = sit(&format!("show {id}"), "");
    let row = |name: &str, value: &str| format!("{name:<28}  {value}");
    for expected in [row("client_id", &id), row("permissions", "p1 p2"), row("metadata", "{}")] {
        assert!(shown.text().contains(&expected), "{expected}: {shown:?}");
    }
    assert!(shown.text().starts_with("etag"), "{shown:?}");
    assert!(sit(&format!("show {id} --json"), "").text().starts_with('{'));

    desk.clients(&["secret", "add", &id, "--expires-in", "5d"]).text();
    let listed = sit("list", "");
    let line = listed.text().lines().find(|line| line.starts_with(&id)).unwrap().to_owned();
    assert!(line.contains("  ends in 7d  ") && line.trim_end().ends_with("svc"), "{line}");

    let kept = sit(&format!("delete {id}"), "n\n");
    assert!(kept.code == Some(1) && kept.stdout.contains("Remove `svc`"), "{kept:?}");
    desk.show(&id);
    let gone = sit(&format!("delete {id}"), "y\n");
    assert!(gone.code == Some(0) && gone.stdout.contains("is gone"), "{gone:?}");
    assert_eq!(desk.clients(&["show", &id]).code, Some(1));
}

#[actix_web::test]
async fn a_secret_is_replaced_without_an_outage() {
    let desk = Desk::open();
    let (id, first) = desk.create(&[]);
    let first_id = desk.show(&id)["secrets"][0]["id"].as_str().unwrap().to_owned();
    let issued = token(&desk.home, &desk.server, (&id, &first));

    let add = ["secret", "add", &id, "--expires-in", "90d", "--overlap", "12h"];
    let added = desk.clients(&add).json();
    let second = added["client_secret"].as_str().unwrap();
    let secrets = desk.show(&id)["secrets"].clone();
    let lives = |index: usize, name: &str| secrets[index][name].as_u64().unwrap();
    assert_eq!(lives(1, "expires_at") - lives(1, "created_at"), 90 * 86_400);
    assert_eq!(lives(0, "expires_at") - lives(1, "created_at"), 12 * 3600);
    for secret in [&*first, second] {
        token(&desk.home, &desk.server, (&id, secret)).text();
    }

    let secret_added = |entry: &Value| entry["audit"] == "secret.added";
    let logged = desk.server.logged(secret_added);
    assert_eq!((&logged["client_id"], &logged["message"]), (&json!(id), &json!("changed")));
    assert!(logged["request_id"].is_string() && logged["address"].is_string(), "{logged}");
    assert!(!logged.to_string().contains(second), "a secret in the log");

    desk.clients(&["secret", "delete", &id, &first_id, "--revoke-tokens"]).text();
    assert_eq!(token(&desk.home, &desk.server, (&id, &first)).code, Some(1));
    assert_eq!(desk.tokeninfo(issued.text()).code, Some(1));
    token(&desk.home, &desk.server, (&id, second)).text();
    let gone = desk.clients(&["secret", "delete", &id, &first_id]);
    assert!(gone.stderr.contains("no such credential"), "{gone:?}");
}

#[actix_web::test]
async fn a_registration_access_token_is_ended() {
    let desk = Desk::open();
    let (id, _) = desk.create(&[]);
    let held = desk.show(&id)["registration_tokens"].clone();
    let token = held[0]["id"].as_str().unwrap();
    desk.clients(&["registration-token", "delete", &id, token]).text();
    assert_eq!(desk.show(&id)["registration_tokens"], json!([]));
    let gone = desk.clients(&["registration-token", "delete", &id, token]);
    assert!(gone.stderr.contains("no such credential"), "{gone:?}");
}

#[actix_web::test]
async fn a_key_is_replaced_without_an_outage() {
    let desk = Desk::open();
    for name in ["old", "new"] {
        desk.keypair(name);
    }
    let made = desk.clients(&["create", "--name", "svc", "--public-key", "old.jwk"]).json();
    let id = made["client_id"].as_str().unwrap();
    let old = desk.show(id)["keys"][0]["id"].as_str().unwrap().to_owned();

    let private = desk.clients(&["key", "add", id, "--public-key", "new"]);
    assert!(private.stderr.contains("private key"), "{private:?}");
    let added = desk.clients(&["key", "add", id, "--public-key", "new.jwk", "--overlap", "7d"]);
    assert_eq!(added.json()["client_id"], id);
    for key in ["old", "new"] {
        desk.token_by_key(id, key).text();
    }
    desk.clients(&["key", "delete", id, &old]).text();
    assert_eq!(desk.token_by_key(id, "old").code, Some(1));
    desk.token_by_key(id, "new").text();
}

#[actix_web::test]
async fn a_client_starts_afresh() {
    let desk = Desk::open();
    desk.keypair("k");
    let (id, secret) = desk.create(&["--permission", "p"]);
    let fresh = desk.clients(&["regenerate", &id]).json();
    let text = |name: &str| fresh[name].as_str().unwrap();
    assert!(fresh["permissions"] == json!(["p"]) && text("client_id") != id);
    token(&desk.home, &desk.server, (text("client_id"), text("client_secret"))).text();
    assert_eq!(token(&desk.home, &desk.server, (&id, &secret)).code, Some(1));

    let keyed = desk.clients(&["create", "--name", "svc", "--public-key", "k.jwk"]).json();
    desk.keypair("other");
    let id = keyed["client_id"].as_str().unwrap();
    let fresh = desk.clients(&["regenerate", id, "--public-key", "other.jwk"]).json();
    desk.token_by_key(fresh["client_id"].as_str().unwrap(), "other").text();
}

#[actix_web::test]
async fn secrets_go_to_a_file_of_their_own() {
    let desk = Desk::open();
    let make = ["create", "--name", "svc", "--secret-out", "secret.json"];
    let made = desk.clients(&make).json();
    assert!(made.get("client_secret").is_none() && made.get("registration_access_token").is_none());
    assert_eq!(desk.home.mode("secret.json"), 0o600);
    let kept = fs::read_to_string(desk.home.path("secret.json")).unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    let text = |name: &str| kept[name].as_str().unwrap().to_owned();
    assert_eq!(text("client_id"), made["client_id"].as_str().unwrap());
    assert!(!text("registration_access_token").is_empty());
    token(&desk.home, &desk.server, (&text("client_id"), &text("client_secret"))).text();

    let clients = || desk.clients(&["list", "--json"]).text().lines().count();
    let before = clients();
    for args in [
        &make[..],
        &["secret", "add", &text("client_id"), "--secret-out", "secret.json"],
        &["regenerate", &text("client_id"), "--secret-out", "secret.json"],
    ] {
        let refused = desk.clients(args);
        assert!(refused.code == Some(1) && refused.stderr.contains("not replaced"), "{refused:?}");
    }
    assert_eq!(clients(), before, "nothing was made");
    assert_eq!(desk.show(&text("client_id"))["secrets"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn what_is_refused_is_said_in_the_words_of_the_server() {
    let desk = Desk::open();
    let (id, _) = desk.create(&[]);
    let absent = "no such client";
    #[rustfmt::skip]
    let cases: [(&[&str], &str); 9] = [
        (&["update", &id],                                             "say what to change"),
        (&["update", &id, "--patch", r#"{"colour":"red"}"#],           "member `colour` cannot be changed here"),
        (&["update", &id, "--patch", "{"],                             "--patch must be a JSON object"),
        (&["update", &id, "--metadata", "absent.json"],                "cannot read `absent.json`"),
        (&["update", &id, "--lifetime", "900d"],                       "access_token_lifetime"),
        (&["update", &id, "--auth-method", "private_key_jwt"],         "add it first"),
        (&["secret", "add", "nobody"],                                 absent),
        (&["regenerate", "nobody"],                                    absent),
        (&["secret", "add", &id, "--expires-in", "0"],                 "must be at least 1"),
    ];
    for (args, said) in cases {
        let ran = desk.clients(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains(said) && ran.stderr.lines().count() == 1, "{args:?}: {ran:?}");
    }
    for args in [
        &["update", &id, "--permission", "a", "--add-permission", "b"][..],
        &["update", &id, "--lifetime", "soon"],
        &["list", "--state", "public"],
    ] {
        assert_eq!(desk.clients(args).code, Some(2), "{args:?}");
    }
}
