//! `kill -9` at any moment: what was answered is there after the restart.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use latchkey::domain::clock::{Clock, SystemClock, Timestamp};
use latchkey::domain::jwk::Algorithm;
use latchkey::jwt::{Assertion, sign_assertion};
use serde_json::{Value, json};

use crate::harness::{GRANT, client_key};

/// How often it is killed, and how many callers there are each time.
const ROUNDS: usize = 4;
const CALLERS: usize = 8;

/// The program, as it is run; killed when dropped.
struct Program {
    child: Child,
    url: String,
}

impl Program {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_latchkey"))
            .args(["serve", "--listen", "127.0.0.1:0", "--issuer", "http://issuer.test"])
            .args(["--registration-rate", "0", "--throttle", "off", "--log-format", "json"])
            .current_dir(folder)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut lines = log.lines().map_while(Result::ok);
        let ready = lines
            .by_ref()
            .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
            .find(|line| line["message"] == "ready")
            .unwrap();
        std::thread::spawn(move || lines.for_each(drop)); // else its log would stop it
        let url = format!("http://{}", ready["listen"].as_str().unwrap());
        Self { child, url }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill(); // SIGKILL
        let _ = self.child.wait();
    }
}

/// What was answered, and so must never be forgotten.
#[derive(Default)]
struct Answered {
    clients: Mutex<Vec<(String, String)>>,
    assertions: Mutex<Vec<String>>,
}

fn assertion(client_id: &str, number: usize) -> String {
    let key = client_key(Algorithm::EdDSA);
    let now = SystemClock.now();
    let assertion = Assertion {
        iss: client_id.to_owned(),
        sub: client_id.to_owned(),
        aud: "http://issuer.test".to_owned(),
        jti: format!("{}-{number}", now.0),
        iat: now,
        exp: Timestamp(now.0 + 3000),
    };
    sign_assertion(&assertion, key, &key.public().kid).unwrap()
}

async fn token_by(http: &reqwest::Client, url: &str, assertion: &str) -> Option<u16> {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
    ];
    let sent = http.post(format!("{url}/oauth/token")).form(&form).send().await;
    sent.ok().map(|reply| reply.status().as_u16())
}

/// Registers and uses assertions, until the server is gone.
async fn call(url: &str, key_client: &str, caller: usize, answered: &Answered, gone: &AtomicBool) {
    let http = reqwest::Client::new();
    for round in 0.. {
        let register = http.post(format!("{url}/register"));
        let Ok(reply) = register.json(&json!({ "client_name": "svc" })).send().await else { break };
        let created = reply.status() == 201;
        let Ok(body) = reply.json::<Value>().await else { break };
        if created {
            let text = |member: &str| body[member].as_str().unwrap().to_owned();
            let pair = (text("client_id"), text("client_secret"));
            answered.clients.lock().unwrap().push(pair);
        }
        let assertion = assertion(key_client, caller * 1_000_000 + round);
        match token_by(&http, url, &assertion).await {
            Some(200) => answered.assertions.lock().unwrap().push(assertion),
            Some(_) => {}
            None => break,
        }
    }
    gone.store(true, Ordering::Relaxed);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_store_forgets_nothing_that_was_answered() {
    let folder = tempfile::tempdir().unwrap();
    let answered = Answered::default();
    let http = reqwest::Client::new();

    let program = Program::start(folder.path());
    let metadata = json!({
        "client_name": "svc",
        "token_endpoint_auth_method": "private_key_jwt",
        "public_key": client_key(Algorithm::EdDSA).public().to_json(),
    });
    let registered = http.post(format!("{}/register", program.url)).json(&metadata).send().await;
    let body: Value = registered.unwrap().json().await.unwrap();
    let key_client = body["client_id"].as_str().unwrap().to_owned();
    drop(program);

    for round in 1..=ROUNDS {
        let program = Program::start(folder.path());
        let gone = AtomicBool::new(false);
        let before = answered.clients.lock().unwrap().len();
        let callers = (0..CALLERS).map(|caller| {
            call(&program.url, &key_client, round * CALLERS + caller, &answered, &gone)
        });
        let enough = async {
            // In the middle of the writes: some were answered, more are under way.
            while answered.clients.lock().unwrap().len() < before + 10 * round {
                assert!(!gone.load(Ordering::Relaxed), "it went away by itself");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let pid = program.child.id().to_string();
            assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
        };
        tokio::join!(futures_util::future::join_all(callers), enough);
    }

    let program = Program::start(folder.path());
    let (clients, assertions) =
        (answered.clients.into_inner().unwrap(), answered.assertions.into_inner().unwrap());
    assert!(clients.len() >= 10 * ROUNDS && !assertions.is_empty());
    for (id, secret) in &clients {
        let request =
            http.post(format!("{}/oauth/token", program.url)).basic_auth(id, Some(secret));
        let form = request.header("content-type", "application/x-www-form-urlencoded");
        let reply = form.body(GRANT).send().await.unwrap();
        assert_eq!(reply.status(), 200, "client {id} is forgotten");
    }
    for used in &assertions {
        assert_eq!(token_by(&http, &program.url, used).await, Some(401), "a used jti is forgotten");
    }
}
