//! The binary, as a user meets it: its commands, its files, its exit codes.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use latchkey::domain::clock::Timestamp;
use serde_json::{Value, json};

use crate::databases::Kind;
use tempfile::TempDir;

/// How long anything may take before the test gives up. Nothing waits longer than it must.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder in which somebody works.
pub(crate) struct Home(TempDir);

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The output of a command that must have gone well, as JSON.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self:?}");
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// The output of a command that must have gone well.
    pub(crate) fn text(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout.trim()
    }
}

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o777
    }

    pub(crate) fn admin(&self, folder: &str) -> (String, String) {
        let text = fs::read_to_string(self.path(folder).join("admin.json")).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap();
        let text = |name: &str| file[name].as_str().unwrap().to_owned();
        (text("client_id"), text("client_secret"))
    }

    /// A program in this folder, with an environment that holds nothing but these.
    pub(crate) fn program(&self, program: impl AsRef<Path>, env: &[(&str, &str)]) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir(self.0.path()).env_clear().envs(env.iter().copied());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, &[], "")
    }

    pub(crate) fn run_with(&self, args: &[&str], env: &[(&str, &str)], input: &str) -> Ran {
        let mut command = self.program(env!("CARGO_BIN_EXE_latchkey"), env);
        finish(command.args(args), input)
    }

    /// Starts a server on a free port, and waits until it is ready. Its issuer is a plain name,
    /// so that it is the same on every port.
    pub(crate) fn serve(&self, more: &[&str]) -> Running {
        self.serve_with(more, &[])
    }

    fn serve_with(&self, more: &[&str], env: &[(&str, &str)]) -> Running {
        Self::serve_by(self.program(env!("CARGO_BIN_EXE_latchkey"), env), more)
    }

    /// The same by way of another command, which runs what follows.
    pub(crate) fn serve_by(command: Command, more: &[&str]) -> Running {
        let mut running = Self::begin(command, more);
        running.url = running.when_ready();
        running
    }

    /// Starts a server and does not wait for it.
    fn begin_to_serve(&self, more: &[&str], env: &[(&str, &str)]) -> Running {
        Self::begin(self.program(env!("CARGO_BIN_EXE_latchkey"), env), more)
    }

    fn begin(mut command: Command, more: &[&str]) -> Running {
        let mut args = vec!["serve", "--listen=127.0.0.1:0", "--log-format=json", "--workers=1"];
        args.extend_from_slice(more);
        let command = command.args(args).stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let (lines, log) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        Running { child, log, starting: RefCell::default(), url: String::new() }
    }
}

pub(crate) fn finish(command: &mut Command, input: &str) -> Ran {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that reads no input may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A server; killed when it is forgotten.
pub(crate) struct Running {
    child: Child,
    pub(crate) log: Receiver<String>,
    // What was logged before it was ready, which it may have become after what a test looks for.
    starting: RefCell<Vec<String>>,
    pub(crate) url: String,
}

impl Running {
    fn when_ready(&self) -> String {
        let (starting, ready) = self.read_until(|entry| entry["message"] == "ready");
        self.starting.replace(starting);
        let port = ready["listen"].as_str().unwrap().rsplit_once(':').unwrap().1;
        format!("http://localhost:{port}")
    }

    /// The next such line of its log; those before it are gone then.
    pub(crate) fn logged(&self, is_it: impl Fn(&Value) -> bool) -> Value {
        let mut starting = self.starting.take().into_iter();
        let entry = starting.by_ref().map(|line| read(&line)).find(&is_it);
        self.starting.replace(starting.collect());
        entry.unwrap_or_else(|| self.read_until(is_it).1)
    }

    /// The lines before it, and it.
    pub(crate) fn read_until(&self, is_it: impl Fn(&Value) -> bool) -> (Vec<String>, Value) {
        let end = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(line) = self.log.recv_timeout(left) else { panic!("not logged: {seen:#?}") };
            let entry = read(&line);
            if is_it(&entry) {
                return (seen, entry);
            }
            seen.push(line);
        }
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        let end = Instant::now() + PATIENCE;
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return status,
                None if Instant::now() > end => panic!("it does not stop"),
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }
}

/// A line of the log.
fn read(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_default()
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) async fn post(url: &str, body: &Value) -> Value {
    let reply = reqwest::Client::new().post(url).json(body).send().await.unwrap();
    reply.json().await.unwrap()
}

/// Registers a client with a secret: its id and its secret.
pub(crate) async fn register(server: &Running) -> (String, String) {
    let client =
        post(&format!("{}/register", server.url), &json!({ "client_name": "my app" })).await;
    let text = |name: &str| client[name].as_str().unwrap().to_owned();
    (text("client_id"), text("client_secret"))
}

/// Registers a client with a key: its id.
pub(crate) async fn register_key(server: &Running, name: &str, key: Value) -> String {
    let metadata = json!({
        "client_name": "my app", "token_endpoint_auth_method": "private_key_jwt", name: key,
    });
    let client = post(&format!("{}/register", server.url), &metadata).await;
    client["client_id"].as_str().unwrap_or_else(|| panic!("{client}")).to_owned()
}

/// Gets a token with a secret.
pub(crate) fn token(home: &Home, server: &Running, (id, secret): (&str, &str)) -> Ran {
    let args = ["token", "--issuer", &server.url, "--client-id", id];
    home.run_with(&args, &[("LATCHKEY_CLIENT_SECRET", secret)], "")
}

