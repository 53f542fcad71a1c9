//! What stands before several servers: a balancer of our own, and HAProxy as `deploy/` sets it up.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::program::{free_address, installed};

const CONFIGURATION: &str = include_str!("../../deploy/haproxy/haproxy.cfg");

/// A balancer of connections, which knows nothing of what goes over them: a new one goes to the next
/// server that says it is ready. Ends when dropped.
pub(crate) struct Balancer {
    pub(crate) url: String,
    _tasks: JoinSet<()>,
}

struct Backend {
    address: SocketAddr,
    ready: AtomicBool,
}

impl Balancer {
    pub(crate) async fn start(backends: &[SocketAddr]) -> Self {
        let backends = backends
            .iter()
            .map(|address| Arc::new(Backend { address: *address, ready: AtomicBool::new(false) }));
        let backends: Vec<Arc<Backend>> = backends.collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut tasks: JoinSet<()> =
            backends.iter().cloned().map(|backend| async move { backend.watch().await }).collect();
        tasks.spawn(async move {
            let mut turn = 0;
            let mut connections = JoinSet::new();
            while let Ok((caller, _)) = listener.accept().await {
                turn += 1;
                let (before, after) = backends.split_at(turn % backends.len());
                let candidates: Vec<_> = after.iter().chain(before).cloned().collect();
                connections.spawn(connect(caller, candidates));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { url, _tasks: tasks }
    }
}

impl Backend {
    async fn watch(&self) {
        // Each check connects anew: what is asked is whether connections should be made.
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
        let http = http.timeout(Duration::from_secs(1)).build().unwrap();
        loop {
            let reply = http.get(format!("http://{}/-/ready", self.address)).send().await;
            self.ready.store(reply.is_ok_and(|reply| reply.status() == 200), Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn connect(mut caller: TcpStream, candidates: Vec<Arc<Backend>>) {
    for backend in candidates.iter().filter(|backend| backend.ready.load(Ordering::Relaxed)) {
        if let Ok(mut server) = TcpStream::connect(backend.address).await {
            let _ = tokio::io::copy_bidirectional(&mut caller, &mut server).await;
            return;
        }
    }
}

/// A running HAProxy; killed when dropped.
pub(crate) struct HaProxy {
    pub(crate) url: String,
    process: Child,
    _folder: TempDir,
}

impl HaProxy {
    /// With our configuration, but for the addresses. `None` if there is none here.
    pub(crate) fn start(backends: &[SocketAddr; 3]) -> Option<Self> {
        let program = installed("haproxy")?;
        let address = free_address();
        let mut configuration = CONFIGURATION.replace("bind :8080", &format!("bind {address}"));
        for (number, backend) in (1..).zip(backends) {
            let named = format!(" latchkey{number}:8080");
            assert!(configuration.contains(&named), "{named}");
            configuration = configuration.replace(&named, &format!(" {backend}"));
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("haproxy.cfg");
        std::fs::write(&file, configuration).unwrap();
        let mut command = Command::new(program);
        command.arg("-db").arg("-f").arg(file); // in the foreground
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Some(Self { url: format!("http://{address}"), process, _folder: folder })
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
