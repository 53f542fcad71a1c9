//! The policy of a server that runs: read again when the file changes, and what an operator sees of
//! it.

use std::fs;
use std::time::Instant;

use crate::command_line::{Home, PATIENCE, Running};

/// A policy by which everybody may do this, and nothing else.
fn open(path: &str) -> String {
    format!(
        r#"{{ "{path}": {{ "GET": {{ "authorization": {{ "expression": "true", "public": true }} }} }} }}"#
    )
}

async fn passes(server: &Running, path: &str) -> bool {
    let request = reqwest::Client::new().get(format!("{}/auth", server.url));
    let request = request.header("original-request-uri", path);
    request.header("original-request-method", "GET").send().await.unwrap().status() == 200
}

/// Asks until the answer is yes.
async fn comes_to_pass(server: &Running, path: &str) {
    let end = Instant::now() + PATIENCE;
    while !passes(server, path).await {
        assert!(Instant::now() < end, "{path} does not pass");
    }
}

/// What the server says of its policy: whether it is what the file says.
async fn is_current(server: &Running) -> String {
    let metrics = reqwest::get(format!("{}/-/metrics", server.url)).await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let line = metrics.lines().find_map(|line| line.strip_prefix("latchkey_policy_current "));
    line.unwrap_or_else(|| panic!("{metrics}")).to_owned()
}

#[actix_web::test]
async fn a_server_follows_its_file_and_says_so() {
    let home = Home::new();
    let write = |text: &[u8]| fs::write(home.path("policy.json"), text).unwrap();
    write(open("/one").as_bytes());
    let server = home.serve(&["--algorithm=EdDSA", "--policy-file=policy.json"]);
    assert!(passes(&server, "/one").await && !passes(&server, "/two").await);
    assert_eq!(is_current(&server).await, "1");

    write(open("/two").as_bytes());
    comes_to_pass(&server, "/two").await;
    assert!(!passes(&server, "/one").await);

    let no_expression = open("/one").replace("true\"", "tru\"");
    #[rustfmt::skip]
    let faults: [(&str, &[u8], &str); 3] = [
        // why                the file                      where, and what is wrong
        ("no expression",     no_expression.as_bytes(),     "line 1, column 59: the expression goes wrong at character 1\n"),
        ("a half of it",      b"{\n  \"/two\": {",           "line 2, column 11: EOF while parsing an object"),
        ("not UTF-8",         b"/caf\xe9",                "line 1, column 5: the byte 0xe9 is not UTF-8"),
    ];
    for (why, content, said) in faults {
        write(content);
        let logged = server.logged(|entry| entry["level"] == "ERROR");
        assert_eq!(logged["file"], "policy.json", "{why}: {logged}");
        assert!(logged["error"].as_str().unwrap().starts_with(said), "{why}: {logged}");
        assert_eq!(is_current(&server).await, "0", "{why}");
        assert!(passes(&server, "/two").await && !passes(&server, "/one").await, "{why}");
    }

    write(open("/one").as_bytes());
    comes_to_pass(&server, "/one").await;
    assert!(!passes(&server, "/two").await);
    assert_eq!(is_current(&server).await, "1");
}

#[test]
fn a_server_does_not_start_with_a_bad_one() {
    let home = Home::new();
    #[rustfmt::skip]
    let faults: [(&str, &[u8], &str); 3] = [
        ("not closed",      b"{\n  \"/a\":",                     "line 2, column 7: EOF while parsing a value"),
        ("no such method",  b"{\n  \"/a\": { \"get\": {} } }",   "line 2, column 15: unknown method"),
        ("not UTF-8",       b"{\n  \"/caf\xe9\": {} }",          "line 2, column 8: the byte 0xe9 is not UTF-8"),
    ];
    for (why, content, said) in faults {
        fs::write(home.path("policy.json"), content).unwrap();
        let ran = home.run(&["serve", "--listen=127.0.0.1:0", "--policy-file=policy.json"]);
        let said = format!("latchkey: `policy.json` cannot be used: {said}");
        assert!(ran.code == Some(1) && ran.stderr.contains(&said), "{why}: {ran:?}");
    }
}