#[actix_web::test]
async fn what_a_new_user_does() {
    let home = Home::new();
    let server = home.serve(&[]);
    let issuer = &*server.url;

    let (id, secret) = register(&server).await;
    let issued = token(&home, &server, (&id, &secret));
    let claims = home.run(&["tokeninfo", "--issuer", issuer, issued.text()]).json();
    assert_eq!((claims["sub"].as_str(), claims["iss"].as_str()), (Some(&*id), Some(issuer)));

    fs::write(home.path("secret"), format!("{secret}\n")).unwrap();
    let with_file = ["token", "--issuer", issuer, "--client-id", &id, "--secret-file", "secret"];
    let whole = home.run(&[&with_file[..], &["--json"]].concat()).json();
    assert_eq!(whole["token_type"], "Bearer");
    let piped =
        home.run_with(&["tokeninfo", "--issuer", issuer, "-"], &[], &home.run(&with_file).stdout);
    assert_eq!(piped.json()["sub"], id);

    for algorithm in ["RS256", "RS512", "PS256", "PS384", "ES256", "ES384", "ES512", "EdDSA"] {
        let file = format!("{algorithm}.key");
        let made = home.run(&["keypair", "--out", &file, "--algorithm", algorithm]);
        assert_eq!((home.mode(&file), made.stderr.as_str()), (0o600, ""));
        let jwk = made.json();
        assert!(jwk.get("d").is_none() && jwk["alg"] == algorithm);

        let id = register_key(&server, "public_key", jwk).await;
        let key = ["--issuer", issuer, "--client-id", &id, "--key", &file];
        let said = ["--algorithm", algorithm];
        let needed = matches!(algorithm, "RS512" | "PS256" | "PS384");
        let key = [&key[..], if needed { &said } else { &[] }].concat();
        let issued = home.run(&[&["token"], &key[..]].concat());
        assert_eq!(home.run(&["tokeninfo", "--issuer", issuer, issued.text()]).json()["sub"], id);

        let assertion = home.run(&[&["assertion"], &key[..], &["--lifetime", "60"]].concat());
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.text()),
        ];
        let request = reqwest::Client::new().post(format!("{issuer}/oauth/token")).form(&form);
        assert_eq!(request.send().await.unwrap().status(), 200, "{algorithm}");
    }
    assert_eq!(server.stop().code(), Some(0));
}

#[actix_web::test]
async fn what_is_refused_is_explained() {
    let home = Home::new();
    let server = home.serve(&["--algorithm=EdDSA"]);
    let issuer = &*server.url;
    let (id, secret) = register(&server).await;
    for file in ["good.key", "wrong.key"] {
        home.run(&["keypair", "--out", file, "--algorithm", "EdDSA"]);
    }
    fs::write(home.path("empty"), "\n").unwrap();
    fs::write(home.path("no.key"), "nothing").unwrap();
    let key = fs::read_to_string(home.path("good.key")).unwrap();
    fs::write(home.path("bom.key"), format!("\u{feff}{key}")).unwrap();
    fs::write(home.path("yaml.key"), key.replace('\n', "\\n")).unwrap();
    fs::write(home.path("blanks.key"), key.replace('\n', "  \n")).unwrap();
    let blanks = ["assertion", "--issuer", issuer, "--client-id", "x", "--key", "blanks.key"];
    assert_eq!(home.run(&blanks).text().split('.').count(), 3, "blanks at line ends");
    let other = issuer.replace("localhost", "127.0.0.1");
    let nobody = "http://localhost:1";

    #[rustfmt::skip]
    let cases: [(&str, &[&str], &str); 16] = [
        ("wrong key",       &["token", "--issuer", issuer, "--client-id", &id, "--key", "wrong.key"],      "invalid_client"),
        ("no credential",   &["token", "--issuer", issuer, "--client-id", &id],                            "--key, --secret-file"),
        ("no such file",    &["token", "--issuer", issuer, "--client-id", &id, "--key", "absent"],         "cannot read `absent`"),
        ("no key in it",    &["token", "--issuer", issuer, "--client-id", &id, "--key", "no.key"],         "the key in `no.key`"),
        ("changed by an editor", &["assertion", "--issuer", issuer, "--client-id", &id, "--key", "bom.key"], "byte order mark"),
        ("escaped",         &["assertion", "--issuer", issuer, "--client-id", &id, "--key", "yaml.key"],   "a backslash and an n"),
        ("empty secret",    &["token", "--issuer", issuer, "--client-id", &id, "--secret-file", "empty"],  "`empty` is empty"),
        ("another issuer",  &["token", "--issuer", &other, "--client-id", &id, "--key", "good.key"],       "--issuer http://localhost"),
        ("no server",       &["tokeninfo", "--issuer", nobody, "x"],                                       "cannot reach http://localhost:1/"),
        ("no URL",          &["tokeninfo", "--issuer", "my platform", "x"],                                "is not an http(s) URL"),
        ("no metadata",     &["tokeninfo", "--issuer", &format!("{issuer}/elsewhere"), "x"],               "found no authorization server"),
        ("bad token",       &["tokeninfo", "--issuer", issuer, "x"],                                       "the token is refused: invalid_token"),
        ("no token",        &["tokeninfo", "--issuer", issuer, "-"],                                       "this is not an access token"),
        ("key exists",      &["keypair", "--out", "good.key"],                                             "exists and is not replaced"),
        ("private key",     &["clients", "create", "--issuer", issuer, "--name", "x", "--public-key", "good.key"], "holds a private key"),
        ("no administrator", &["clients", "list", "--issuer", issuer, "--admin-file", "absent"],           "there is no `absent`"),
    ];
    for (why, args, said) in cases {
        let ran = home.run(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{why}: {ran:?}");
        assert!(ran.stderr.contains(said) && ran.stderr.lines().count() == 1, "{why}: {ran:?}");
    }
    let wrong = token(&home, &server, (&id, &format!("{secret}x")));
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.stderr.contains("invalid_client") && !wrong.stderr.contains(&secret));
    assert_eq!(home.run(&["no-such-command"]).code, Some(2));
}

#[actix_web::test]
async fn the_openssl_recipe() {
    let home = Home::new();
    for tool in ["openssl", "curl"] {
        if Command::new(tool).arg("--version").output().is_err() {
            eprintln!("left out: the openssl recipe, because there is no `{tool}` here");
            return;
        }
    }
    let server = home.serve(&["--algorithm=EdDSA"]);
    let openssl = |args: &str| {
        let ran = finish(home.program("openssl", &[]).args(args.split(' ')), "");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.stdout
    };
    openssl("genrsa -out private.pem 2048");
    let spki = openssl("rsa -in private.pem -pubout");
    let pkcs1 = openssl("rsa -in private.pem -RSAPublicKey_out");
    let metadata = json!({
        "client_name": "my app", "token_endpoint_auth_method": "private_key_jwt", "public_key_pem": spki,
    });
    let client = post(&format!("{}/register", server.url), &metadata).await;
    let kid = client["jwks"]["keys"][0]["kid"].as_str().unwrap();
    let by_pkcs1 = register_key(&server, "public_key_pem", pkcs1.into()).await;

    for id in [client["client_id"].as_str().unwrap(), &by_pkcs1] {
        let env = [("ID", id), ("KID", kid), ("ISSUER", &server.url), ("URL", &server.url)];
        let ran = finish(home.program("sh", &env).args(["-c", RECIPE]), "");
        let token =
            ran.json()["access_token"].as_str().unwrap_or_else(|| panic!("{ran:?}")).to_owned();
        let claims = home.run(&["tokeninfo", "--issuer", &server.url, &token]).json();
        assert_eq!(claims["sub"], id);
    }
    // The file that openssl made serves our own command as well.
    let args = ["token", "--issuer", &server.url, "--client-id", &by_pkcs1, "--key", "private.pem"];
    assert!(home.run(&args).text().starts_with("ey"));
}

