//! A server that was killed on a full disk starts again and serves what it can; when there is room it
//! goes on by itself. On a small file system where one can be mounted, else with a limit on the size
//! of files.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::command_line::{Home, PATIENCE, Running};
use crate::load::http;

/// A disk that can be filled to the byte.
enum Disk {
    /// A file system of its own.
    Small(PathBuf),
    /// No file may grow; what the log of the database has is there already.
    Limited,
}

impl Disk {
    /// In this folder.
    fn mount(folder: PathBuf) -> Self {
        fs::create_dir(&folder).unwrap();
        let options = ["-t", "tmpfs", "-o", "size=4m", "tmpfs"];
        let is_mounted = run(Command::new("mount").args(options).arg(&folder));
        if is_mounted { Self::Small(folder) } else { Self::Limited }
    }

    /// Until nothing fits any more.
    fn fill(&self) {
        let Self::Small(folder) = self else { return };
        let mut file = File::options().create(true).append(true).open(folder.join("fill")).unwrap();
        for size in [4096, 1] {
            while file.write_all(&vec![7; size]).is_ok() {}
        }
    }

    /// A server on the disk, which is full.
    fn serve(&self, home: &Home, more: &[&str]) -> Running {
        match self {
            Self::Small(_) => home.serve(more),
            Self::Limited => {
                let mut shell = home.program("sh", &[]);
                let limited = "trap '' XFSZ; exec prlimit --fsize=32768: \"$@\"";
                shell.args(["-c", limited, "sh", env!("CARGO_BIN_EXE_latchkey")]);
                Home::serve_by(shell, more)
            }
        }
    }

    fn make_room(&self, server: &Running) {
        match self {
            Self::Small(folder) => fs::remove_file(folder.join("fill")).unwrap(),
            Self::Limited => {
                let pid = server.pid().to_string();
                let mut prlimit = Command::new("prlimit");
                assert!(run(prlimit.args(["--pid", &pid, "--fsize=unlimited:"])));
            }
        }
    }
}

fn run(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Self::Small(folder) = self {
            run(Command::new("umount").arg("-l").arg(folder));
        }
    }
}

async fn post(url: &str, path: &str, form: &[(&str, &str)], as_: (&str, &str)) -> (u16, Value) {
    let request = http().post(format!("{url}{path}")).basic_auth(as_.0, Some(as_.1)).form(form);
    let reply = request.send().await.unwrap();
    (reply.status().as_u16(), reply.json().await.unwrap_or_default())
}

async fn get(url: &str, path: &str, token: &str) -> (u16, Value) {
    let reply = http().get(format!("{url}{path}")).bearer_auth(token).send().await.unwrap();
    (reply.status().as_u16(), reply.json().await.unwrap_or_default())
}

async fn register(url: &str) -> (u16, Value) {
    let request = http().post(format!("{url}/register")).json(&json!({ "client_name": "svc" }));
    let reply = request.send().await.unwrap();
    (reply.status().as_u16(), reply.json().await.unwrap_or_default())
}

/// Asks until this is so.
async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < end, "it is not so");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_on_a_full_disk_serves_what_it_can() {
    let home = Home::new();
    let disk = Disk::mount(home.path("disk"));
    let grant = [("grant_type", "client_credentials")];
    let settings = [
        "--store=file:disk/data",
        "--keys=disk/keys",
        "--algorithm=EdDSA",
        "--issuer=http://issuer.test",
        "--registration-rate=0",
    ];
    let server = home.serve(&settings);
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(register(&server.url).await.1);
    }
    let of = |client: &Value, name: &str| client[name].as_str().unwrap().to_owned();
    let (id, secret) = (of(&clients[0], "client_id"), of(&clients[0], "client_secret"));
    let (_, issued) = post(&server.url, "/oauth/token", &grant, (&id, &secret)).await;
    let token = of(&issued, "access_token");
    disk.fill();
    if let Disk::Small(_) = disk {
        until(async || register(&server.url).await.0 == 503).await;
    }
    drop(server); // SIGKILL
    disk.fill();

    let server = disk.serve(&home, &settings);
    let url = server.url.clone();
    server.logged(|entry| {
        let said = entry["message"].as_str().unwrap_or_default();
        entry["level"] == "ERROR" && said.contains("the store cannot be written")
    });
    assert_eq!(get(&url, "/tokeninfo", &token).await.0, 200);
    assert_eq!(get(&url, "/.well-known/jwks.json", &token).await.0, 200);
    for client in &clients {
        let (id, secret) = (of(client, "client_id"), of(client, "client_secret"));
        assert_eq!(post(&url, "/oauth/token", &grant, (&id, &secret)).await.0, 200, "{id}");
    }
    let (admin, secret) = home.admin("disk/data");
    let form = [("token", token.as_str())];
    let (status, told) = post(&url, "/oauth/introspect", &form, (&admin, &secret)).await;
    assert_eq!((status, &told["active"]), (200, &json!(true)), "{told}");
    assert_eq!(register(&url).await.0, 503, "what needs a write");
    let (ready, said) = get(&url, "/-/ready", &token).await;
    assert_eq!((ready, &said["store"]), (200, &json!("cannot be written")), "{said}");
    let (checked, said) = get(&url, "/-/check-up", &token).await;
    assert_eq!((checked, &said["store"]), (503, &json!("cannot be written")), "{said}");

    disk.make_room(&server);
    server.logged(|entry| entry["message"] == "the store can be written again");
    assert_eq!(register(&url).await.0, 201, "without a restart");
    let (ready, said) = get(&url, "/-/ready", &token).await;
    assert_eq!((ready, said.get("store")), (200, None), "{said}");
}
