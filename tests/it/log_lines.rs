//! What the log says of those who are refused, and of those who change something.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::command_line::{Home, Running, post, register};

/// Sends a form, and an id of the request if there is one: the status and the id in the answer.
async fn send(server: &Running, path: &str, form: &str, id: Option<&str>) -> (u16, String) {
    let request = reqwest::Client::new().post(format!("{}{path}", server.url));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let request = id.into_iter().fold(request, |request, id| request.header("x-request-id", id));
    let answer = request.body(form.to_owned()).send().await.unwrap();
    let id = answer.headers().get("x-request-id").and_then(|id| id.to_str().ok());
    (answer.status().as_u16(), id.unwrap_or_default().to_owned())
}

#[actix_web::test]
async fn a_refusal_says_who_and_where_and_under_which_id() {
    let home = Home::new();
    let server = home.serve(&["--registration-rate=0"]);
    let (id, secret) = register(&server).await;
    let wrong = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}x");
    let unknown = "grant_type=client_credentials&client_id=%1b%5bm&client_secret=x";
    let scope =
        format!("grant_type=client_credentials&client_id={id}&client_secret={secret}&scope=x");
    let long =
        format!("grant_type=client_credentials&client_id={}&client_secret=x", "y".repeat(999));
    #[rustfmt::skip]
    let cases = [
        // why               form       sent            status  client_id                error
        ("a wrong secret",   &*wrong,   Some("my-id"),  401,    &*id,                    "invalid_client"),
        ("no id",            &wrong,    None,           401,    &*id,                    "invalid_client"),
        ("an id too long",   &wrong,    Some(&*long),   401,    &*id,                    "invalid_client"),
        ("unknown",          unknown,   None,           401,    "/u001b[m",              "invalid_client"),
        ("a long name",      &long,     None,           401,    &"y".repeat(128),        "invalid_client"),
        ("after the proof",  &scope,    None,           400,    &*id,                    "invalid_scope"),
    ];
    for (why, form, sent, status, client_id, error) in cases {
        let (answered, id) = send(&server, "/oauth/token", form, sent).await;
        assert_eq!(answered, status, "{why}");
        let line = server.logged(|entry| entry["message"] == "refused");
        let members = ["error", "client_id", "address", "route", "status", "request_id"];
        let said = members.map(|name| line[name].clone());
        let expected = json!([error, client_id, "127.0.0.1", "/oauth/token", status, id]);
        assert_eq!(json!(said), expected, "{why}");
        match sent.filter(|sent| sent.len() <= 128) {
            Some(sent) => assert_eq!(id, sent, "{why}"),
            None => assert_eq!(id.len(), 20, "{why}: {id}"),
        }
    }
    let metrics = reqwest::get(format!("{}/-/metrics", server.url)).await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for counted in ["checksum\"} 3", "unknown\"} 2"] {
        let line = format!("latchkey_authentication_failures_total{{reason=\"{counted}");
        assert!(metrics.contains(&line), "{line}: {metrics}");
    }
}

#[actix_web::test]
async fn throttled_attempts_are_said_too() {
    let home = Home::new();
    let server = home.serve(&[]);
    let (id, secret) = register(&server).await;
    let wrong = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}x");
    let mut last = (0, String::new());
    for _ in 0..1000 {
        last = send(&server, "/oauth/token", &wrong, None).await;
        if last.0 == 429 {
            break;
        }
    }
    let (status, request_id) = last;
    assert_eq!(status, 429);
    let line = server.logged(|entry| entry["request_id"] == *request_id);
    assert_eq!((&line["client_id"], &line["status"]), (&json!(id), &json!(429)), "{line}");
    assert_eq!((&line["route"], &line["level"]), (&json!("/oauth/token"), &json!("INFO")));
}

#[actix_web::test]
async fn whoever_is_refused_without_a_body_is_told_the_id_too() {
    let home = Home::new();
    let server = home.serve(&[]);
    for path in ["/tokeninfo", "/tokeninfo/", "/auth", "/clients", "/register"] {
        let asked = reqwest::Client::new().get(format!("{}{path}", server.url));
        let answer = asked.header("x-request-id", "a b").send().await.unwrap();
        assert!(answer.status().is_client_error(), "{path}");
        assert_eq!(answer.headers().get("x-request-id").unwrap(), "a b", "{path}");
        let line = server.logged(|entry| entry["request_id"] == "a b");
        assert_eq!(line["address"], "127.0.0.1", "{path}: {line}");
    }
}

#[actix_web::test]
async fn a_stranger_writes_no_errors() {
    let home = Home::new();
    let server = home.serve(&["--log-level=debug"]);
    let address = server.url.trim_start_matches("http://").replace("localhost", "127.0.0.1");
    let hello = [0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3];
    let large = format!("GET / HTTP/1.1\r\nx: {}", "y".repeat(200_000));
    let cut = "POST /register HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{";
    for bytes in [&hello[..], large.as_bytes(), b"\0\0\0\0\r\n\r\n", cut.as_bytes()] {
        let mut stream = TcpStream::connect(&*address).unwrap();
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let (status, id) = send(&server, "/oauth/token", "", Some("last")).await;
    assert_eq!((status, &*id), (400, "last"));
    let (before, _) = server.read_until(|entry| entry["request_id"] == "last");
    let loud: Vec<&String> = before
        .iter()
        .filter(|line| line.contains(r#""level":"ERROR""#) || line.contains(r#""level":"WARN""#))
        .collect();
    assert!(loud.is_empty(), "{loud:#?}");
}

#[actix_web::test]
async fn what_was_changed_is_json_in_the_log() {
    let home = Home::new();
    let server = home.serve(&[]);
    let client = post(&format!("{}/register", server.url), &json!({ "client_name": "x" })).await;
    let is_it = |entry: &Value| entry["client_id"] == client["client_id"];
    let line = server.logged(|entry| entry["message"] == "changed" && is_it(entry));
    assert_eq!(line["before"], json!({}));
    assert_eq!(line["after"]["client_name"], "x", "{line}");
}

/// Some crates speak to `log`, whose events bring their target as a field.
#[test]
fn events_of_all_crates_have_the_same_form() {
    let home = Home::new();
    let server = home.serve(&["--log-level=trace"]);
    let line = server.logged(|entry| entry["target"] == "mio::poll");
    assert_eq!(line["level"], "TRACE");
    let members: Vec<&String> = line.as_object().unwrap().keys().collect();
    assert!(!members.iter().any(|name| name.starts_with("log.")), "{line}");
    assert!(server.stop().success());
}