/// As it is documented.
const RECIPE: &str = r#"
header=$(printf '{"alg":"RS256","typ":"JWT","kid":"%s"}' "$KID" | openssl base64 -A | tr '+/' '-_' | tr -d '=')
now=$(date +%s)
claims=$(printf '{"iss":"%s","sub":"%s","aud":"%s","jti":"%s","iat":%d,"exp":%d}' "$ID" "$ID" "$ISSUER" "$(openssl rand -hex 16)" $now $((now+3600)) | openssl base64 -A | tr '+/' '-_' | tr -d '=')
signature=$(printf '%s.%s' "$header" "$claims" | openssl dgst -sha256 -sign private.pem -binary | openssl base64 -A | tr '+/' '-_' | tr -d '=')
curl -s "$URL/oauth/token" -d grant_type=client_credentials -d client_id="$ID" -d token_endpoint_auth_method=private_key_jwt \
     -d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer -d client_assertion="$header.$claims.$signature"
"#;

#[actix_web::test]
async fn clients_are_looked_after_with_the_file_of_the_first_start() {
    let home = Home::new();
    let server = home.serve(&["--algorithm=EdDSA", "--registration-rate=0"]);
    let clients =
        |args: &[&str]| home.run(&[&["clients"], args, &["--issuer", &server.url]].concat());
    home.run(&["keypair", "--out", "my.key", "--algorithm", "ES256"]);
    let jwk = home.run(&["keypair", "--out", "other.key", "--algorithm", "EdDSA"]).stdout;
    fs::write(home.path("other.jwk"), jwk).unwrap();

    let granted = ["--permission", "p1", "--permission", "p2", "--audience", "a", "--scope", "s t"];
    let more = ["--group", "g", "--state", "DRAFT", "--auth-method", "client_secret_post"];
    let made = clients(&[&["create", "--name", "reporter"], &granted[..], &more].concat()).json();
    assert!(made["client_secret"].is_string());
    for (member, value) in [
        ("client_name", json!("reporter")),
        ("permissions", json!(["p1", "p2"])),
        ("audience", json!(["a"])),
        ("scope", json!("s t")),
        ("groups", json!(["g"])),
        ("__STATE__", json!("DRAFT")),
        ("token_endpoint_auth_method", json!("client_secret_post")),
    ] {
        assert_eq!(made[member], value);
    }
    let id = made["client_id"].as_str().unwrap();
    let shown = clients(&["show", id]).json();
    assert_eq!((&shown["client_id"], shown.get("client_secret")), (&json!(id), None));

    let keyed = clients(&["create", "--name", "keyed", "--public-key", "other.jwk"]).json();
    assert_eq!(keyed["token_endpoint_auth_method"], "private_key_jwt");
    let key = ["--client-id", keyed["client_id"].as_str().unwrap(), "--key", "other.key"];
    home.run(&[&["token", "--issuer", &server.url], &key[..]].concat()).text();

    let listed = clients(&["list", "--json"]);
    let ids: Vec<Value> =
        listed.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(ids.len(), 3, "two and the administrator");
    let table = clients(&["list"]);
    assert!(
        table.text().starts_with("CLIENT ID") && table.stdout.contains("reporter"),
        "{table:?}"
    );
    assert_eq!(table.text().lines().count(), 4);

    // More than one page; clients with keys, for which nothing slow is hashed.
    let jwk: Value =
        serde_json::from_str(&fs::read_to_string(home.path("other.jwk")).unwrap()).unwrap();
    for _ in 0..200 {
        register_key(&server, "public_key", jwk.clone()).await;
    }
    assert_eq!(clients(&["list", "--json"]).text().lines().count(), 203);

    let (admin, secret) = home.admin("data");
    fs::rename(home.path("data/admin.json"), home.path("elsewhere.json")).unwrap();
    assert!(clients(&["list"]).stderr.contains("no administrator credentials"));
    clients(&["list", "--admin-file", "elsewhere.json"]).text();
    fs::write(home.path("secret"), &secret).unwrap();
    clients(&["list", "--client-id", &admin, "--secret-file", "secret"]).text();
    let env = [
        ("LATCHKEY_ADMIN_CLIENT_ID", &*admin),
        ("LATCHKEY_ADMIN_SECRET", &*secret),
        ("LATCHKEY_ISSUER", &*server.url),
    ];
    home.run_with(&["clients", "list"], &env, "").text();
    let refused = clients(&["show", "nobody", "--client-id", &admin, "--secret-file", "secret"]);
    assert!(refused.stderr.contains("404") && refused.stderr.contains("no such client"));
}

