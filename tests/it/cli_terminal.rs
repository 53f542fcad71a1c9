//! What comes from elsewhere does not command a terminal, whichever command prints it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use latchkey::domain::printable::is_deceptive;
use serde_json::{Value, json};

use crate::command_line::Home;

/// Clears a screen, sets a title, turns text round, ends a line.
const EVIL: &str = "x\u{1b}[2J\u{9b}31m\u{202e}\u{2028}\u{7}y";

/// `admin:s`, as the administrator's commands send it.
const ADMIN: &str = "YWRtaW46cw==";

/// A server of somebody else, that says such things wherever it can; its URL.
fn foreign_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let base = url.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            answer(stream, &base);
        }
    });
    url
}

fn answer(mut stream: TcpStream, base: &str) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut first, mut length, mut is_admin) = (String::new(), 0, false);
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 || line.trim().is_empty() {
            break;
        }
        is_admin |= line.contains(ADMIN);
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
    let path = first.split(' ').nth(1).unwrap();
    let path = path.split('?').next().unwrap();
    let (status, body) = match path {
        // One that an `Authorization` header can hold.
        "/oauth/token" if is_admin => (200, json!({ "access_token": "t", "token_type": "Bearer" })),
        path => said(path, base),
    };
    let body = body.to_string();
    let head = "content-type: application/json\r\nconnection: close\r\ncontent-length";
    write!(stream, "HTTP/1.1 {status} x\r\n{head}: {}\r\n\r\n{body}", body.len()).unwrap();
}

fn said(path: &str, base: &str) -> (u16, Value) {
    let client = json!({
        "client_id": EVIL, "client_name": EVIL, "__STATE__": EVIL, "permissions": [EVIL],
        "metadata": { EVIL: EVIL }, "token_endpoint_auth_method": EVIL,
    });
    let record = json!({ "at": 1, "action": EVIL, "actor": EVIL, "after": { EVIL: EVIL } });
    match path {
        "/.well-known/oauth-authorization-server" => {
            (200, json!({ "issuer": base, "token_endpoint": format!("{base}/oauth/token") }))
        }
        "/other/.well-known/oauth-authorization-server" => {
            let issuer = format!("http://other.test/{EVIL}");
            (200, json!({ "issuer": issuer, "token_endpoint": format!("{base}/oauth/token") }))
        }
        "/oauth/token" => (200, json!({ "access_token": EVIL, "token_type": EVIL })),
        "/tokeninfo" => (200, json!({ "client_id": EVIL })),
        "/clients" => (200, json!({ "clients": [client], "next_cursor": null })),
        "/clients/svc" => (200, client),
        "/audit" => (200, json!({ "records": [record], "next_cursor": null })),
        "/keys" => (200, json!({ "keys": [{ "kid": EVIL, "alg": EVIL, "state": EVIL }] })),
        "/revocations" => (200, json!({ "revoked": [{ "name": EVIL }] })),
        _ => (400, json!({ "error": EVIL, "error_description": EVIL })),
    }
}

#[actix_web::test]
async fn nothing_of_strangers_commands_it() {
    let (home, url) = (Home::new(), foreign_server());
    let other = format!("{url}/other");
    let given = [
        ("LATCHKEY_CLIENT_SECRET", "s"),
        ("LATCHKEY_ADMIN_CLIENT_ID", "admin"),
        ("LATCHKEY_ADMIN_SECRET", "s"),
    ];
    #[rustfmt::skip]
    let cases: [(&[&str], bool); 16] = [
        // command                                                  goes well
        (&["token", "--client-id", "c"],                            true),
        (&["token", "--client-id", "c", "--json"],                  true),
        (&["tokeninfo", "t"],                                       true),
        (&["clients", "list"],                                      true),
        (&["clients", "list", "--json"],                            true),
        (&["clients", "show", "svc"],                               true),
        (&["clients", "show", "svc", "--json"],                     true),
        (&["clients", "show", "other"],                             false),
        (&["clients", "update", "svc", "--name", "n"],              true),
        (&["clients", "create", "--name", "n"],                     true),
        (&["clients", "delete", "gone", "--yes"],                   false),
        (&["audit"],                                                true),
        (&["audit", "--json"],                                      true),
        (&["keys", "list"],                                         true),
        (&["keys", "list", "--json"],                               true),
        (&["revoke", "--jti", "t", "--json"],                       true),
    ];
    for (args, goes_well) in cases {
        let ran = home.run_with(&[args, &["--issuer", &url]].concat(), &given, "");
        assert_eq!(ran.code == Some(0), goes_well, "{args:?}: {ran:?}");
        let said = format!("{}{}", ran.stdout, ran.stderr);
        let deceptive = said.chars().find(|c| *c != '\n' && is_deceptive(*c));
        assert_eq!(deceptive, None, "{args:?}: {said:?}");
        assert!(said.contains(r"x\u001b[2J\u009b31m\u202e\u2028\u0007y"), "{args:?}: {said:?}");
        if args.contains(&"--json") {
            let value: Value = serde_json::from_str(&ran.stdout).unwrap();
            assert!(value.to_string().contains('\u{202e}'), "{args:?}: it means the same");
        }
    }
    let misnamed = home.run_with(&["token", "--client-id", "c", "--issuer", &other], &given, "");
    assert!(misnamed.code == Some(1) && misnamed.stderr.lines().count() == 1, "{misnamed:?}");
    assert!(!misnamed.stderr.trim_end().contains(is_deceptive), "{misnamed:?}");
}
