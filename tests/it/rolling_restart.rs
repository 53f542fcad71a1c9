//! Three servers behind a balancer, each stopped and started again in turn under load: not one
//! request fails.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use latchkey::domain::clock::SystemClock;
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::balancer::{Balancer, HaProxy};
use crate::databases::Kind;
use crate::fleet::{PATIENCE, on_databases};
use crate::harness::Server;
use crate::load::{ALL_SORTS, Call, Load, http};
use crate::program::{Program, free_address, share_key};

/// How long anything may take, with room for slow machines.
const BOUND: Duration = Duration::from_secs(10);

/// A server that can be started again where it was.
struct Node {
    folder: TempDir,
    address: SocketAddr,
    arguments: Vec<String>,
}

impl Node {
    /// `delay` is what the balancer needs to notice that a server stops, in seconds.
    fn new(store: &str, delay: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        share_key(folder.path());
        let arguments = ["--store", store, "--shutdown-delay", &delay.to_string()];
        let arguments = arguments.into_iter().map(str::to_owned).collect();
        Self { folder, address: free_address(), arguments }
    }

    async fn start(&self) -> Program {
        let (folder, address) = (self.folder.path().to_owned(), self.address);
        let arguments = self.arguments.clone();
        let start = move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            Program::start(&folder, address, &arguments)
        };
        spawn_blocking(start).await.unwrap()
    }

    /// Returns when the balancer sends requests here.
    async fn is_asked(&self) {
        until(async || {
            let metrics = http().get(format!("http://{}/-/metrics", self.address)).send().await;
            metrics.unwrap().text().await.unwrap().contains(r#"route="/tokeninfo""#)
        })
        .await;
    }
}

async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "it does not come to that");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn not_one_request_fails(nodes: &[Node; 3], url: &str, mut programs: Vec<Program>) {
    until(async || {
        let keys = http().get(format!("{url}/.well-known/jwks.json")).send().await;
        keys.is_ok_and(|reply| reply.status() == 200)
    })
    .await;
    let load = Load::prepare(ALL_SORTS, Duration::from_millis(5), url, Arc::new(SystemClock)).await;
    let restarts = async {
        for node in nodes {
            node.is_asked().await;
        }
        for node in nodes {
            let program = programs.remove(0);
            assert!(spawn_blocking(|| program.stop()).await.unwrap(), "it does not end well");
            programs.push(node.start().await);
            node.is_asked().await;
        }
        load.more(&[(Call::TokenInfo, 200, 10), (Call::ByAssertion, 200, 10)]).await;
    };
    let urls = [url.to_owned()];
    load.during(&urls, restarts).await;
    load.assert_all(Call::TokenInfo, &[200], BOUND);
    load.assert_all(Call::ByAssertion, &[200], BOUND);
    load.assert_all(Call::BySecret, &[200], BOUND);
    load.assert_all(Call::Register, &[201], BOUND);
    load.assert_all(Call::Revoke, &[200], BOUND);
    load.ledger.assert_kept(&urls).await;
}

async fn programs(nodes: &[Node; 3]) -> Vec<Program> {
    let mut programs = Vec::new();
    for node in nodes {
        programs.push(node.start().await);
    }
    programs
}

async fn behind_a_balancer_of_our_own(kind: Kind) {
    let Some(database) = kind.shared().await else { return };
    let url = database.fresh_database();
    let nodes = [(); 3].map(|()| Node::new(&url, 1));
    let programs = programs(&nodes).await;
    let balancer = Balancer::start(&nodes.each_ref().map(|node| node.address)).await;
    not_one_request_fails(&nodes, &balancer.url, programs).await;
}

/// With the configuration and the delay of `deploy/`.
async fn behind_haproxy(kind: Kind) {
    let Some(database) = kind.shared().await else { return };
    let url = database.fresh_database();
    let nodes = [(); 3].map(|()| Node::new(&url, 2));
    let Some(haproxy) = HaProxy::start(&nodes.each_ref().map(|node| node.address)) else { return };
    let programs = programs(&nodes).await;
    not_one_request_fails(&nodes, &haproxy.url, programs).await;
}

on_databases!(behind_a_balancer_of_our_own: mongodb MongoDb, nx_27017 Nx27017);
on_databases!(behind_haproxy: mongodb MongoDb, ferretdb FerretDb);

/// So that who holds a connection goes to another server before this one hangs up.
#[actix_web::test]
async fn while_a_server_stops_each_answer_is_the_last_on_its_connection() {
    let server =
        Server::with(|settings| settings.listen.shutdown_delay = Duration::from_secs(5)).await;
    let (url, http) = (server.url.clone(), server.http.clone());
    let ask = async |path: &str| {
        let reply = http.get(format!("{url}{path}")).send().await.unwrap();
        let closes = reply.headers().get("connection").is_some_and(|value| value == "close");
        (reply.status().as_u16(), closes)
    };
    assert_eq!(ask("/-/ready").await, (200, false));
    let stopping = server.stop();
    let meanwhile = async {
        while ask("/-/ready").await.0 == 200 {}
        for (why, path, status) in [
            ("readiness", "/-/ready", 503),
            ("a request that is served all the same", "/.well-known/jwks.json", 200),
            ("a refusal", "/tokeninfo", 401),
            ("another method", "/register", 405),
            ("no route", "/nowhere", 404),
        ] {
            assert_eq!(ask(path).await, (status, true), "{why}");
        }
    };
    tokio::select! {
        biased;
        () = stopping => panic!("it does not wait"),
        () = meanwhile => {}
    }
}