#[actix_web::test]
async fn signing_keys_are_looked_after() {
    let home = Home::new();
    let server = home.serve(&["--algorithm=EdDSA"]);
    let run = |args: &[&str]| {
        home.run(&[&["keys"], args, &["--issuer", server.url.as_str()]].concat()).text().to_owned()
    };
    let list = || -> Vec<Value> {
        run(&["list", "--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let [first] = &list()[..] else { panic!("one key") };
    assert_eq!((&first["state"], &first["this_replica"]), (&json!("active"), &json!(true)));
    let old = first["kid"].as_str().unwrap();

    let asked: Value = serde_json::from_str(&run(&["rotate", "--now", "--json"])).unwrap();
    assert_eq!((&asked["now"], &asked["algorithm"]), (&json!(true), &Value::Null));
    let end = Instant::now() + PATIENCE;
    let state = |kid: &str| {
        list().into_iter().find(|key| key["kid"] == kid).map(|key| key["state"].clone())
    };
    while state(old) != Some(json!("retired")) {
        assert!(Instant::now() < end, "still: {}", run(&["list"]));
    }
    let keys = list();
    let new = keys.iter().find(|key| key["state"] == "active").unwrap()["kid"].as_str().unwrap();
    let table = run(&["list"]);
    assert!(table.starts_with("KID") && table.contains(new) && table.contains("active"), "{table}");

    assert!(run(&["retire", new]).contains("is retired"));
    assert_eq!(state(new), Some(json!("retired")));
    let unknown = home.run(&["keys", "retire", "a/../b", "--issuer", &server.url]);
    assert!(unknown.stderr.contains("no such signing key"), "{unknown:?}");
}

#[actix_web::test]
async fn admin_routes_on_a_listener_of_their_own() {
    let home = Home::new();
    // A port that was free a moment ago: the log does not name the second one.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let listen = format!("--admin-listen={free}");
    let server = home.serve(&["--algorithm=EdDSA", "--service-prefix=/cc", &listen]);
    let admin_url = format!("http://{free}/cc");
    let args = ["clients", "list", "--issuer", &server.url];
    assert_eq!(home.run(&args).code, Some(1));
    home.run(&[&args[..], &["--admin-url", &admin_url]].concat()).text();
}

/// The words of an order, once the claims of the token are known.
type Order<'a> = &'a dyn Fn(&serde_json::Value) -> Vec<String>;

#[actix_web::test]
async fn tokens_are_called_back() {
    let home = Home::new();
    let server = home.serve(&["--algorithm=EdDSA"]);
    let issuer = &*server.url;
    let revoke = |args: &[&str]| home.run(&[&["revoke", "--issuer", issuer], args].concat());
    for (what, said) in [
        ("--client", "revoked the tokens of the client typo"),
        ("--kid", "revoked the signing key typo and what it signed"),
    ] {
        let refused = revoke(&[what, "typo"]);
        assert!(refused.code == Some(1) && refused.stderr.contains("no such"), "{refused:?}");
        assert_eq!(revoke(&[what, "typo", "--force"]).text(), said);
    }
    let claims = |token: &str| home.run(&["tokeninfo", "--issuer", issuer, token]);
    let of = |claims: &serde_json::Value, name: &str| claims[name].as_str().unwrap().to_owned();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let orders: [(&str, Order<'_>); 5] = [
        ("token:", &|c| words(&["--jti", &of(c, "jti"), "--reason", "a leak"])),
        ("epoch:", &|c| words(&["--client", &of(c, "sub")])),
        ("credential:", &|c| words(&["--client", &of(c, "sub"), "--credential", &of(c, "cred")])),
        ("client:", &|c| words(&["--client", &of(c, "sub"), "--before", &c["iat"].to_string()])),
        ("everything:", &|c| words(&["--all", "--yes", "--before", &c["iat"].to_string()])),
    ];
    for (name, order) in orders {
        let (id, secret) = register(&server).await;
        let issued = token(&home, &server, (&id, &secret));
        let args = order(&claims(issued.text()).json());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let done = revoke(&[&args[..], &["--json"]].concat()).json();
        assert!(done["name"].as_str().unwrap().starts_with(name), "{done}");
        assert_eq!(claims(issued.text()).code, Some(1), "{name}");
    }
    for (why, args) in [
        ("nothing", &[][..]),
        ("all at any time", &["--all", "--yes"]),
        ("two", &["--jti", "x", "--kid", "y"]),
        ("a credential of nobody", &["--credential", "x"]),
    ] {
        assert_eq!(revoke(args).code, Some(2), "{why}");
    }
    let unasked = revoke(&["--all", "--before", "1"]);
    assert!(unasked.code == Some(1) && unasked.stderr.contains("say --yes"), "{unasked:?}");
}

#[actix_web::test]
async fn the_audit_trail_is_printed() {
    let home = Home::new();
    let server = home.serve(&["--algorithm=EdDSA", "--registration-rate=0"]);
    let audit = |args: &[&str]| home.run(&[&["audit"], args, &["--issuer", &server.url]].concat());
    let (id, _) = register(&server).await;
    let (other, _) = register(&server).await;

    let lines = |ran: &Ran| -> Vec<Value> {
        ran.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let of = |records: &[Value], name: &str| -> Vec<Value> {
        records.iter().map(|record| record[name].clone()).collect()
    };
    let all = lines(&audit(&["--json"]));
    assert_eq!(of(&all, "action"), ["client.registered", "client.registered", "admin.installed"]);
    assert_eq!(of(&all, "client_id")[..2], [json!(other), json!(id)]);
    for (args, count) in [
        (vec!["--client", &id], 1),
        (vec!["--actor", "latchkey:server"], 1),
        (vec!["--action", "client.registered"], 2),
        (vec!["--from", "2000-01-01T00:00:00+00:00"], 3),
        (vec!["--to", "2000-01-01T00:00:00+00:00"], 0),
        (vec!["--limit", "2"], 2),
    ] {
        let found = lines(&audit(&[&args[..], &["--json"]].concat()));
        assert_eq!(found.len(), count, "{args:?}");
        assert_eq!(audit(&args).text().lines().count(), 1 + count, "{args:?}, and its head");
    }
    let table = audit(&[]);
    assert!(table.text().starts_with("TIME") && table.stdout.contains(&id), "{table:?}");
    let refused = audit(&["--action", "x"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("`action`") || refused.stderr.contains("action"),
        "{refused:?}"
    );
}

#[actix_web::test]
async fn no_secret_gets_into_the_log() {
    let home = Home::new();
    let hook = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0";
    let more = ["--log-level=trace", "--webhook-url=http://127.0.0.1:9/", "--webhook-secret", hook];
    let server = home.serve(&[&["--algorithm=EdDSA", "--registration-rate=0"], &more[..]].concat());
    let (id, secret) = register(&server).await;
    let issued = token(&home, &server, (&id, &secret)).text().to_owned();
    let guess = "lk_guessedguessedguessed";
    let url = format!("{}/oauth/token", server.url);
    let request = reqwest::Client::new().post(url).basic_auth(&id, Some(guess));
    let form = [("grant_type", "client_credentials")];
    assert_eq!(request.form(&form).send().await.unwrap().status().as_u16(), 401);
    let (_, admin_secret) = home.admin("data");
    home.run(&["clients", "list", "--issuer", &server.url]).text();

    let began = Instant::now();
    let mut log = String::new();
    while !log.contains("client.registered") || !log.contains("invalid_client") {
        assert!(began.elapsed() < PATIENCE, "{log}");
        log.extend(server.log.try_iter().map(|line| line + "\n"));
    }
    for hidden in [&*secret, &issued, guess, &admin_secret, hook] {
        assert!(hidden.len() > 16 && !log.contains(hidden), "`{hidden}` is in the log");
    }
    assert!(!log.contains("$argon2"), "{log}");
}

/// What strangers send is in the log as far as it helps, and commands no terminal.
#[actix_web::test]
async fn what_strangers_send_is_logged_briefly_and_escaped() {
    let home = Home::new();
    let server = home.serve(&["--algorithm=EdDSA"]);
    let name = format!("{}%C2%9B31m%E2%80%AE{}", "a".repeat(8), "x".repeat(20_000));
    let url = format!("{}/oauth/token", server.url);
    let request = reqwest::Client::new().post(url).body(format!("{name}=1&{name}=2"));
    let request = request.header("content-type", crate::harness::FORM);
    assert_eq!(request.send().await.unwrap().status().as_u16(), 400);
    let logged = server.logged(|entry| entry["message"] == "refused");
    let reason = logged["reason"].as_str().unwrap();
    assert!(reason.len() < 200 && reason.contains("is repeated"), "{reason}");
    assert!(reason.is_ascii(), "{reason}");
}

/// A log for people that goes to a file is plain text.
#[test]
fn a_log_in_a_file_has_no_colours() {
    let home = Home::new();
    let mut command = home.program(env!("CARGO_BIN_EXE_latchkey"), &[]);
    let args = ["serve", "--listen=127.0.0.1:0", "--algorithm=EdDSA", "--log-format=pretty"];
    let log = fs::File::create(home.path("log")).unwrap();
    let mut child = command.args(args).stderr(log).spawn().unwrap();
    let began = Instant::now();
    let mut text = String::new();
    while !text.contains("documentation:") {
        assert!(began.elapsed() < PATIENCE, "{text}");
        std::thread::sleep(Duration::from_millis(10));
        text = fs::read_to_string(home.path("log")).unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(text.contains("INFO") && !text.contains('\u{1b}'), "{text}");
}

/// What cannot be written is a failure, help included.
#[test]
fn a_full_output_is_an_error() {
    let home = Home::new();
    for args in [
        &["--help"][..],
        &["--version"],
        &["help", "serve"],
        &["clients", "--help"],
        &["config", "check"],
        &["keypair", "--out", "key.pem"],
    ] {
        let mut command = home.program(env!("CARGO_BIN_EXE_latchkey"), &[]);
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = command.args(args).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {told}");
        assert!(told.contains("No space left"), "{args:?}: {told}");
    }
}

#[actix_web::test]
async fn a_restart_loses_nothing() {
    let home = Home::new();
    let same = ["--algorithm=EdDSA", "--issuer=my platform"];
    let server = home.serve(&same);
    let (id, secret) = register(&server).await;
    let issued = token(&home, &server, (&id, &secret));
    let second = home.run(&["serve", "--listen=127.0.0.1:0", "--issuer=x"]);
    assert_eq!(second.code, Some(1));
    assert!(second.stderr.contains("in use by another process"), "{second:?}");
    assert_eq!(server.stop().code(), Some(0));
    assert_eq!((home.mode("data/admin.json"), home.mode("data")), (0o600, 0o700));
    for key in fs::read_dir(home.path("keys")).unwrap() {
        assert_eq!(key.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    let server = home.serve(&same);
    let issuer = &*server.url;
    let claims = home.run(&["tokeninfo", "--issuer", issuer, issued.text()]).json();
    assert_eq!((&claims["sub"], &claims["iss"]), (&json!(id), &json!("my platform")));
    let shown = home.run(&["clients", "show", "--issuer", issuer, &id]).json();
    assert_eq!(shown["last_login_at"], claims["iat"]);
    token(&home, &server, (&id, &secret)).text();
}

#[actix_web::test]
async fn it_does_not_say_that_it_is_ready_before_it_is() {
    let home = Home::new();
    let same = ["--algorithm=EdDSA", "--issuer=my platform"];
    assert_eq!(home.serve(&same).stop().code(), Some(0));

    // Without its keys it makes one, which waits until caches of the key set have ended.
    fs::remove_dir_all(home.path("keys")).unwrap();
    let server = home.begin_to_serve(&same, &[]);
    let waiting = server.logged(|entry| {
        assert_ne!(entry["message"], "ready");
        entry["message"].as_str().is_some_and(|message| message.starts_with("not ready"))
    });
    assert!(Timestamp::from_rfc3339(waiting["signs_from"].as_str().unwrap()).is_some());
    let status = async |path: &str| {
        let url = format!("http://{}{path}", waiting["listen"].as_str().unwrap());
        reqwest::get(url).await.unwrap().status().as_u16()
    };
    assert_eq!(status("/-/ready?for=tokeninfo").await, 200);
    assert_eq!(status("/-/ready").await, 503);
    assert!(server.log.try_iter().all(|line| !line.contains("\"ready\"")));
}

#[actix_web::test]
async fn the_administrator_gets_a_new_secret() {
    let home = Home::new();
    let same = ["--algorithm=EdDSA", "--issuer=my platform"];
    let reset = ["admin", "reset", "--store=file:./data"];
    let absent = home.run(&reset);
    assert!(absent.code == Some(1) && absent.stderr.contains("there is no store"), "{absent:?}");
    assert!(!home.path("data").exists(), "nothing was made by mistake");

    let server = home.serve(&same);
    let (id, old) = home.admin("data");
    let running = home.run(&reset);
    assert!(running.code == Some(1) && running.stderr.contains("in use"), "{running:?}");
    token(&home, &server, (&id, &old)).text();
    assert_eq!(server.stop().code(), Some(0));

    let done = home.run(&reset);
    let (same_id, new) = home.admin("data");
    assert!(done.text().contains("admin.json") && done.text().contains(&id));
    assert!(!done.stdout.contains(&new) && !done.stderr.contains(&new));
    assert_eq!((&same_id, home.mode("data/admin.json")), (&id, 0o600));
    fs::remove_file(home.path("data/admin.json")).unwrap();
    home.run(&[&reset[..], &["--client-id", "root"]].concat()).text();
    let (root, root_secret) = home.admin("data");
    assert_eq!(root, "root");

    let server = home.serve(&same);
    token(&home, &server, (&id, &new)).text();
    token(&home, &server, (&root, &root_secret)).text();
    assert_eq!(token(&home, &server, (&id, &old)).code, Some(1));
    home.run(&["clients", "list", "--issuer", &server.url]).text();
}

#[actix_web::test]
async fn a_store_is_copied_with_all_that_its_credentials_need() {
    let home = Home::new();
    let same = |store: &'static str| ["--algorithm=EdDSA", "--issuer=my platform", store];
    let copy = |from: &str, to: &str| home.run(&["store", "copy", from, to]);
    let server = home.serve(&same("--store=file:a"));
    let (id, secret) = register(&server).await;
    let issued = token(&home, &server, (&id, &secret));
    let jwk = home.run(&["keypair", "--out", "my.key", "--algorithm", "ES256"]).json();
    let keyed = register_key(&server, "public_key", jwk).await;
    let key = ["--issuer", &server.url, "--client-id", &keyed, "--key", "my.key"];
    let assertion = home.run(&[&["assertion"], &key[..]].concat());
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion.text()),
    ];
    let send = async |server: &Running| {
        let url = format!("{}/oauth/token", server.url);
        reqwest::Client::new().post(url).form(&form).send().await.unwrap().status().as_u16()
    };
    assert_eq!(send(&server).await, 200);
    assert!(copy("file:a", "file:b").stderr.contains("in use"));
    assert_eq!(server.stop().code(), Some(0));

    for (why, from, to, said) in [
        ("no store", "file:typo", "file:b", "there is no store"),
        ("the same", "file:a", "file:./a/../a", "the same store"),
    ] {
        let refused = copy(from, to);
        assert!(refused.code == Some(1) && refused.stderr.contains(said), "{why}: {refused:?}");
    }
    let copied = copy("file:a", "file:b");
    assert!(
        copied.stderr.contains("copied 3 clients (0 were there already), 1 signing keys, 1 used"),
        "{copied:?}"
    );
    assert_eq!((home.admin("a"), home.mode("b/admin.json")), (home.admin("b"), 0o600));
    let again = copy("file:a", "file:b");
    assert!(again.stderr.contains("copied 0 clients (3 were there already)"), "{again:?}");

    let server = home.serve(&same("--store=file:b"));
    let info = home.run(&["tokeninfo", "--issuer", &server.url, issued.text()]);
    assert_eq!(info.json()["sub"], id);
    token(&home, &server, (&id, &secret)).text();
    assert_eq!(send(&server).await, 401, "used before the move");
    home.run(&["clients", "list", "--issuer", &server.url, "--admin-file", "b/admin.json"]).text();
    drop(server);

    drop(home.serve(&same("--store=file:c")));
    let refused = copy("file:a", "file:c");
    assert!(refused.code == Some(1) && refused.stderr.contains("pepper"), "{refused:?}");
}

#[test]
fn what_is_no_store_is_refused_without_its_password() {
    let home = Home::new();
    let url = "postgres://u:hunter2@h/db";
    for args in [
        &["serve", "--store", url][..],
        &["config", "check", "--store", url],
        &["admin", "reset", "--store", url],
        &["store", "copy", "file:a", url],
        &["store", "copy", url, "file:b"],
    ] {
        let refused = home.run(args);
        assert_eq!(refused.code, Some(1), "{args:?}");
        assert!(!format!("{refused:?}").contains("hunter2"), "{args:?}");
    }
    let refused = home.run_with(&["serve"], &[("LATCHKEY_STORE", url)], "");
    assert!(refused.code == Some(1) && refused.stderr.contains("mongodb://HOST"), "{refused:?}");
    assert!(!refused.stderr.contains("hunter2"));
    for url in [url, "file:", "mongodb://u:hunter2@h", "mongodb://u:hunter2@h:x/db"] {
        for args in [&["serve", "--store", url][..], &["admin", "reset", "--store", url]] {
            let refused = home.run(args);
            assert_eq!(refused.code, Some(1), "{refused:?}");
            assert!(refused.stderr.contains("LATCHKEY_STORE"), "the setting: {refused:?}");
            assert!(!refused.stderr.contains("hunter2"), "{refused:?}");
        }
    }
}

/// From the embedded store to a database server, where the administrator gets a new secret.
async fn moves_to(kind: Kind) {
    let Some(database) = kind.shared().await else { return };
    let (home, url) = (Home::new(), database.fresh_database());
    let same = ["--algorithm=EdDSA", "--issuer=my platform"];
    let server = home.serve(&same);
    let (id, secret) = register(&server).await;
    let issued = token(&home, &server, (&id, &secret));
    assert_eq!(server.stop().code(), Some(0));
    let copied = home.run(&["store", "copy", "file:data", &url]);
    assert!(copied.stderr.contains("copied 2 clients"), "{copied:?}");

    let reset = home.run(&["admin", "reset", "--store", &url, "--client-id", "root"]).json();
    let root = (reset["client_id"].as_str().unwrap(), reset["client_secret"].as_str().unwrap());

    let server = home.serve(&[&same[..], &["--store", &url]].concat());
    assert_eq!(home.run(&["tokeninfo", "--issuer", &server.url, issued.text()]).json()["sub"], id);
    token(&home, &server, (&id, &secret)).text();
    token(&home, &server, root).text();
}

#[actix_web::test]
async fn a_move_to_mongodb() {
    moves_to(Kind::MongoDb).await;
}

#[actix_web::test]
async fn a_move_to_nx_27017() {
    moves_to(Kind::Nx27017).await;
}

#[actix_web::test]
async fn a_move_to_ferretdb() {
    moves_to(Kind::FerretDb).await;
}

#[test]
fn the_settings_in_force_are_a_file_that_can_be_used() {
    let home = Home::new();
    let check = |args: &str, env: &[(&str, &str)]| {
        let args: Vec<&str> =
            ["config", "check"].into_iter().chain(args.split_whitespace()).collect();
        home.run_with(&args, env, "")
    };
    fs::write(home.path("secret"), "hunter2\n").unwrap();
    let many = "--accepted-audiences=a,b --trusted-proxies=10.0.0.0/8 --require-audience --workers=3 \
                --legacy-audience-until=2027-01-31T00:00:00Z --service-prefix=/cc --log-format=json \
                --initial-access-token-file=secret --registration=token --store=mongodb://u:p@h/db \
                --public-url=https://a.test/x";
    let none = ("", "");
    let alias = ("MIA_JWT_EXPIRES_IN", "60");
    let secret = ("LATCHKEY_ADMIN_SECRET", "hunter2");
    #[rustfmt::skip]
    let good = [
        ("defaults",   "", none,                         "listen = \"127.0.0.1:8080\""),
        ("an issuer",  "", none,                         "issuer = \"http://localhost:8080\""),
        ("a default",  "", none,                         "# registration is open"),
        ("an alias",   "", alias,                        "# MIA_JWT_EXPIRES_IN is taken as the setting token_lifetime"),
        ("port 0",     "--listen=127.0.0.1:0", none,     "listen = \"127.0.0.1:0\""),
        ("a warning",  "--listen=0.0.0.0:80 --issuer=https://a.test", none, "# warning: listening beyond this machine"),
        ("a path",     "--issuer=http://localhost:8080/tenant", none, "# warning: the metadata says http://localhost:8080/tenant/oauth/token"),
        ("a secret",   "--admin-client-id=root", secret, "# admin_secret = "),
        ("many",       many, none,                       "accepted_audiences = [\"a\", \"b\"]"),
        ("a password", many, none,                       "store = \"mongodb://[redacted]@h/db\""),
    ];
    for (why, args, env, said) in good {
        let first = check(args, if env == none { &[] } else { std::slice::from_ref(&env) });
        assert!(first.text().contains(said), "{why}: {first:?}");
        assert!(!first.stdout.contains("hunter2"), "{why}");
        fs::write(home.path("again.toml"), &first.stdout).unwrap();
        // What the output leaves out has to come from where it came from.
        let elsewhere = [secret];
        let again = check("--config=again.toml", if env == secret { &elsewhere } else { &[] });
        let settings = |ran: &Ran| -> Vec<String> {
            let lines = ran.text().lines().filter(|line| !line.starts_with("# MIA"));
            lines.map(str::to_owned).collect()
        };
        assert_eq!(settings(&first), settings(&again), "{why}");
    }

    fs::write(home.path("bad.toml"), "lisen = 1").unwrap();
    fs::write(home.path("list.json"), "[]").unwrap();
    #[rustfmt::skip]
    let bad = [
        ("unknown key",     "--config=bad.toml",                                    "unknown setting `lisen`"),
        ("no file",         "--config=absent.toml",                                 "cannot read `absent.toml`"),
        ("no issuer",       "--listen=0.0.0.0:80",                                  "set the issuer"),
        ("half an admin",   "--admin-client-id=root",                               "go together"),
        ("no secret file",  "--admin-client-id=root --admin-secret-file=absent",    "cannot read `absent`"),
        ("no token",        "--registration=token",                                 "set initial_access_token"),
        ("no certificate",  "--tls-certificate=absent.pem --tls-key=absent.key",    "cannot read `absent.pem`"),
        ("no JSON object",  "--openid-configuration-file=list.json",                "must hold a JSON object"),
        ("no key",          "--signing-key-file=secret",                            "the key in `secret`"),
        ("no filter",       "--log-level=a=b=c",                                    "log_level"),
    ];
    for (why, args, said) in bad {
        let ran = check(args, &[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{why}: {ran:?}");
        assert!(ran.stderr.contains(said), "{why}: {ran:?}");
    }
    let only_these = ["again.toml", "bad.toml", "list.json", "secret"];
    assert_eq!(fs::read_dir(home.0.path()).unwrap().count(), only_these.len(), "it makes nothing");
}

#[actix_web::test]
async fn the_health_check_is_an_exit_code() {
    let home = Home::new();
    let server = home.serve(&["--algorithm=EdDSA", "--service-prefix=/cc"]);
    let ran = home.run(&["healthcheck", "--url", &server.url]);
    assert_eq!((ran.code, ran.stdout, ran.stderr), (Some(0), String::new(), String::new()));
    let listen = server.url.replace("http://localhost", "0.0.0.0");
    assert_eq!(home.run_with(&["healthcheck"], &[("LATCHKEY_LISTEN", &listen)], "").code, Some(0));
    assert_eq!(home.run(&["healthcheck", "--url", "http://127.0.0.1:1"]).code, Some(1));
}

#[actix_web::test]
async fn with_tls_the_commands_check_the_certificate() {
    let home = Home::new();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(home.path("tls.pem"), made.cert.pem()).unwrap();
    fs::write(home.path("tls.key"), made.signing_key.serialize_pem()).unwrap();
    let tls = ["--algorithm=EdDSA", "--tls-certificate=tls.pem", "--tls-key=tls.key"];
    let server = home.serve(&tls);
    let issuer = server.url.replace("http://", "https://");
    let list = ["clients", "list", "--issuer", &issuer];
    home.run_with(&list, &[("SSL_CERT_FILE", "tls.pem")], "").text();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(home.path("other.pem"), other.cert.pem()).unwrap();
    let refused = home.run_with(&list, &[("SSL_CERT_FILE", "other.pem")], "");
    assert!(refused.code == Some(1) && refused.stderr.contains("cannot reach"), "{refused:?}");
    assert!(refused.stderr.contains("certificate"), "{refused:?}");
    // A certificate that is replaced is used without a restart.
    fs::write(home.path("tls.pem"), other.cert.pem()).unwrap();
    fs::write(home.path("tls.key"), other.signing_key.serialize_pem()).unwrap();
    let end = Instant::now() + PATIENCE;
    while home.run_with(&list, &[("SSL_CERT_FILE", "other.pem")], "").code != Some(0) {
        assert!(Instant::now() < end, "the new certificate is not used");
    }
    // On the machine itself the name in the certificate cannot be asked for.
    let address = issuer.replace("localhost", "127.0.0.1");
    assert_eq!(home.run(&["healthcheck", "--url", &address]).code, Some(0));
}

#[actix_web::test]
async fn a_key_pair_is_registered_with_a_proof() {
    let home = Home::new();
    fs::write(home.path("token"), "t0ken\n").unwrap();
    let server = home.serve(&[
        "--algorithm=EdDSA",
        "--require-key-proof",
        "--registration=token",
        "--initial-access-token-file=token",
    ]);
    let register = |file: &str, more: &[&str]| {
        let mut args = vec!["keypair", "--register", "--issuer", &server.url, "--out", file];
        args.extend_from_slice(more);
        home.run(&args)
    };
    let token = ["--name", "my app", "--initial-access-token-file", "token"];
    for algorithm in ["EdDSA", "ES256", "ES512", "RS256", "PS256"] {
        let file = format!("{algorithm}.key");
        let ran = register(&file, &[&token[..], &["--algorithm", algorithm]].concat());
        let id = ran.text();
        assert_eq!(home.mode(&file), 0o600);
        let mut args = vec!["token", "--issuer", &server.url, "--client-id", id, "--key", &file];
        if algorithm == "PS256" {
            args.extend_from_slice(&["--algorithm", "PS256"]);
        }
        assert_eq!(home.run(&args).text().split('.').count(), 3, "{algorithm}");
    }

    fs::write(home.path("wrong"), "wrong").unwrap();
    #[rustfmt::skip]
    let cases: [(&str, &str, &[&str], &str); 6] = [
        ("no name",          "a.key",     &[],                                                        "--name"),
        ("a blank name",     "a.key",     &["--name", " ", "--initial-access-token-file", "token"],   "client_name"),
        ("no token",         "a.key",     &["--name", "x"],                                           "401"),
        ("a wrong token",    "a.key",     &["--name", "x", "--initial-access-token-file", "wrong"],   "401"),
        ("no such file",     "a.key",     &["--name", "x", "--initial-access-token-file", "nowhere"], "nowhere"),
        ("the key is there", "ES256.key", &token,                                                     "exists and is not replaced"),
    ];
    for (why, file, more, said) in cases {
        let ran = register(file, more);
        assert!(ran.code != Some(0) && ran.stderr.contains(said), "{why}: {ran:?}");
        assert!(ran.stdout.is_empty(), "{why}: {ran:?}");
        assert_eq!(home.path(file).exists(), file == "ES256.key", "{why}: no key is left behind");
    }
    let alone = home.run(&["keypair", "--out", "b.key", "--name", "x"]);
    assert!(alone.code == Some(2) && alone.stderr.contains("--register"), "{alone:?}");
}

/// The key set of one server is where a client of another publishes its keys.
#[actix_web::test]
async fn published_keys_are_fetched_from_those_who_are_trusted() {
    let home = Home::new();
    for name in ["tls", "other"] {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(home.path(&format!("{name}.pem")), made.cert.pem()).unwrap();
        let key = made.signing_key.serialize_pem();
        fs::write(home.path(&format!("{name}.key")), key).unwrap();
    }
    let publisher = home.serve(&[
        "--algorithm=EdDSA",
        "--tls-certificate=tls.pem",
        "--tls-key=tls.key",
        "--store=file:publisher",
        "--keys=published",
    ]);
    let host = publisher.url.trim_start_matches("http://");
    let metadata = json!({
        "client_name": "my app",
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": format!("https://{host}/.well-known/jwks.json"),
    });
    let hosts = format!("--jwks-uri-hosts={host}");
    let trusting = |trusted: &str, hosts: &str| {
        let folder = format!("--store=file:data-{trusted}-{}", hosts.len());
        let args = ["--algorithm=EdDSA", &folder, hosts];
        home.serve_with(&args, &[("SSL_CERT_FILE", trusted), ("HTTPS_PROXY", "http://127.0.0.1:1")])
    };

    for (why, trusted, hosts) in [
        ("another certificate", "other.pem", &*hosts),
        ("not admitted", "tls.pem", "--jwks-uri-hosts=elsewhere.test"),
    ] {
        let server = trusting(trusted, hosts);
        let refused = post(&format!("{}/register", server.url), &metadata).await;
        assert_eq!(refused["error"], "invalid_client_metadata", "{why}: {refused}");
    }

    let server = trusting("tls.pem", &hosts);
    let client = post(&format!("{}/register", server.url), &metadata).await;
    let id = client["client_id"].as_str().unwrap_or_else(|| panic!("{client}"));
    let key = fs::read_dir(home.path("published")).unwrap().find_map(|file| {
        let path = file.unwrap().path();
        path.extension().is_some_and(|extension| extension == "pem").then_some(path)
    });
    let key = key.unwrap();
    let args = ["token", "--issuer", &server.url, "--client-id", id, "--key"];
    let args = [&args[..], &[key.to_str().unwrap()]].concat();
    assert_eq!(home.run(&args).text().split('.').count(), 3);
}

#[test]
fn each_help_has_an_example() {
    let home = Home::new();
    for command in [
        "serve",
        "config check",
        "keypair",
        "token",
        "assertion",
        "tokeninfo",
        "audit",
        "clients",
        "clients create",
        "clients delete",
        "clients import",
        "clients key",
        "clients key add",
        "clients key delete",
        "clients list",
        "clients regenerate",
        "clients registration-token",
        "clients registration-token delete",
        "clients secret",
        "clients secret add",
        "clients secret delete",
        "clients show",
        "clients state",
        "clients update",
        "keys",
        "keys list",
        "keys rotate",
        "keys retire",
        "admin reset",
        "revoke",
        "store backup",
        "store check",
        "store copy",
        "healthcheck",
    ] {
        let args: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = home.run(&args);
        assert!(help.text().contains(&format!("latchkey {command}")), "{help:?}");
        assert!(help.text().contains("Example:"), "{command}");
        assert!(!help.text().starts_with("What an operator"), "{command}");
    }
}

#[test]
fn a_reader_that_stops_is_no_failure() {
    let home = Home::new();
    let mut command = home.program(env!("CARGO_BIN_EXE_latchkey"), &[]);
    let mut child = command
        .args(["config", "check"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}
