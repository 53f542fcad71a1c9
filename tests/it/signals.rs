//! What signals do to a running server.

use std::fs;

use serde_json::{Value, json};

use crate::command_line::Home;

/// A policy under which everybody may pass here, and nowhere else.
fn public(path: &str) -> String {
    json!({ path: { "GET": { "authorization": { "expression": "true", "public": true } } } })
        .to_string()
}

#[actix_web::test]
async fn sighup_rereads_what_may_change_and_the_server_goes_on() {
    let home = Home::new();
    fs::write(home.path("policy.json"), public("/old")).unwrap();
    let server = home.serve(&["--policy-file=policy.json"]);
    let passes = async |path: &str| {
        let request = reqwest::Client::new().get(format!("{}/auth", server.url));
        let request = request.header("original-request-method", "GET");
        let answer = request.header("original-request-uri", path).send().await;
        answer.unwrap().status() == 200
    };
    assert!(passes("/old").await && !passes("/new").await);

    fs::write(home.path("policy.json"), public("/new")).unwrap();
    server.signal("HUP");
    server.logged(|entry| starts(entry, "looked again"));
    assert!(!passes("/old").await && passes("/new").await, "in force when it is logged");

    fs::write(home.path("policy.json"), "{").unwrap();
    server.signal("HUP");
    server.logged(|entry| starts(entry, "the new policy cannot be used"));
    assert!(passes("/new").await, "the old policy stays");
    assert!(server.stop().success());
}

#[test]
fn sighup_takes_the_new_certificate_at_once() {
    let home = Home::new();
    let renew = || {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(home.path("tls.pem"), made.cert.pem()).unwrap();
        fs::write(home.path("tls.key"), made.signing_key.serialize_pem()).unwrap();
    };
    renew();
    let server = home.serve(&["--tls-certificate=tls.pem", "--tls-key=tls.key"]);
    renew();
    server.signal("HUP");
    // The files are looked at each five seconds; this comes before the line of the signal.
    let (before, _) = server.read_until(|entry| starts(entry, "looked again"));
    assert!(
        before.iter().any(|line| line.contains("the certificate was read again")),
        "{before:?}"
    );
    fs::write(home.path("tls.key"), "no key").unwrap();
    server.signal("HUP");
    server.logged(|entry| starts(entry, "the new certificate cannot be used"));
    assert!(server.stop().success());
}

#[test]
fn a_second_sigterm_ends_the_server_at_once() {
    let home = Home::new();
    let server = home.serve(&["--shutdown-delay=3600"]);
    server.signal("TERM");
    server.logged(|entry| starts(entry, "stopping"));
    assert_eq!(server.stop().code(), Some(1));
}

fn starts(entry: &Value, with: &str) -> bool {
    entry["message"].as_str().is_some_and(|message| message.starts_with(with))
}
